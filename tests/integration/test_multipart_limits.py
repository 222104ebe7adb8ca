"""Every limit of a request over a real socket, met and passed by one, and clients that take their time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gallery.settings import UploadSettings
from tests.graphql_server import GraphQLServer, Listener, RawConnection, graphql_server, listening
from tests.multipart_bodies import END, UPLOAD_SEVERAL, file_map, operations, part, several

LIMITS = UploadSettings(
    max_file_size=300_000,
    max_files=3,
    max_request_size=400_000,
    max_field_size=1024,
    drain_limit_bytes=1_000_000,
    progress_timeout_seconds=30,
)
IMPATIENT = LIMITS.model_copy(update={"progress_timeout_seconds": 0.3})
LENIENT = LIMITS.model_copy(update={"progress_timeout_seconds": 2})
ONE = operations() + file_map()
GREETING = b'{"query": "{ greeting }"}'


@pytest.fixture(scope="module")
async def listener() -> AsyncIterator[Listener]:
    async with listening() as listener:
        yield listener


@pytest.fixture
async def server(listener: Listener) -> AsyncIterator[GraphQLServer]:
    async with graphql_server(listener, LIMITS) as server:
        yield server


@pytest.fixture
async def impatient(listener: Listener) -> AsyncIterator[GraphQLServer]:
    """A server that soon has enough of clients that send nothing."""
    async with graphql_server(listener, IMPATIENT) as server:
        yield server


@asynccontextmanager
async def begun(server: GraphQLServer, beginning: bytes, **headers: str) -> AsyncIterator[RawConnection]:
    """A request of which no more than its beginning is sent."""
    async with server.connection() as connection:
        await connection.send_head(**{"Content-Length": "300000", **headers})
        await connection.send(beginning)
        yield connection


def codes(reply_json: dict[str, object]) -> list[str]:
    """The codes of what `uploadImage` says of its file."""
    data = reply_json["data"]
    assert isinstance(data, dict)
    return [error["code"] for error in data["uploadImage"]["errors"]]


def request_of(size: int) -> bytes:
    """A whole request of so many bytes, with two files that are within their limit."""
    without = several(2) + part("0", b"x" * 200_000) + part("1", b"") + END
    return several(2) + part("0", b"x" * 200_000) + part("1", b"y" * (size - len(without))) + END


# The size of a field


def padded_operations(size: int) -> bytes:
    """An `operations` part whose content has so many bytes."""
    content = {"query": "{ greeting }", "variables": {}, "padding": ""}
    content["padding"] = "x" * (size - len(json.dumps(content)))
    return part("operations", json.dumps(content))


@pytest.mark.parametrize(
    "body",
    [
        padded_operations(LIMITS.max_field_size) + file_map({}) + END,
        operations("{ greeting }", {}) + part("map", "{}".ljust(LIMITS.max_field_size)) + END,
    ],
    ids=["operations", "map"],
)
async def test_field_of_the_largest_size_is_taken(server: GraphQLServer, body: bytes) -> None:
    assert (await server.post(body)).json == {"data": {"greeting": "Hello, world!"}}


@pytest.mark.parametrize(
    "body",
    [
        padded_operations(LIMITS.max_field_size + 1) + file_map({}) + END,
        operations("{ greeting }", {}) + part("map", "{}".ljust(LIMITS.max_field_size + 1)) + END,
    ],
    ids=["operations", "map"],
)
async def test_field_one_byte_larger_is_refused(server: GraphQLServer, body: bytes) -> None:
    reply = await server.post(body)

    assert (reply.status, reply.codes) == (413, ["FIELD_TOO_LARGE"])
    assert "data" not in reply.json


# The number of files


async def test_as_many_files_as_may_be_are_taken(server: GraphQLServer) -> None:
    parts = b"".join(part(str(number), b"file %d" % number) for number in range(LIMITS.max_files))
    reply = await server.post(several(LIMITS.max_files) + parts + END)

    assert [result["errors"] for result in reply.json["data"]["uploadImages"]["results"]] == [[], [], []]
    assert server.storage.puts == LIMITS.max_files


async def test_one_file_more_is_refused(server: GraphQLServer) -> None:
    count = LIMITS.max_files + 1
    parts = b"".join(part(str(number), b"file %d" % number) for number in range(count))
    reply = await server.post(several(count) + parts + END)

    assert (reply.status, reply.codes) == (413, ["TOO_MANY_FILES"])
    assert server.holds_nothing()


@pytest.mark.parametrize("name", ["9", "0"], ids=["nobody asked for", "of the same name"])
async def test_thousands_of_tiny_parts_are_refused(server: GraphQLServer, name: str) -> None:
    """However many follow the first few, none is looked at."""
    first = part("0", b"the file", filename="a.jpg")
    reply = await server.post(ONE + first + part(name, b"x") * 4_000 + END)

    assert (reply.status, reply.codes) == (413, ["TOO_MANY_FILES"])
    assert codes(reply.json) == []
    assert server.stored_sizes == [8]


async def test_thousands_of_tiny_parts_in_place_of_the_operation_are_refused(server: GraphQLServer) -> None:
    reply = await server.post(part("9", b"x") * 4_000 + ONE + END)

    assert (reply.status, reply.codes) == (400, ["INVALID_OPERATIONS"])
    assert server.holds_nothing()


# The size of a file


async def test_file_of_the_largest_size_is_taken(server: GraphQLServer) -> None:
    reply = await server.post(ONE + part("0", b"x" * LIMITS.max_file_size) + END)

    assert codes(reply.json) == []
    assert server.stored_sizes == [LIMITS.max_file_size]


async def test_file_one_byte_larger_is_refused(server: GraphQLServer) -> None:
    reply = await server.post(ONE + part("0", b"x" * (LIMITS.max_file_size + 1)) + END)

    assert (reply.status, reply.codes) == (200, [])
    assert codes(reply.json) == ["FILE_TOO_LARGE"]
    assert server.holds_nothing()


# The size of a request


async def test_request_of_the_largest_size_is_taken(server: GraphQLServer) -> None:
    reply = await server.post(request_of(LIMITS.max_request_size))

    assert reply.status == 200
    assert len(server.stored_sizes) == 2


async def test_request_that_announces_one_byte_more_is_refused_unread(server: GraphQLServer) -> None:
    reply = await server.post(request_of(LIMITS.max_request_size + 1))

    assert (reply.status, reply.codes) == (413, ["REQUEST_TOO_LARGE"])
    assert reply.json["errors"][0]["message"] == "The request is larger than the limit of 400,000 bytes."
    assert not server.storage.begun.is_set()
    assert server.holds_nothing()


async def test_request_that_announces_more_is_refused_before_its_go_ahead(server: GraphQLServer) -> None:
    async with server.connection() as connection:
        await connection.send_head(Content_Length=str(LIMITS.max_request_size + 1), Expect="100-continue")
        reply = await connection.reply()

    assert (reply.status, reply.codes) == (413, ["REQUEST_TOO_LARGE"])
    assert reply.headers["connection"] == "close"


@pytest.mark.parametrize(("size", "status"), [(LIMITS.max_request_size, 200), (LIMITS.max_request_size + 1, 413)])
async def test_request_of_unknown_length_has_the_same_limit(server: GraphQLServer, size: int, status: int) -> None:
    body = request_of(size)
    async with server.connection() as connection:
        await connection.send_head(Transfer_Encoding="chunked")
        for start in range(0, len(body), 65_536):
            await connection.send_chunk(body[start : start + 65_536])
        await connection.send_chunk(b"")
        reply = await connection.reply()

    assert reply.status == status
    assert reply.codes == ([] if status == 200 else ["REQUEST_TOO_LARGE"])


async def test_request_that_grows_too_large_stores_no_file_that_is_not_whole(server: GraphQLServer) -> None:
    body = several(2) + part("0", b"x" * 200_000) + part("1", b"y" * 250_000) + END
    async with server.connection() as connection:
        await connection.send_head(Transfer_Encoding="chunked")
        for start in range(0, len(body), 65_536):
            await connection.send_chunk(body[start : start + 65_536])
        await connection.send_chunk(b"")
        reply = await connection.reply()

    whole, cut_off = reply.json["data"]["uploadImages"]["results"]
    assert (reply.status, reply.codes) == (413, ["REQUEST_TOO_LARGE"])
    assert (whole["errors"], cut_off["errors"]) == ([], [{"code": "UPLOAD_INTERRUPTED"}])
    assert server.stored_sizes == [200_000]


@pytest.mark.parametrize(("size", "status"), [(LIMITS.max_field_size, 200), (LIMITS.max_field_size + 1, 413)])
async def test_request_without_files_has_the_limit_of_a_field(server: GraphQLServer, size: int, status: int) -> None:
    reply = await server.post(GREETING.ljust(size), **{"Content-Type": "application/json"})

    assert reply.status == status
    assert reply.codes == ([] if status == 200 else ["REQUEST_TOO_LARGE"])


# Clients that take their time


@pytest.mark.parametrize(
    "beginning", [b"", operations()[:50], operations(), ONE[:-5]], ids=["nothing", "operations", "no map", "map"]
)
async def test_client_that_stops_before_the_operation_is_known_is_refused(
    impatient: GraphQLServer, beginning: bytes
) -> None:
    async with begun(impatient, beginning) as connection:
        reply = await connection.reply()

    assert (reply.status, reply.codes) == (408, ["REQUEST_STALLED"])
    assert reply.json["errors"][0]["message"] == "Nothing of the request arrived for 0.3 seconds. Send it again."
    assert reply.headers["connection"] == "close"
    assert impatient.holds_nothing()


async def test_upload_of_a_client_that_stops_is_given_up(impatient: GraphQLServer) -> None:
    async with begun(impatient, ONE + part("0", b"x" * 100_000)[:-2]) as connection:
        reply = await connection.reply()

    assert (reply.status, reply.codes) == (408, ["REQUEST_STALLED"])
    assert codes(reply.json) == ["UPLOAD_STALLED"]
    assert reply.headers["connection"] == "close"
    assert impatient.storage.given_up.is_set()
    assert impatient.holds_nothing()


async def test_file_that_arrived_before_the_client_stopped_is_kept_and_told(impatient: GraphQLServer) -> None:
    async with begun(impatient, several(3) + part("0", b"whole") + part("1", b"x" * 1000)[:-2]) as connection:
        reply = await connection.reply()

    whole, stalled, missing = reply.json["data"]["uploadImages"]["results"]
    assert (reply.status, reply.codes) == (408, ["REQUEST_STALLED"])
    assert whole["image"]["fileSize"] == 5
    assert [stalled["errors"], missing["errors"]] == [[{"code": "UPLOAD_STALLED"}]] * 2
    assert impatient.stored_sizes == [5]


async def test_client_that_stops_in_a_chunked_body_is_refused(impatient: GraphQLServer) -> None:
    async with impatient.connection() as connection:
        await connection.send_head(Transfer_Encoding="chunked")
        await connection.send_chunk(ONE + part("0", b"x" * 1000))
        reply = await connection.reply()

    assert (reply.status, reply.codes) == (408, ["REQUEST_STALLED"])


async def test_client_that_stops_in_a_json_body_is_refused(impatient: GraphQLServer) -> None:
    async with begun(impatient, GREETING[:10], **{"Content-Type": "application/json"}) as connection:
        reply = await connection.reply()

    assert (reply.status, reply.codes) == (408, ["REQUEST_STALLED"])
    assert reply.headers["connection"] == "close"


async def test_client_that_stops_after_its_request_was_refused_hears_why(impatient: GraphQLServer) -> None:
    async with begun(impatient, part("operations", "{") + file_map()) as connection:
        reply = await connection.reply()

    assert (reply.status, reply.codes) == (400, ["INVALID_OPERATIONS"])
    assert reply.headers["connection"] == "close"


async def test_client_that_was_given_a_go_ahead_and_sends_nothing_is_refused(impatient: GraphQLServer) -> None:
    async with begun(impatient, b"", Expect="100-continue") as connection:
        assert await connection.interim_status() == 100
        reply = await connection.reply()

    assert (reply.status, reply.codes) == (408, ["REQUEST_STALLED"])


async def test_client_whose_bytes_trickle_is_waited_for(listener: Listener) -> None:
    """For longer than it may send nothing at all."""
    body = ONE + part("0", b"slowly", filename="a.jpg") + END
    async with graphql_server(listener, LENIENT) as server, server.connection() as connection:
        await connection.send_head(Content_Length=str(len(body)))
        await connection.send(body[:-30])
        for byte in body[-30:]:
            await connection.send(bytes([byte]))
            await asyncio.sleep(0.1)
        reply = await connection.reply()

        assert codes(reply.json) == []
        assert server.stored_sizes == [6]


async def test_body_may_come_byte_by_byte(server: GraphQLServer) -> None:
    body = operations(UPLOAD_SEVERAL, {"files": [None]}) + file_map({"0": ["variables.files.0"]})
    body += part("0", b"\r\n--" + END[:-6] + b"\r\n", filename="a.jpg") + END
    async with server.connection() as connection:
        await connection.send_head(Transfer_Encoding="chunked")
        for byte in body:
            await connection.send_chunk(bytes([byte]))
        await connection.send_chunk(b"")
        reply = await connection.reply()

    [result] = reply.json["data"]["uploadImages"]["results"]
    assert result["errors"] == []
    assert [stored.content for stored in server.storage.objects.values()] == [b"\r\n--" + END[:-6] + b"\r\n"]
