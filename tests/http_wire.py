"""A connection without a network: what a client sends in which pieces, what it gets, and an application behind it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from starlette.types import Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.server import ServerState

TURNS = 10
"""Of the event loop: more than any application of these tests takes to come to rest."""


def request(method: str = "POST", body: bytes = b"", *headers: str, version: str = "1.1") -> bytes:
    lines = [f"{method} /{len(body)} HTTP/{version}", "Host: x", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def post(body: bytes, *headers: str, version: str = "1.1") -> bytes:
    return request("POST", body, f"Content-Length: {len(body)}", *headers, version=version)


def chunked(*pieces: bytes, headers: Sequence[str] = ()) -> bytes:
    framed = b"".join(f"{len(piece):x}\r\n".encode() + piece + b"\r\n" for piece in (*pieces, b""))
    return request("POST", framed, "Transfer-Encoding: chunked", *headers)


@dataclass
class Wire(asyncio.Transport):
    """The side of the client: what it got, and what it may send."""

    written: bytearray = field(default_factory=bytearray)
    closed: bool = False
    paused: bool = False
    pauses: int = 0
    peer: tuple[str, int] | None = None
    buffered: int = 0
    aborted: bool = False

    def get_write_buffer_size(self) -> int:
        return self.buffered

    def abort(self) -> None:
        self.closed = self.aborted = True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def get_extra_info(self, name: str, default: object = None) -> object:
        return self.peer if name == "peername" and self.peer else default

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def pause_reading(self) -> None:
        self.paused = True
        self.pauses += 1

    def resume_reading(self) -> None:
        self.paused = False


@dataclass
class Application:
    """Reads bodies, and answers with them; or answers before it reads, or only reads."""

    reads: bool = True
    answers: bool = True
    pieces: list[bytes] = field(default_factory=list)
    events: list[str] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.events.append(f"{scope['method']} {scope['path']}")
        body = b""
        while self.reads:
            message = await receive()
            self.events.append(message["type"])
            if message["type"] == "http.disconnect":
                return
            self.pieces.append(message["body"])
            body += message["body"]
            if not message["more_body"]:
                break
        if self.answers:
            length = (b"content-length", str(len(body)).encode())
            await send({"type": "http.response.start", "status": 200, "headers": [length]})
            await send({"type": "http.response.body", "body": body})


class Connection:
    """A connection to an application, by the gallery's protocol or by uvicorn's own."""

    def __init__(
        self,
        app: Application,
        protocol: Callable[..., Any],
        sockets: type[asyncio.Protocol] | Literal["none"] = "none",
        wire: Wire | None = None,
        state: ServerState | None = None,
    ) -> None:
        config = Config(app, http="httptools", ws=sockets, lifespan="off", log_config=None, access_log=False)
        config.load()
        self.app = app
        self.wire = wire or Wire()
        self.protocol = protocol(config, state or ServerState(), {}, asyncio.get_running_loop())
        self.protocol.connection_made(self.wire)

    async def send(self, *pieces: bytes) -> None:
        """Sends each piece when the last one has had its effect, as far as the server reads."""
        for piece in filter(None, pieces):
            if self.wire.closed or self.wire.paused:
                return
            if isinstance(self.protocol, asyncio.BufferedProtocol):
                memory = memoryview(self.protocol.get_buffer(-1))
                memory[: len(piece)] = piece
                self.protocol.buffer_updated(len(piece))
            else:
                self.protocol.data_received(piece)
            await self.settle()

    async def settle(self) -> None:
        for _ in range(TURNS):
            await asyncio.sleep(0)

    def lose(self) -> None:
        self.wire.closed = True
        self.protocol.connection_lost(None)


REFUSED = re.compile(rb"HTTP/1.1 400 Bad Request.*\Z", re.DOTALL)
"""What is no HTTP is refused in words of the gallery's own, as the last thing that it says."""


async def seen(protocol: Callable[..., Any], app: Application, pieces: Sequence[bytes]) -> tuple[bytes, bool, str, str]:
    """What a client and an application see; at the end the client goes away."""
    connection = Connection(app, protocol)
    await connection.send(*pieces)
    written, closed = REFUSED.sub(b"HTTP/1.1 400", connection.wire.written), connection.wire.closed
    connection.lose()
    await connection.settle()
    requests = [event for event in app.events if event != "http.request"]
    return written, closed, " ".join(requests), b"".join(app.pieces).hex()


LARGE = bytes(range(256)) * 1024
"""More than uvicorn holds before it stops reading."""

CONVERSATIONS = {
    "a-body": post(b"a body"),
    "two-bodies": post(b"first") + post(b"the second"),
    "body-then-get": post(b"first") + request("GET"),
    "get-then-body": request("GET") + post(b"second"),
    "no-bytes": post(b"") + post(b"second"),
    "get-with-body": request("GET", b"body", "Content-Length: 4") + post(b"second"),
    "head-with-body": request("HEAD", b"body", "Content-Length: 4") + post(b"second"),
    "chunked": chunked(b"first", b"second") + post(b"third"),
    "length-then-chunked": post(b"first") + chunked(b"second"),
    "garbage-behind": post(b"a body") + b"gar\x00bage\r\n\r\n",
    "closed": post(b"a body", "Connection: close") + post(b"second"),
    "closed-then-garbage": post(b"a body", "Connection: close") + b"gar\x00bage\r\n\r\n",
    "old-version": post(b"a body", version="1.0") + post(b"second"),
    "go-ahead": post(b"a body", "Expect: 100-continue") + post(b"second"),
    "other-protocol-chunked": chunked(b"first", headers=("Connection: Upgrade", "Upgrade: h2c")) + post(b"second"),
    "other-protocol": post(b"a body", "Connection: Upgrade", "Upgrade: h2c") + post(b"second"),
    "wrong-length": request("POST", b"a body", "Content-Length: six"),
    "length-with-sign": request("POST", b"a body", "Content-Length: +6"),
    "spaces-around-length": request("POST", b"a body", "Content-Length:  6 ") + post(b"second"),
    "two-lengths": request("POST", b"a body", "Content-Length: 6", "Content-Length: 2"),
    "length-and-chunked": request("POST", b"0\r\n\r\n", "Content-Length: 5", "Transfer-Encoding: chunked"),
}
