"""A TCP proxy on loopback that breaks connections as a test tells it to.

async with FaultProxy.to(url) as proxy:
    proxy.url_of(url)                     # the same service, by way of the proxy
    proxy.latency_seconds = 0.2           # every piece of data waits, either way
    proxy.black_hole = True               # takes everything, passes nothing on
    proxy.resets = True                   # new connections are reset
    proxy.cut(to_server_bytes=1_000_000)  # connections are reset after so many bytes, from now on
    proxy.lose_request(b"COMMIT")         # the connection is reset before these bytes arrive, once
    proxy.lose_answer(b"COMMIT")          # they arrive, and the connection is reset instead of an answer, once
    await proxy.refuse()                  # nobody listens, and open connections are reset
    await proxy.heal()                    # no faults any more
"""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, parse_qsl, unquote, urlencode, urlsplit

_CHUNK_BYTES = 64 * 1024
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)

Target = tuple[str, int] | str
"""Host and port, or the path of a Unix socket."""


class FaultProxy:
    """One listener in front of one server. `faults` counts the connections that it broke.

    `to_server_bytes` is how much it has passed on to the server, and may be set to 0.
    """

    def __init__(self, target: Target) -> None:
        self.latency_seconds = 0.0
        self.black_hole = False
        self.resets = False
        self.faults = 0
        self.to_server_bytes = 0
        self.port = 0
        self.to_server_limit: int | None = None
        self.to_client_limit: int | None = None
        self.script: _Loss | None = None
        self._target = target
        self._server: asyncio.Server | None = None
        self._links: set[_Link] = set()

    @classmethod
    def to(cls, url: str) -> Self:
        """A proxy in front of the server that a URL of HTTP, PostgreSQL or Valkey names."""
        return cls(_target(url))

    async def __aenter__(self) -> Self:
        await self._listen()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stop()

    @property
    def address(self) -> str:
        """Host and port to connect to."""
        return f"127.0.0.1:{self.port}"

    def url_of(self, url: str) -> str:
        """The URL, with this proxy in the place of its server."""
        parts = urlsplit(url)
        user, at, _ = parts.netloc.rpartition("@")
        query = urlencode([(name, value) for name, value in parse_qsl(parts.query) if name != "host"])
        proxied = parts._replace(netloc=f"{user}{at}{self.address}", query=query)
        return (proxied._replace(scheme="redis", path="") if parts.scheme == "unix" else proxied).geturl()

    def cut(self, *, to_server_bytes: int | None = None, to_client_bytes: int | None = None) -> None:
        """Resets every connection over which more than that passes from now on."""
        for link in self._links:
            link.passed = [0, 0]
        self.to_server_limit, self.to_client_limit = to_server_bytes, to_client_bytes

    def lose_request(self, *contents: bytes, then_resets: bool = False) -> None:
        """Resets the first connection over which all of these went to the server, in order, before the last arrives.

        `then_resets` is as if the server were gone from then on.
        """
        self.script = _Loss(contents=contents, arrives=False, then_resets=then_resets)

    def lose_answer(self, *contents: bytes, then_resets: bool = False) -> None:
        """As `lose_request`, once the server has answered the last."""
        self.script = _Loss(contents=contents, arrives=True, then_resets=then_resets)

    async def refuse(self) -> None:
        """Listens no more, and resets what is open."""
        await self._stop()

    def reset_all(self) -> None:
        """Resets what is open."""
        for link in list(self._links):
            link.reset()

    async def heal(self) -> None:
        """Passes everything on from now on."""
        self.latency_seconds = 0.0
        self.black_hole = self.resets = False
        self.script = None
        self.cut()
        if self._server is None:
            await self._listen()

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to the server itself."""
        if isinstance(self._target, str):
            return await asyncio.open_unix_connection(self._target)
        return await asyncio.open_connection(*self._target)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self.reset_all()
            await self._server.wait_closed()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = _Link(self, writer)
        if self.resets:
            link.break_off()
            return
        self._links.add(link)
        try:
            await link.run(reader)
        finally:
            self._links.discard(link)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loss:
    contents: tuple[bytes, ...]
    arrives: bool
    then_resets: bool


class _Link:
    """A connection from a client, and the one to the server that belongs to it."""

    def __init__(self, proxy: FaultProxy, client: asyncio.StreamWriter) -> None:
        self.passed = [0, 0]
        self._proxy = proxy
        self._writers = [client]
        self._seen = b""
        self._answer_lost: _Loss | None = None

    async def run(self, from_client: asyncio.StreamReader) -> None:
        """Passes bytes on until either side has ended."""
        with suppress(OSError):
            from_server, server = await self._proxy.connect()
            self._writers.append(server)
            directions = [
                asyncio.create_task(self._pass_on(from_client, server, to_server=True)),
                asyncio.create_task(self._pass_on(from_server, self._writers[0], to_server=False)),
            ]
            await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
            for direction in directions:
                direction.cancel()
            await asyncio.gather(*directions, return_exceptions=True)
        for writer in self._writers:
            writer.close()

    def reset(self) -> None:
        """Ends both connections at once, without a goodbye (RST)."""
        for writer in self._writers:
            raw = writer.get_extra_info("socket")
            with suppress(OSError):
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            writer.transport.abort()

    def break_off(self) -> None:
        """Resets, as a fault that was asked for."""
        self._proxy.faults += 1
        self.reset()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, to_server: bool) -> None:
        with suppress(OSError):
            while data := await reader.read(_CHUNK_BYTES):
                await asyncio.sleep(self._proxy.latency_seconds)
                if self._proxy.black_hole:
                    continue
                if self._breaks(data, to_server=to_server):
                    self.break_off()
                    return
                if to_server:
                    self._proxy.to_server_bytes += len(data)
                writer.write(data)
                await writer.drain()

    def _breaks(self, data: bytes, *, to_server: bool) -> bool:
        """Whether the connection ends instead of passing this on."""
        self.passed[to_server] += len(data)
        limit = self._proxy.to_server_limit if to_server else self._proxy.to_client_limit
        if limit is not None and self.passed[to_server] > limit:
            return True
        if to_server:
            return self._request_is_lost(data)
        if self._answer_lost is None:
            return False
        self._proxy.resets = self._answer_lost.then_resets
        return True

    def _request_is_lost(self, data: bytes) -> bool:
        script = self._proxy.script
        if script is None:
            return False
        self._seen += data
        if not _in_order(script.contents, self._seen):
            return False
        self._proxy.script = None
        if script.arrives:
            self._answer_lost = script
            return False
        self._proxy.resets = script.then_resets
        return True


def _in_order(contents: tuple[bytes, ...], seen: bytes) -> bool:
    start = 0
    for content in contents:
        start = seen.find(content, start) + 1
        if not start:
            return False
    return True


def _target(url: str) -> Target:
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return unquote(parts.path)
    scheme = parts.scheme.partition("+")[0]
    port = parts.port or {"postgresql": 5432, "redis": 6379, "http": 80}[scheme]
    folder = parse_qs(parts.query).get("host")
    return f"{folder[0]}/.s.PGSQL.{port}" if folder else (parts.hostname or "127.0.0.1", port)
