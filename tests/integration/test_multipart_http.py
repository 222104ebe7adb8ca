"""Multipart uploads over a real socket: every way in which a request can be right or wrong, sent byte by byte."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Iterator
from hashlib import sha256

import pytest

from tests.graphql_server import LIMITS, GraphQLServer
from tests.multipart_bodies import (
    BOUNDARY,
    END,
    UPLOAD,
    file_map,
    operations,
    part,
    several,
)

SMALL = b"\xff\xd8\xff" + b"s" * 1000
LARGE = b"\xff\xd8\xff" + bytes(range(256)) * 3000  # 768,003 bytes: larger than any queue or buffer on the way
TOO_LARGE = b"\xff\xd8\xff" + b"t" * LIMITS.max_file_size
ONE = operations() + file_map()
READ_BACKWARDS = "mutation ($files: [Upload!]!) { readBackwards(files: $files) }"
TWO_FILES = {"0": ["variables.files.0"], "1": ["variables.files.1"]}


def result_of_upload(size: bytes, filename: str) -> dict[str, object]:
    image = {"fileSize": len(size), "checksum": sha256(size).hexdigest(), "originalFilename": filename}
    return {"data": {"uploadImage": {"outcome": "CREATED", "image": image, "errors": []}}}


def refused_upload(code: str) -> dict[str, object]:
    return {"data": {"uploadImage": {"outcome": None, "image": None, "errors": [{"code": code}]}}}


# What is taken


@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
async def test_file_is_stored_byte_for_byte(server: GraphQLServer, content: bytes) -> None:
    reply = await server.post(ONE + part("0", content, filename="a.jpg") + END)

    assert reply.status == 200
    assert reply.json == result_of_upload(content, "a.jpg")
    assert [stored.content for stored in server.storage.objects.values()] == [content]


async def test_chunked_request_without_a_length_is_taken(server: GraphQLServer) -> None:
    body = ONE + part("0", LARGE, filename="a.jpg") + END
    async with server.connection() as connection:
        await connection.send_head(Transfer_Encoding="chunked")
        for start in range(0, len(body), 50_001):
            await connection.send_chunk(body[start : start + 50_001])
        await connection.send_chunk(b"")
        reply = await connection.reply()

    assert reply.json == result_of_upload(LARGE, "a.jpg")


async def test_file_flows_into_the_storage_before_the_body_has_arrived(server: GraphQLServer) -> None:
    body = ONE + part("0", LARGE, filename="a.jpg") + END
    async with server.connection() as connection:
        await connection.send_head(Content_Length=str(len(body)))
        await connection.send(body[:300_000])
        async with asyncio.timeout(10):
            await server.storage.begun.wait()
        assert server.storage.puts == 0
        await connection.send(body[300_000:])
        reply = await connection.reply()

    assert reply.json == result_of_upload(LARGE, "a.jpg")


async def test_client_that_waits_for_a_go_ahead_gets_it(server: GraphQLServer) -> None:
    body = ONE + part("0", SMALL, filename="a.jpg") + END
    async with server.connection() as connection:
        await connection.send_head(Content_Length=str(len(body)), Expect="100-continue")
        assert await connection.interim_status() == 100
        await connection.send(body)
        reply = await connection.reply()

    assert reply.json == result_of_upload(SMALL, "a.jpg")


async def test_client_that_waits_for_a_go_ahead_is_refused_without_one(server: GraphQLServer) -> None:
    async with server.connection() as connection:
        await connection.send_head(Content_Length="100000", Expect="100-continue", X_GraphQL_CSRF="")
        reply = await connection.reply()

    assert (reply.status, reply.codes) == (400, ["CSRF_HEADER_MISSING"])
    assert reply.headers["connection"] == "close"


async def test_connection_serves_one_request_after_the_other(server: GraphQLServer) -> None:
    async with server.connection() as connection:
        for name in ("a.jpg", "b.jpg"):
            content = SMALL + name.encode()
            body = ONE + part("0", content, filename=name) + END
            await connection.send_head(Content_Length=str(len(body)))
            await connection.send(body)
            assert (await connection.reply()).json == result_of_upload(content, name)


@pytest.mark.parametrize(
    ("disposition", "filename"),
    [
        ('form-data; name="0"; filename="höhe 高.jpg"', "höhe 高.jpg"),
        ("form-data; name=\"0\"; filename*=UTF-8''h%C3%B6he.jpg", "höhe.jpg"),
        ('form-data; name="0"; filename="hohe.jpg"; filename*=iso-8859-1\'de\'h%F6he.jpg', "höhe.jpg"),
        ('form-data; name="0"; filename="a%22b.jpg"', 'a"b.jpg'),
        ("form-data; name=0; filename=plain.jpg", "plain.jpg"),
    ],
)
async def test_name_of_a_file_is_understood_however_it_is_written(
    server: GraphQLServer, disposition: str, filename: str
) -> None:
    reply = await server.post(ONE + part("0", SMALL, disposition=disposition) + END)

    assert reply.json == result_of_upload(SMALL, filename)


async def test_part_without_a_file_name_is_a_file(server: GraphQLServer) -> None:
    reply = await server.post(ONE + part("0", SMALL) + END)

    assert reply.json["data"]["uploadImage"]["outcome"] == "CREATED"
    assert server.stored_sizes == [len(SMALL)]


async def test_names_in_the_map_are_any_strings(server: GraphQLServer) -> None:
    name = "Photo no. 1 (größte)"
    body = operations() + file_map({name: ["variables.file"]}) + part(name, SMALL, filename="a.jpg") + END

    assert (await server.post(body)).json == result_of_upload(SMALL, "a.jpg")


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_files_that_are_read_at_once_may_come_in_any_order(server: GraphQLServer, order: tuple[int, int]) -> None:
    contents = [LARGE, LARGE + b"second"]
    parts = [part(str(name), contents[name], filename=f"{name}.jpg") for name in order]
    reply = await server.post(several(2) + b"".join(parts) + END)

    results = reply.json["data"]["uploadImages"]["results"]
    assert [result["image"]["checksum"] for result in results] == [sha256(content).hexdigest() for content in contents]


async def test_file_in_several_variables_is_stored_once_for_all_of_them(server: GraphQLServer) -> None:
    query = """
    mutation ($a: Upload!, $b: Upload!) {
      first: uploadImage(input: { file: $a }) { image { id } outcome }
      second: uploadImage(input: { file: $b }) { image { id } outcome }
    }
    """
    body = operations(query, {"a": None, "b": None}) + file_map({"0": ["variables.a", "variables.b"]})
    reply = await server.post(body + part("0", LARGE, filename="a.jpg") + END)

    data = reply.json["data"]
    assert data["first"] == data["second"]
    assert data["first"]["outcome"] == "CREATED"
    assert server.storage.puts == 1


async def test_file_twice_in_a_list_is_stored_once(server: GraphQLServer) -> None:
    names = {"0": ["variables.files.0", "variables.files.1"]}
    query = "mutation ($files: [Upload!]!) { uploadImages(input: { files: $files }) { results { image { id } } } }"
    reply = await server.post(
        operations(query, {"files": [None, None]}) + file_map(names) + part("0", LARGE, filename="a.jpg") + END
    )

    first, second = reply.json["data"]["uploadImages"]["results"]
    assert first == second
    assert server.storage.puts == 1


async def test_operation_without_files_may_be_sent_as_multipart(server: GraphQLServer) -> None:
    reply = await server.post(operations("{ greeting }", {}) + file_map({}) + END)

    assert reply.json == {"data": {"greeting": "Hello, world!"}}


async def test_part_that_the_map_does_not_name_is_thrown_away(server: GraphQLServer) -> None:
    reply = await server.post(ONE + part("9", LARGE, filename="x") + part("0", SMALL, filename="a.jpg") + END)

    assert reply.json == result_of_upload(SMALL, "a.jpg")
    assert server.stored_sizes == [len(SMALL)]


async def test_first_of_two_parts_of_the_same_name_wins(server: GraphQLServer) -> None:
    reply = await server.post(
        ONE + part("0", SMALL, filename="a.jpg") + part("0", LARGE, filename="b.jpg") + file_map({"1": []}) + END
    )

    assert reply.json == result_of_upload(SMALL, "a.jpg")
    assert server.stored_sizes == [len(SMALL)]


# What is wrong with the request


BATCH = part("operations", json.dumps([{"query": UPLOAD, "variables": {"file": None}}]))
FILE = part("0", SMALL, filename="a.jpg")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param(END, "INVALID_OPERATIONS", id="nothing"),
        pytest.param(b"", "INVALID_MULTIPART", id="empty"),
        pytest.param(file_map() + FILE + END, "INVALID_OPERATIONS", id="no operations"),
        pytest.param(file_map() + operations() + FILE + END, "INVALID_OPERATIONS", id="map before operations"),
        pytest.param(FILE + operations() + file_map() + END, "INVALID_OPERATIONS", id="file before operations"),
        pytest.param(part("operations", "{") + file_map() + FILE + END, "INVALID_OPERATIONS", id="operations no JSON"),
        pytest.param(part("operations", b"\xff") + file_map() + FILE + END, "INVALID_OPERATIONS", id="not UTF-8"),
        pytest.param(part("operations", "3") + file_map() + FILE + END, "INVALID_OPERATIONS", id="operations a number"),
        pytest.param(BATCH + part("map", '{"0": ["0.variables.file"]}') + FILE + END, "INVALID_OPERATIONS", id="batch"),
        pytest.param(operations() + FILE + END, "INVALID_MAP", id="no map"),
        pytest.param(operations() + END, "INVALID_MAP", id="no map, no file"),
        pytest.param(operations() + FILE + file_map() + END, "INVALID_MAP", id="file before map"),
        pytest.param(operations() + operations() + file_map() + FILE + END, "INVALID_MAP", id="operations twice"),
        pytest.param(operations() + part("map", "[") + FILE + END, "INVALID_MAP", id="map no JSON"),
        pytest.param(operations() + part("map", "[]") + FILE + END, "INVALID_MAP", id="map a list"),
        pytest.param(operations() + file_map({"0": ["query"]}) + FILE + END, "INVALID_MAP", id="outside variables"),
        pytest.param(operations() + file_map({"0": ["variables.other"]}) + FILE + END, "INVALID_MAP", id="nowhere"),
        pytest.param(operations(variables={"file": 1}) + file_map() + FILE + END, "INVALID_MAP", id="not null"),
        pytest.param(operations("") + file_map() + FILE + END, "BAD_REQUEST", id="no query"),
        pytest.param(f"--{BOUNDARY}x".encode() + END, "INVALID_MULTIPART", id="malformed boundary"),
        pytest.param(f"--{BOUNDARY}\r\nnonsense\r\n\r\n".encode() + END, "INVALID_MULTIPART", id="malformed header"),
    ],
)
async def test_malformed_request_is_refused(server: GraphQLServer, body: bytes, code: str) -> None:
    reply = await server.post(body)

    assert (reply.status, reply.codes) == (400, [code])
    assert "data" not in reply.json
    assert reply.json["errors"][0]["extensions"]["requestId"]
    assert server.holds_nothing()


async def test_missing_boundary_is_refused(server: GraphQLServer) -> None:
    reply = await server.post(ONE + FILE + END, Content_Type="multipart/form-data")

    assert (reply.status, reply.codes) == (400, ["INVALID_MULTIPART"])


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param(operations(more="x" * LIMITS.max_field_size) + file_map() + END, "FIELD_TOO_LARGE", id="field"),
        pytest.param(b"preamble" * 20_000 + b"\r\n" + ONE + END, "FIELD_TOO_LARGE", id="preamble"),
        pytest.param(several(LIMITS.max_files + 1) + FILE + END, "TOO_MANY_FILES", id="files"),
        pytest.param(
            f"--{BOUNDARY}\r\nContent-Disposition: form-data; name=".encode() + b"x" * 5000 + b"\r\n\r\n" + END,
            "REQUEST_TOO_LARGE",
            id="header",
        ),
    ],
)
async def test_request_beyond_a_limit_is_refused(server: GraphQLServer, body: bytes, code: str) -> None:
    reply = await server.post(body)

    assert (reply.status, reply.codes) == (413, [code])
    assert server.holds_nothing()


async def test_request_with_many_parts_that_nobody_asked_for_is_refused(server: GraphQLServer) -> None:
    reply = await server.post(ONE + part("9", b"x") * 17 + FILE + END)

    assert (reply.status, reply.codes) == (413, ["TOO_MANY_FILES"])
    assert reply.json["data"] == refused_upload("UPLOAD_INTERRUPTED")["data"]
    assert server.holds_nothing()


async def test_large_body_of_a_refused_request_is_read_before_the_answer(server: GraphQLServer) -> None:
    body = part("operations", "{") + file_map() + part("0", LARGE, filename="a.jpg") + END
    async with server.connection() as connection:
        await connection.send_head(Content_Length=str(len(body)))
        await connection.send(body)
        reply = await connection.reply()
        assert (reply.status, reply.codes) == (400, ["INVALID_OPERATIONS"])
        await connection.send_head(Content_Type="application/json", Content_Length="25")
        await connection.send(b'{"query": "{ greeting }"}')
        assert (await connection.reply()).json == {"data": {"greeting": "Hello, world!"}}


@pytest.mark.parametrize("header", ["Apollo-Require-Preflight", "X-Apollo-Operation-Name", "X-GraphQL-CSRF"])
async def test_any_header_against_csrf_will_do(server: GraphQLServer, header: str) -> None:
    reply = await server.post(ONE + FILE + END, **{"X-GraphQL-CSRF": "", header: "anything"})

    assert reply.status == 200


async def test_request_without_a_header_against_csrf_is_refused(server: GraphQLServer) -> None:
    reply = await server.post(ONE + part("0", LARGE, filename="a.jpg") + END, **{"X-GraphQL-CSRF": ""})

    assert (reply.status, reply.codes) == (400, ["CSRF_HEADER_MISSING"])
    assert "Apollo-Require-Preflight: 1" in reply.json["errors"][0]["message"]
    assert server.holds_nothing()


# What is wrong with a file


async def test_file_that_the_body_lacks_fails_alone(server: GraphQLServer) -> None:
    reply = await server.post(several(2) + part("1", SMALL, filename="b.jpg") + END)

    missing, stored = reply.json["data"]["uploadImages"]["results"]
    assert missing == {"image": None, "errors": [{"code": "FILE_MISSING"}]}
    assert stored["image"]["fileSize"] == len(SMALL)
    assert server.stored_sizes == [len(SMALL)]


async def test_file_beyond_the_limit_fails_alone(server: GraphQLServer) -> None:
    reply = await server.post(
        several(2) + part("0", TOO_LARGE, filename="a.jpg") + part("1", SMALL, filename="b.jpg") + END
    )

    too_large, stored = reply.json["data"]["uploadImages"]["results"]
    assert too_large == {"image": None, "errors": [{"code": "FILE_TOO_LARGE"}]}
    assert stored["image"]["fileSize"] == len(SMALL)
    assert server.stored_sizes == [len(SMALL)]


async def test_only_file_is_refused_by_the_length_of_the_request(server: GraphQLServer) -> None:
    reply = await server.post(ONE + part("0", TOO_LARGE + b"t" * 100_000, filename="a.jpg") + END)

    assert reply.json == refused_upload("FILE_TOO_LARGE")
    assert not server.storage.begun.is_set()
    assert server.holds_nothing()


async def test_file_without_an_end_is_given_up(server: GraphQLServer) -> None:
    size = LIMITS.max_file_size + LIMITS.drain_limit_bytes + 1
    reply = await server.post(several(2) + part("0", b"x" * size) + part("1", SMALL) + END)

    too_large, interrupted = reply.json["data"]["uploadImages"]["results"]
    assert too_large["errors"] == [{"code": "FILE_TOO_LARGE"}]
    assert interrupted["errors"] == [{"code": "UPLOAD_INTERRUPTED"}]
    assert (reply.status, reply.codes) == (413, ["REQUEST_TOO_LARGE"])
    assert server.holds_nothing()


async def test_empty_file_is_refused(server: GraphQLServer) -> None:
    reply = await server.post(ONE + part("0", b"", filename="a.jpg") + END)

    assert reply.json == refused_upload("FILE_EMPTY")
    assert server.holds_nothing()


async def test_file_of_a_refused_mutation_does_not_hold_up_the_next(server: GraphQLServer) -> None:
    query = """
    mutation ($a: Upload!, $b: Upload!) {
      first: uploadImage(input: { file: $a, albumId: "nonsense" }) { errors { code } }
      second: uploadImage(input: { file: $b }) { image { fileSize } errors { code } }
    }
    """
    body = operations(query, {"a": None, "b": None}) + file_map({"0": ["variables.a"], "1": ["variables.b"]})
    reply = await server.post(body + part("0", LARGE, filename="a.jpg") + part("1", SMALL, filename="b.jpg") + END)

    assert reply.json["data"] == {
        "first": {"errors": [{"code": "INVALID_ID"}]},
        "second": {"image": {"fileSize": len(SMALL)}, "errors": []},
    }


# Resolvers that do not read what is sent


async def test_small_files_wait_for_a_resolver_that_reads_backwards(server: GraphQLServer) -> None:
    body = operations(READ_BACKWARDS, {"files": [None, None]}) + file_map(TWO_FILES)
    reply = await server.post(body + part("0", SMALL) + part("1", SMALL + b"b") + END)

    assert reply.json == {"data": {"readBackwards": [str(len(SMALL) + 1), str(len(SMALL))]}}


async def test_large_files_that_are_read_backwards_both_fail(server: GraphQLServer) -> None:
    body = operations(READ_BACKWARDS, {"files": [None, None]}) + file_map(TWO_FILES)
    reply = await server.post(body + part("0", LARGE) + part("1", LARGE) + END)

    assert reply.json == {"data": {"readBackwards": ["UPLOAD_ORDER", "UPLOAD_ORDER"]}}


async def test_file_that_nobody_reads_is_thrown_away(server: GraphQLServer) -> None:
    query = "mutation ($file: Upload!) { ignore(file: $file) }"
    body = operations(query) + file_map() + part("0", LARGE, filename="a.jpg") + END
    reply = await server.post(body)

    assert reply.status == 200
    assert reply.json["data"]["ignore"].startswith("ignored")
    assert server.holds_nothing()


async def test_resolver_that_fails_in_the_middle_of_a_file_is_answered(server: GraphQLServer) -> None:
    query = "mutation ($file: Upload!) { readSome(file: $file) }"
    reply = await server.post(operations(query) + file_map() + part("0", b"head" + LARGE) + END)

    assert (reply.status, reply.codes) == (200, ["INTERNAL_ERROR"])
    assert server.oddities.ended == ["read head"]


async def test_invalid_operation_is_answered_after_the_files(server: GraphQLServer) -> None:
    query = "mutation ($file: Upload!) { nothing(file: $file) }"
    reply = await server.post(operations(query) + file_map() + part("0", LARGE) + END)

    assert (reply.status, reply.codes) == (200, ["GRAPHQL_VALIDATION_FAILED"])
    assert server.holds_nothing()


async def test_file_beyond_the_limit_for_draining_does_not_delay_the_answer(server: GraphQLServer) -> None:
    query = "mutation ($file: Upload!) { nothing(file: $file) }"
    body = operations(query) + file_map() + part("0", b"x" * 3 * LIMITS.drain_limit_bytes)
    async with server.connection() as connection:
        await connection.send_head(Content_Length=str(2 * len(body)))
        await connection.send(body)
        reply = await connection.reply()  # the other half of the body is never sent

    assert reply.codes == ["GRAPHQL_VALIDATION_FAILED"]
    assert reply.headers.get("connection") is None  # closing would lose the answer for those who still send


async def test_failing_storage_is_answered_when_every_file_is_done_with(server: GraphQLServer) -> None:
    server.storage.broken.add("put")
    reply = await server.post(several(2) + part("0", LARGE) + part("1", LARGE) + END)

    assert reply.codes == ["SERVICE_UNAVAILABLE"]
    assert server.holds_nothing()


# Clients that go away


async def test_body_that_ends_in_the_middle_of_a_file_is_refused(server: GraphQLServer) -> None:
    reply = await server.post(ONE + part("0", LARGE, filename="a.jpg")[:-2])

    assert (reply.status, reply.codes) == (400, ["INVALID_MULTIPART"])
    assert reply.json["data"] == refused_upload("UPLOAD_INTERRUPTED")["data"]
    assert server.holds_nothing()


async def test_file_before_the_one_that_was_cut_short_is_kept_and_told(server: GraphQLServer) -> None:
    reply = await server.post(several(2) + part("0", SMALL) + part("1", LARGE)[:-10_000])

    assert (reply.status, reply.codes) == (400, ["INVALID_MULTIPART"])
    stored, interrupted = reply.json["data"]["uploadImages"]["results"]
    assert stored["image"]["checksum"] == sha256(SMALL).hexdigest()
    assert interrupted["errors"] == [{"code": "UPLOAD_INTERRUPTED"}]
    assert server.stored_sizes == [len(SMALL)]


@pytest.mark.parametrize("leave", ["abort", "end_sending"])
async def test_upload_of_a_client_that_goes_away_is_given_up(server: GraphQLServer, leave: str) -> None:
    body = ONE + part("0", LARGE, filename="a.jpg") + END
    async with server.connection() as connection:
        await connection.send_head(Content_Length=str(len(body)))
        await connection.send(body[:300_000])
        async with asyncio.timeout(10):
            await server.storage.begun.wait()
            getattr(connection, leave)()
            await server.storage.given_up.wait()

    await server.endpoint.settle()
    assert server.holds_nothing()


async def test_chunked_body_that_breaks_off_is_given_up(server: GraphQLServer) -> None:
    async with server.connection() as connection:
        await connection.send_head(Transfer_Encoding="chunked")
        await connection.send_chunk((ONE + part("0", LARGE))[:300_000])
        connection.end_sending()
        async with asyncio.timeout(10):
            await server.storage.given_up.wait()

    await server.endpoint.settle()
    assert server.holds_nothing()


async def test_client_that_goes_away_before_the_map_leaves_nothing(server: GraphQLServer) -> None:
    async with server.connection() as connection:
        await connection.send_head(Content_Length="100000")
        await connection.send(operations())
        connection.abort()

    assert (await server.post(ONE + FILE + END)).status == 200
    assert server.stored_sizes == [len(SMALL)]


# Nothing on the disk


class OpenedFiles:
    """The files that this process opens for writing, as the interpreter reports them (PEP 578)."""

    _WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT

    def __init__(self) -> None:
        self.paths: list[object] = []
        self._is_watching = True
        sys.addaudithook(self._hear)  # a hook stays for ever, so it learns when to stop

    def stop(self) -> None:
        self._is_watching = False

    def _hear(self, event: str, arguments: tuple[object, ...]) -> None:
        if self._is_watching and event == "open":
            path, _, flags = arguments
            if isinstance(flags, int) and flags & self._WRITING:
                self.paths.append(path)


@pytest.fixture
def opened_files() -> Iterator[OpenedFiles]:
    opened = OpenedFiles()
    yield opened
    opened.stop()


async def test_no_file_is_written(server: GraphQLServer, opened_files: OpenedFiles) -> None:
    reply = await server.post(several(2) + part("0", LARGE, filename="a.jpg") + part("1", LARGE + b"b") + END)

    assert [result["errors"] for result in reply.json["data"]["uploadImages"]["results"]] == [[], []]
    assert opened_files.paths == []


async def test_watching_for_files_would_notice_a_temporary_one(opened_files: OpenedFiles) -> None:
    import tempfile  # noqa: PLC0415  # only what this test does would write one

    with tempfile.TemporaryFile():
        assert opened_files.paths != []
