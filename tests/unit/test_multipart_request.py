"""The parser of multipart requests and the queues of its files, without a socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gallery.domain.errors import ErrorCode, GalleryError, UploadInterruptedError
from gallery.settings import UploadSettings
from gallery.web.body import ClientDisconnectedError, RequestBody, RequestStalledError
from gallery.web.errors import RequestError
from gallery.web.multipart import IncomingUpload, MultipartRequest
from gallery.web.multipart.request import FILE_QUEUE_BYTES, MAX_EXTRA_PARTS, REQUEST_QUEUE_BYTES
from tests.multipart_bodies import CONTENT_TYPE, END, file_map, operations, part

MEBIBYTE = 1024 * 1024
LIMITS = UploadSettings(claim_timeout_seconds=0.05, progress_timeout_seconds=0.1, max_files=100)


class Client:
    """Sends a body in pieces, and counts those that were asked for.

    Without an end, it goes away after the last, or stays and sends nothing.
    """

    def __init__(self, pieces: Sequence[bytes], *, goes_away: bool = False, stalls: bool = False) -> None:
        self._pieces = list(pieces)
        self._goes_away = goes_away
        self._stalls = stalls
        self.sent = 0
        self.body = RequestBody({"type": "http", "headers": []}, self._receive, LIMITS)

    async def _receive(self) -> dict[str, Any]:
        if self.sent == len(self._pieces):
            if self._stalls:
                await asyncio.get_running_loop().create_future()
            return {"type": "http.disconnect"}
        self.sent += 1
        more = self._goes_away or self._stalls or self.sent < len(self._pieces)
        return {"type": "http.request", "body": self._pieces[self.sent - 1], "more_body": more}

    def request(self, limits: UploadSettings = LIMITS) -> MultipartRequest:
        return MultipartRequest(self.body, CONTENT_TYPE, limits)


async def read(upload: IncomingUpload) -> bytes:
    return b"".join([chunk async for chunk in upload.chunks()])


async def code_of(upload: IncomingUpload) -> ErrorCode | None:
    """What reading a file to its end raises."""
    try:
        await read(upload)
    except GalleryError as error:
        return error.code
    return None


def files(count: int) -> bytes:
    """The first two parts of a request with so many files."""
    paths = {str(name): [f"variables.files.{name}"] for name in range(count)}
    return operations(variables={"files": [None] * count}) + file_map(paths)


async def settle() -> None:
    """Lets every task run until all wait for something else than each other."""
    for _ in range(100):
        await asyncio.sleep(0)


def cut(body: bytes, places: Sequence[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(body) + 1) for place in places), len(body)]
    return [body[start:end] for start, end in pairwise(edges)]


# Parsing


contents = st.binary(max_size=200) | st.sampled_from([b"\r\n", b"\r\n--", END[:-6], b"\r\n" + END[:10], b"-" * 30])


@given(
    st.lists(contents, min_size=1, max_size=4),
    st.lists(st.integers(min_value=0, max_value=100_000), max_size=30),
)
@settings(deadline=None, max_examples=200)
def test_files_are_those_that_were_sent_however_the_body_is_cut(sent: list[bytes], places: list[int]) -> None:
    body = files(len(sent)) + b"".join(part(str(name), data, filename="f") for name, data in enumerate(sent)) + END

    async def receive() -> list[bytes]:
        async with Client(cut(body, places)).request() as request:
            content = await request.operations()
            return list(await asyncio.gather(*map(read, content["variables"]["files"])))

    assert asyncio.run(receive()) == sent


@pytest.mark.parametrize("name", ["9", "0"], ids=["nobody asked for", "of the same name"])
async def test_of_thousands_of_parts_that_nobody_asked_for_no_more_than_the_first_few_are_received(name: str) -> None:
    client = Client([files(1) + part("0", b"content"), *[part(name, b"x")] * 20_000, END])
    async with client.request() as request:
        content = await request.operations()
        assert await read(content["variables"]["files"][0]) == b"content"

    assert request.error is not None
    assert request.error.code == "TOO_MANY_FILES"
    assert client.sent == 1 + MAX_EXTRA_PARTS + 1


@pytest.mark.parametrize("length", range(1, 60))
async def test_body_cut_short_anywhere_in_its_last_bytes_is_noticed(length: int) -> None:
    whole = files(1) + part("0", b"content", filename="f") + END.removesuffix(b"\r\n")
    client = Client([whole[:-length]])
    codes = []
    async with client.request() as request:
        content = await request.operations()
        codes.append(await code_of(content["variables"]["files"][0]))

    assert request.error is not None
    assert request.error.code == "INVALID_MULTIPART"
    assert codes == [ErrorCode.UPLOAD_INTERRUPTED]


# Back-pressure


async def test_client_waits_while_nobody_reads() -> None:
    piece = b"x" * 65_536
    client = Client([files(1) + part("0", b"")[:-2], *[piece] * 100, b"\r\n" + END])
    async with client.request() as request:
        [upload] = (await request.operations())["variables"]["files"]
        await settle()

        assert upload.unread_bytes == FILE_QUEUE_BYTES
        assert client.sent == 1 + FILE_QUEUE_BYTES // len(piece)
        assert await read(upload) == piece * 100


async def test_client_waits_while_a_reader_does_something_else() -> None:
    piece = b"x" * 65_536
    client = Client([files(1) + part("0", b"")[:-2], *[piece] * 100, b"\r\n" + END])
    async with client.request() as request:
        [upload] = (await request.operations())["variables"]["files"]
        chunks = upload.chunks()
        for taken in range(1, 10):
            await anext(chunks)
            await settle()
            assert client.sent == 1 + FILE_QUEUE_BYTES // len(piece) + taken


async def test_files_that_wait_for_readers_together_have_a_limit() -> None:
    size = FILE_QUEUE_BYTES - 1
    client = Client([files(100), *[part(str(name), b"x" * size) for name in range(100)], END])
    async with client.request() as request:
        uploads = (await request.operations())["variables"]["files"]
        await settle()

        assert REQUEST_QUEUE_BYTES <= sum(upload.unread_bytes for upload in uploads) < REQUEST_QUEUE_BYTES + size
        assert {len(content) for content in await asyncio.gather(*map(read, uploads))} == {size}


async def test_slow_reader_is_waited_for_however_long_others_wait_behind_it() -> None:
    client = Client([files(2) + part("0", b"x" * MEBIBYTE) + part("1", b"y"), END])
    async with client.request() as request:
        first, second = (await request.operations())["variables"]["files"]
        waiting = asyncio.create_task(read(second))
        chunks = first.chunks()
        size = len(await anext(chunks))
        await asyncio.sleep(3 * LIMITS.claim_timeout_seconds)
        size += sum([len(chunk) async for chunk in chunks])

        assert size == MEBIBYTE
        assert await waiting == b"y"


async def test_user_that_does_not_read_yet_is_waited_for_however_long_others_wait_behind_it() -> None:
    client = Client([files(2) + part("0", b"x" * MEBIBYTE) + part("1", b"y"), END])
    async with client.request() as request:
        first, second = (await request.operations())["variables"]["files"]

        async def look_around_and_read() -> bytes:
            await asyncio.sleep(3 * LIMITS.claim_timeout_seconds)
            return await read(first)

        contents = await asyncio.gather(first.once(look_around_and_read), second.once(lambda: read(second)))

    assert list(contents) == [b"x" * MEBIBYTE, b"y"]


async def test_file_that_nobody_reads_is_waited_for_while_nobody_waits_behind_it() -> None:
    client = Client([files(2), part("0", b"x" * MEBIBYTE), part("1", b"y"), END])
    async with client.request() as request:
        first, second = (await request.operations())["variables"]["files"]
        await asyncio.sleep(3 * LIMITS.claim_timeout_seconds)

        assert await read(first) == b"x" * MEBIBYTE
        assert await read(second) == b"y"


async def test_file_that_is_read_too_late_fails_with_those_that_waited_behind_it() -> None:
    client = Client([files(3), part("0", b"x" * MEBIBYTE), part("1", b"y"), part("2", b"z"), END])
    async with client.request() as request:
        first, second, third = (await request.operations())["variables"]["files"]

        assert await code_of(second) is ErrorCode.UPLOAD_ORDER
        assert await code_of(first) is ErrorCode.UPLOAD_ORDER
        assert await read(third) == b"z"


# Endings


async def test_reader_fails_at_once_when_the_client_goes_away() -> None:
    client = Client([files(2) + part("0", b"whole") + part("1", b"x" * 1000)], goes_away=True)
    async with client.request() as request:
        whole, broken = (await request.operations())["variables"]["files"]
        await settle()

        with pytest.raises(UploadInterruptedError):
            await anext(broken.chunks())  # although there are bytes that could be given
        assert await read(whole) == b"whole"
    assert isinstance(request.error, ClientDisconnectedError)


async def test_reader_fails_when_the_client_sends_nothing_for_too_long() -> None:
    client = Client([files(3) + part("0", b"whole") + part("1", b"x" * 1000)[:-2]], stalls=True)
    async with client.request() as request:
        whole, broken, missing = (await request.operations())["variables"]["files"]
        content, *codes = await asyncio.gather(read(whole), code_of(broken), code_of(missing))

    assert content == b"whole"
    assert codes == [ErrorCode.UPLOAD_STALLED, ErrorCode.UPLOAD_STALLED]
    assert isinstance(request.error, RequestStalledError)


async def test_slow_reader_does_not_make_the_client_late() -> None:
    """While the queue is full, it is the gallery that waits for nothing."""
    piece = b"x" * 65_536
    client = Client([files(1) + part("0", b"")[:-2], *[piece] * 20, b"\r\n" + END])
    async with client.request() as request:
        [upload] = (await request.operations())["variables"]["files"]
        chunks = upload.chunks()
        size = len(await anext(chunks))
        await asyncio.sleep(3 * LIMITS.progress_timeout_seconds)
        size += sum([len(chunk) async for chunk in chunks])

    assert size == 20 * len(piece)
    assert request.error is None


async def test_client_that_stalls_before_the_operation_is_known_is_noticed() -> None:
    client = Client([operations()], stalls=True)
    async with client.request() as request:
        with pytest.raises(RequestStalledError):
            await request.operations()


async def test_reader_that_outlives_the_operation_fails() -> None:
    """A file that was not read to its end must not look like one that was."""
    client = Client([files(1) + part("0", b"x" * 1000), END])
    async with client.request() as request:
        [upload] = (await request.operations())["variables"]["files"]
        chunks = upload.chunks()
        await settle()
        assert upload.is_complete

    with pytest.raises(UploadInterruptedError):
        await anext(chunks)


async def test_cancelled_request_fails_its_readers_and_reads_no_further() -> None:
    client = Client([files(1) + part("0", b"x" * MEBIBYTE), *[b"y" * 1000] * 10], goes_away=True)
    uploads: list[IncomingUpload] = []

    async def serve() -> None:
        async with client.request() as request:
            uploads.extend((await request.operations())["variables"]["files"])
            await asyncio.get_running_loop().create_future()

    serving = asyncio.create_task(serve())
    await settle()
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving

    assert await code_of(uploads[0]) is ErrorCode.UPLOAD_INTERRUPTED
    assert client.sent == 1


async def test_rest_of_the_body_is_read_up_to_the_limit() -> None:
    piece = b"x" * 1000
    client = Client([files(1) + part("0", b""), *[piece] * 100], goes_away=True)
    async with client.request(LIMITS.model_copy(update={"drain_limit_bytes": 10_000})) as request:
        await request.operations()

    assert client.sent == 11
    assert request.error is None


async def test_file_can_be_read_once() -> None:
    client = Client([files(1) + part("0", b"x"), END])
    async with client.request() as request:
        [upload] = (await request.operations())["variables"]["files"]
        await read(upload)

        with pytest.raises(RuntimeError, match="once"):
            await read(upload)


async def test_all_users_of_a_file_share_the_first_ones_result() -> None:
    client = Client([files(1) + part("0", b"content"), END])
    async with client.request() as request:
        [upload] = (await request.operations())["variables"]["files"]
        results = await asyncio.gather(*(upload.once(lambda: read(upload)) for _ in range(3)))

    assert results == [b"content"] * 3


async def test_all_users_of_a_file_share_the_first_ones_error() -> None:
    upload = IncomingUpload(lambda: None)
    upload.fail(UploadInterruptedError())

    assert [await code_of_use(upload) for _ in range(2)] == [ErrorCode.UPLOAD_INTERRUPTED] * 2


async def code_of_use(upload: IncomingUpload) -> ErrorCode | None:
    try:
        await upload.once(lambda: read(upload))
    except GalleryError as error:
        return error.code
    return None


async def test_used_file_is_let_go_even_if_it_was_not_read() -> None:
    client = Client([files(2) + part("0", b"x" * MEBIBYTE) + part("1", b"y"), END])

    async def refuse() -> None:
        await asyncio.sleep(0)

    async with client.request() as request:
        first, second = (await request.operations())["variables"]["files"]
        await first.once(refuse)

        assert await read(second) == b"y"


# The body by itself


async def test_client_that_goes_away_before_the_operation_is_known_is_noticed() -> None:
    client = Client([operations()], goes_away=True)
    async with client.request() as request:
        with pytest.raises(ClientDisconnectedError):
            await request.operations()


async def test_body_that_waits_for_a_go_ahead_is_not_drained() -> None:
    async def receive() -> dict[str, Any]:
        pytest.fail("receiving would tell the client to send")

    body = RequestBody({"type": "http", "headers": [(b"expect", b"100-continue")]}, receive, LIMITS)
    await body.drain(1000)

    assert body.is_held_back


async def test_body_beyond_the_limit_is_refused_as_soon_as_it_is() -> None:
    client = Client([json.dumps("x" * 100).encode()] * 10)
    with pytest.raises(RequestError, match="larger than the limit of 150 bytes"):
        await client.body.read_all(150)

    assert client.sent == 2
