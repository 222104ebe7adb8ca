"""Load on an HTTP server: connections that are kept open, each asking again once it has its answer.

Every answer is compared, byte for byte, with the one that is expected: a server that is fast because it answers
something else is found out.
"""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass
from typing import cast

HOST = "127.0.0.1"
NAMED_HOST = "localhost"
"""The Host header: the same for all servers, since addresses in their answers are made of it."""
PATIENCE_SECONDS = 60

_LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)


class WrongAnswerError(Exception):
    """A server answered something else than it should."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How long each answer took, and all of them: `seconds` is from the first request to the last answer."""

    latencies_seconds: tuple[float, ...]
    seconds: float


def post_request(content: bytes, content_type: str = "application/json", path: str = "/graphql") -> bytes:
    """A whole request, as it goes over the wire."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {NAMED_HOST}\r\nAccept: application/json\r\n"
        f"Content-Type: {content_type}\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


async def ask(port: int, request: bytes) -> bytes:
    """The body of the answer to one request.

    Raises:
        WrongAnswerError: if its status is not 200.
    """
    connection = await _connect(port, request)
    try:
        return await connection.first_body()
    finally:
        connection.close()


async def load(port: int, request: bytes, *, expected: bytes, connections: int, seconds: float) -> Load:
    """Asks on all connections for so long; requests under way at the end are waited for.

    Raises:
        WrongAnswerError: if an answer is not 200 with the expected body.
    """
    opened = [await _connect(port, request, expected) for _ in range(connections)]
    try:
        began = time.perf_counter()
        for connection in opened:
            connection.start(until=began + seconds)
        async with asyncio.timeout(seconds + PATIENCE_SECONDS):
            await asyncio.gather(*(connection.done for connection in opened))
        elapsed = time.perf_counter() - began
    finally:
        for connection in opened:
            connection.close()
    latencies = tuple(latency for connection in opened for latency in connection.latencies)
    return Load(latencies_seconds=latencies, seconds=elapsed)


class _Connection(asyncio.Protocol):
    """Sends the request, reads the answer, and does so again until its time is over. Never two at a time."""

    def __init__(self, request: bytes, expected: bytes | None) -> None:
        self._request = request
        self._expected = expected
        self._received = bytearray()
        self._body_at = 0
        self._end = 0
        self._until = 0.0
        self._asked = 0.0
        self.latencies: list[float] = []
        self.body = b""
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by its class

    def start(self, until: float) -> None:
        """Sends the first request; none is sent after `until`."""
        self._until = until
        self._ask()

    async def first_body(self) -> bytes:
        """Asks once."""
        self.start(until=0)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self.done
        return self.body

    def close(self) -> None:
        self.done.cancel()
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._end:
            self._read_head()
        if self._end and len(self._received) >= self._end:
            self._finish()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(WrongAnswerError(f"the server closed the connection ({exc})"))

    def _ask(self) -> None:
        self._received.clear()
        self._end = 0
        self._asked = time.perf_counter()
        self._transport.write(self._request)

    def _read_head(self) -> None:
        head_end = self._received.find(b"\r\n\r\n")
        if head_end < 0:
            return
        length = _LENGTH.search(self._received, 0, head_end)
        if length is None:
            self._fail("has no Content-Length")
            return
        self._body_at = head_end + 4
        self._end = self._body_at + int(length[1])

    def _finish(self) -> None:
        now = time.perf_counter()
        self.latencies.append(now - self._asked)
        self.body = bytes(self._received[self._body_at : self._end])
        if not self._received.startswith(b"HTTP/1.1 200 ") or len(self._received) > self._end:
            self._fail("is not 200, or goes on after its end")
        elif self._expected is not None and self.body != self._expected:
            self._fail("is not the one expected")
        elif now < self._until:
            self._ask()
        elif not self.done.done():
            self.done.set_result(None)

    def _fail(self, why: str) -> None:
        if not self.done.done():
            self.done.set_exception(WrongAnswerError(f"an answer {why}: {bytes(self._received[:300])!r}"))
        self._transport.close()


async def _connect(port: int, request: bytes, expected: bytes | None = None) -> _Connection:
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(lambda: _Connection(request, expected), HOST, port)
    return connection
