"""The body of a request by itself: its sizes, and clients that send nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from gallery.settings import UploadSettings
from gallery.web.body import RequestBody, RequestStalledError, RequestTooLargeError
from gallery.web.errors import RequestCode

LIMITS = UploadSettings(max_file_size=1, max_request_size=10, progress_timeout_seconds=0.05)


class Client:
    """Sends a body in pieces, each when it is asked for. Without an end, nothing comes after the last, ever."""

    def __init__(self, pieces: Sequence[bytes], *, stalls: bool = False, headers: dict[str, str] | None = None) -> None:
        self._pieces = list(pieces)
        self._stalls = stalls
        self.asked = 0
        fields = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
        self.body = RequestBody({"type": "http", "headers": fields}, self._receive, LIMITS)

    async def _receive(self) -> dict[str, Any]:
        self.asked += 1
        if self.asked > len(self._pieces):
            await asyncio.get_running_loop().create_future()
        more = self._stalls or self.asked < len(self._pieces)
        return {"type": "http.request", "body": self._pieces[self.asked - 1], "more_body": more}


async def read_to_end(body: RequestBody) -> bytes:
    content = b""
    while chunk := await body.read():
        content += chunk
    return content


@pytest.mark.parametrize("pieces", [[b"1234567890"], [b"12345", b"67890"], [b"12345", b"", b"67890", b""]])
async def test_body_of_the_largest_size_is_read(pieces: list[bytes]) -> None:
    assert await read_to_end(Client(pieces).body) == b"1234567890"


@pytest.mark.parametrize(("pieces", "asked"), [([b"12345678901", b"2"], 1), ([b"12345", b"67890", b"1", b"2"], 3)])
async def test_body_one_byte_larger_is_refused_as_soon_as_it_is(pieces: list[bytes], asked: int) -> None:
    client = Client(pieces)
    with pytest.raises(RequestTooLargeError) as refusal:
        await read_to_end(client.body)

    assert (refusal.value.code, refusal.value.status) == (RequestCode.REQUEST_TOO_LARGE, 413)
    assert refusal.value.message == "The request is larger than the limit of 10 bytes."
    assert client.asked == asked


@pytest.mark.parametrize(
    ("pieces", "reads"),
    [
        pytest.param([b"1234567890123"], 1, id="in-one"),
        pytest.param([b"12345678", b"90123"], 2, id="cut-before-the-limit"),
        pytest.param([b"1234567890", b"123"], 1, id="cut-at-the-limit"),
    ],
)
async def test_what_is_within_the_limit_is_read_in_whichever_pieces_it_comes(pieces: list[bytes], reads: int) -> None:
    client = Client(pieces)
    allowed = [await client.body.read() for _ in range(reads)]
    with pytest.raises(RequestTooLargeError):
        await client.body.read()

    assert b"".join(allowed) == b"1234567890"


@pytest.mark.parametrize("length", ["10", "0", "", "ten", "-11", "9" * 19])
async def test_length_that_is_within_the_limit_or_none_passes(length: str) -> None:
    Client([], headers={"Content-Length": length}).body.check_announced_size()


async def test_announced_length_beyond_the_limit_is_refused_before_anything_is_read() -> None:
    client = Client([b"x"], headers={"Content-Length": "11"})
    with pytest.raises(RequestTooLargeError):
        client.body.check_announced_size()

    assert client.asked == 0


async def test_body_that_is_refused_for_its_size_can_still_be_drained() -> None:
    client = Client([b"12345678901", b"2", b"3"])
    with pytest.raises(RequestTooLargeError):
        await read_to_end(client.body)
    await client.body.drain(100)

    assert client.body.is_complete
    assert client.asked == 3


@pytest.mark.parametrize("pieces", [[], [b"12345"], [b"", b""]])
async def test_client_that_sends_nothing_has_stalled(pieces: list[bytes]) -> None:
    client = Client(pieces, stalls=True)
    with pytest.raises(RequestStalledError) as refusal:
        await read_to_end(client.body)

    assert (refusal.value.code, refusal.value.status) == (RequestCode.REQUEST_STALLED, 408)
    assert refusal.value.message == "Nothing of the request arrived for 0.05 seconds. Send it again."
    assert client.body.has_stalled


async def test_client_that_has_stalled_is_not_waited_for_again() -> None:
    client = Client([b"12345"], stalls=True)
    with pytest.raises(RequestStalledError):
        await client.body.read_all(100)
    asked = client.asked
    await client.body.drain(100)

    assert client.asked == asked


async def test_draining_ends_when_nothing_comes() -> None:
    client = Client([b"12345"], stalls=True)
    await client.body.drain(100)

    assert client.body.has_stalled
    assert client.body.received_bytes == 5


async def test_time_in_which_nobody_asks_does_not_count() -> None:
    client = Client([b"12345", b"67890"])
    first = await client.body.read()
    await asyncio.sleep(3 * LIMITS.progress_timeout_seconds)

    assert first + await read_to_end(client.body) == b"1234567890"
    assert not client.body.has_stalled
