"""Whatever arrives, in whichever pieces: the server answers as uvicorn does, byte by byte, with fewer copies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from gallery.cli.http import Http
from gallery.cli.repetitions import MAX_BYTES, Repetitions
from gallery.web.again import MISSED, Sendable, take_offer_of_server

LARGE = bytes(range(256)) * 1024
"""More than uvicorn holds before it stops reading."""
TURNS = 10
"""Of the event loop: more than any application of these tests takes to come to rest."""


def request(method: str = "POST", body: bytes = b"", *headers: str, version: str = "1.1") -> bytes:
    lines = [f"{method} /{len(body)} HTTP/{version}", "Host: x", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def post(body: bytes, *headers: str, version: str = "1.1") -> bytes:
    return request("POST", body, f"Content-Length: {len(body)}", *headers, version=version)


def chunked(*pieces: bytes) -> bytes:
    framed = b"".join(f"{len(piece):x}\r\n".encode() + piece + b"\r\n" for piece in (*pieces, b""))
    return request("POST", framed, "Transfer-Encoding: chunked")


@dataclass
class Wire(asyncio.Transport):
    """The side of the client: what it got, and what it may send."""

    written: bytearray = field(default_factory=bytearray)
    closed: bool = False
    paused: bool = False
    pauses: int = 0
    peer: tuple[str, int] | None = None

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

    def __init__(self, app: Application, protocol: Callable[..., Any], wire: Wire | None = None) -> None:
        config = Config(app, http="httptools", ws="none", lifespan="off", log_config=None, access_log=False)
        config.load()
        self.app = app
        self.wire = wire or Wire()
        self.protocol = protocol(config, ServerState(), {}, asyncio.get_running_loop())
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


async def seen(protocol: Callable[..., Any], app: Application, pieces: Sequence[bytes]) -> tuple[bytes, bool, str, str]:
    """What a client and an application see; at the end the client goes away."""
    connection = Connection(app, protocol)
    await connection.send(*pieces)
    written, closed = bytes(connection.wire.written), connection.wire.closed
    connection.lose()
    await connection.settle()
    requests = [event for event in app.events if event != "http.request"]
    return written, closed, " ".join(requests), b"".join(app.pieces).hex()


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
    "other-protocol": post(b"a body", "Connection: Upgrade", "Upgrade: h2c") + post(b"second"),
    "wrong-length": request("POST", b"a body", "Content-Length: six"),
    "length-with-sign": request("POST", b"a body", "Content-Length: +6"),
    "spaces-around-length": request("POST", b"a body", "Content-Length:  6 ") + post(b"second"),
    "two-lengths": request("POST", b"a body", "Content-Length: 6", "Content-Length: 2"),
    "length-and-chunked": request("POST", b"0\r\n\r\n", "Content-Length: 5", "Transfer-Encoding: chunked"),
}


@pytest.mark.parametrize("name", CONVERSATIONS)
@pytest.mark.parametrize(
    "app",
    [
        pytest.param(Application, id="reads"),
        pytest.param(lambda: Application(reads=False), id="answers-at-once"),
        pytest.param(lambda: Application(answers=False), id="fails-after-reading"),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
async def test_wherever_a_conversation_is_cut_the_answers_are_those_of_uvicorn(
    name: str, app: Callable[[], Application]
) -> None:
    conversation = CONVERSATIONS[name]
    for cut in range(len(conversation)):
        pieces = conversation[:cut], conversation[cut:]
        assert await seen(Http, app(), pieces) == await seen(HttpToolsProtocol, app(), pieces), cut


@pytest.mark.parametrize("name", CONVERSATIONS)
async def test_byte_by_byte_the_answers_are_those_of_uvicorn(name: str) -> None:
    pieces = [bytes([byte]) for byte in CONVERSATIONS[name]]
    assert await seen(Http, Application(), pieces) == await seen(HttpToolsProtocol, Application(), pieces)


HEAD_BYTES = len(post(LARGE)) - len(LARGE)


@pytest.mark.parametrize("after_head", [-1, 0, 1, 65_536, 65_537, len(LARGE) - 65_537, len(LARGE) - 1, len(LARGE)])
async def test_a_large_body_is_followed_by_the_next_request_wherever_it_is_cut(after_head: int) -> None:
    conversation = post(LARGE) + post(b"second")
    cut = HEAD_BYTES + after_head
    pieces = conversation[:cut], conversation[cut:]
    assert await seen(Http, Application(), pieces) == await seen(HttpToolsProtocol, Application(), pieces)


async def test_large_pieces_of_a_body_reach_the_application_as_they_came() -> None:
    app = Application()
    head = f"POST / HTTP/1.1\r\nContent-Length: {2 * len(LARGE) + 5}\r\n\r\n".encode()
    await Connection(app, Http).send(head, LARGE, LARGE, b"small")
    assert [len(piece) for piece in app.pieces] == [len(LARGE), len(LARGE), 5]


async def test_nothing_is_read_while_the_application_has_not_taken_a_large_piece() -> None:
    app = Application(reads=False, answers=False)
    connection = Connection(app, Http)
    head = f"POST / HTTP/1.1\r\nContent-Length: {2 * len(LARGE)}\r\n\r\n".encode()
    await connection.send(head[:-2])
    connection.protocol.get_buffer(-1)[:2] = b"\r\n"
    connection.protocol.buffer_updated(2)
    connection.protocol.get_buffer(-1)[: len(LARGE)] = LARGE
    connection.protocol.buffer_updated(len(LARGE))
    assert connection.wire.paused
    assert connection.wire.pauses == 1


async def test_a_client_that_goes_away_in_the_middle_of_a_body_is_missed() -> None:
    app = Application()
    connection = Connection(app, Http)
    head = f"POST / HTTP/1.1\r\nContent-Length: {2 * len(LARGE)}\r\n\r\n".encode()
    await connection.send(head, LARGE)
    connection.lose()
    await connection.settle()
    assert app.events == ["POST /", "http.request", "http.disconnect"]
    assert not connection.wire.written


async def test_an_application_that_waits_for_a_go_ahead_gives_it() -> None:
    connection = Connection(Application(), Http)
    head = f"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: {len(LARGE)}\r\n\r\n".encode()
    await connection.send(head)
    assert connection.wire.written == b"HTTP/1.1 100 Continue\r\n\r\n"
    await connection.send(LARGE)
    assert connection.wire.written.endswith(LARGE)


async def test_connections_do_not_see_what_others_sent() -> None:
    first, second = Connection(Application(), Http), Connection(Application(), Http)
    head = f"POST / HTTP/1.1\r\nContent-Length: {2 * len(LARGE)}\r\n\r\n".encode()
    await first.send(head, LARGE)
    await second.send(head, bytes(len(LARGE)), bytes(len(LARGE)))
    await first.send(LARGE)
    assert first.wire.written.endswith(LARGE + LARGE)
    assert second.wire.written.endswith(bytes(2 * len(LARGE)))


@dataclass
class Again:
    """Answers as an application did, as long as that remembers it."""

    app: Repeating
    answer: Sendable

    @property
    def is_far(self) -> bool:
        return self.app.may_answer is not None

    def now(self) -> Sendable | None:
        return self.answer if self.app.remembers else None

    async def later(self) -> Sendable | None:
        assert self.app.may_answer is not None
        await self.app.may_answer.wait()
        return self.now()


@dataclass
class Repeating(Application):
    """Offers to answer the same bytes again, as it did the first time."""

    remembers: bool = True
    may_answer: asyncio.Event | None = None
    """For answers that are farther away: whether they have come."""
    missed: list[object] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.missed.append(scope.get(MISSED))
        offer = take_offer_of_server(scope)
        before = len(self.pieces)
        await super().__call__(scope, receive, send)
        if offer is not None and scope["method"] != "HEAD":
            body = b"".join(self.pieces[before:])
            offer(Again(self, Sendable(200, b"content-length: %d\r\n" % len(body), body)))


@pytest.mark.parametrize("name", CONVERSATIONS)
@pytest.mark.parametrize("is_far", [False, True], ids=["now", "later"])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
async def test_what_is_answered_again_is_what_uvicorn_sends(name: str, is_far: bool) -> None:
    may_answer = asyncio.Event() if is_far else None
    if may_answer is not None:
        may_answer.set()
    conversation = CONVERSATIONS[name]
    repeating = partial(Http, repetitions=Repetitions())
    for cut in (0, *range(len(conversation)), 0):
        pieces = conversation[:cut], conversation[cut:]
        written, closed, *_ = await seen(repeating, Repeating(may_answer=may_answer), pieces)
        assert [written, closed] == list(await seen(HttpToolsProtocol, Application(), pieces))[:2], cut


async def test_a_request_in_one_piece_is_answered_again_without_the_application() -> None:
    app = Repeating()
    connection = Connection(app, Http)
    await connection.send(post(b"first"), post(b"second"), post(b"first"), post(b"second"))

    assert app.events.count("POST /5") == 1
    assert app.events.count("POST /6") == 1
    assert bytes(connection.wire.written).count(b"\r\n\r\nfirst") == 2
    assert connection.protocol._requests.server_state.total_requests == 4  # uvicorn's count


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([post(b"body")[:-1], b"y"], id="in-pieces"),
        pytest.param([post(b"first") + post(b"body")], id="two-at-once"),
        pytest.param([post(b"x" * MAX_BYTES)], id="long"),
        pytest.param([post(b"body", "Connection: close")], id="last"),
    ],
)
async def test_other_requests_always_go_to_the_application(pieces: list[bytes]) -> None:
    repeating, app = partial(Http, repetitions=Repetitions()), Repeating()
    for _ in range(2):
        await Connection(app, repeating).send(*pieces)
    alone = Repeating()
    await Connection(alone, Http).send(*pieces)
    assert app.events == 2 * alone.events


async def test_what_is_not_known_any_more_goes_to_the_application_which_is_told() -> None:
    app = Repeating()
    connection = Connection(app, Http)
    await connection.send(post(b"body"))
    app.remembers = False
    await connection.send(post(b"body"), post(b"body"))
    assert app.missed == [False, True, True]
    assert bytes(connection.wire.written).count(b"\r\n\r\nbody") == 3


async def test_nothing_is_answered_again_before_the_answer_at_hand() -> None:
    app = Repeating()
    connection = Connection(app, Http)
    await connection.send(post(b"body"))
    memory = connection.protocol.get_buffer(-1)
    for body in (b"other", b"body"):
        memory[: len(post(body))] = post(body)
        connection.protocol.buffer_updated(len(post(body)))
    await connection.settle()
    assert bytes(connection.wire.written).endswith(b"other" + post_answer(b"body"))


async def far_away() -> tuple[Connection, Repeating, asyncio.Event]:
    """A connection that waits for an answer that is known to be farther away."""
    app = Repeating(may_answer=asyncio.Event())
    assert app.may_answer is not None
    connection = Connection(app, Http)
    await connection.send(post(b"body"))
    connection.wire.written.clear()
    await connection.send(post(b"body"))
    assert not connection.wire.written
    return connection, app, app.may_answer


async def test_what_comes_while_an_answer_is_waited_for_is_answered_after_it() -> None:
    connection, app, may_answer = await far_away()
    await connection.send(post(b"second") + post(b"third"))
    assert "POST /6" not in app.events
    may_answer.set()
    await connection.settle()
    assert bytes(connection.wire.written) == b"".join(map(post_answer, (b"body", b"second", b"third")))


async def test_reading_stops_if_too_much_comes_meanwhile() -> None:
    connection, _, may_answer = await far_away()
    await connection.send(post(LARGE))
    assert connection.wire.paused
    may_answer.set()
    await connection.settle()
    assert not connection.wire.paused
    assert bytes(connection.wire.written) == post_answer(b"body") + post_answer(LARGE)


@pytest.mark.parametrize("remembers", [True, False])
async def test_a_server_that_stops_still_gives_the_answer(remembers: bool) -> None:  # by its name
    connection, app, may_answer = await far_away()
    app.remembers = remembers
    connection.protocol._requests.shutdown()  # as uvicorn does
    assert not connection.wire.closed
    may_answer.set()
    await connection.settle()
    assert bytes(connection.wire.written).endswith(b"\r\n\r\nbody")
    assert connection.wire.closed


async def test_a_server_that_does_not_wait_any_longer_hangs_up() -> None:
    connection, app, _ = await far_away()
    [waiting] = connection.protocol._requests.tasks  # as uvicorn does
    waiting.cancel()
    await connection.settle()
    assert connection.wire.closed
    assert not connection.wire.written
    assert app.events.count("POST /4") == 1


async def test_nothing_is_sent_to_a_client_that_has_gone_meanwhile() -> None:
    connection, app, may_answer = await far_away()
    connection.lose()
    may_answer.set()
    await connection.settle()
    assert not connection.wire.written
    assert app.events.count("POST /4") == 1


async def test_clients_of_another_address_are_not_believed_the_same() -> None:
    repeating, app = partial(Http, repetitions=Repetitions()), Repeating()
    for address in ("10.0.0.1", "10.0.0.2", "10.0.0.1"):
        connection = Connection(app, repeating, Wire(peer=(address, 1)))
        await connection.send(post(b"body"))
        assert bytes(connection.wire.written) == post_answer(b"body")
    assert app.events.count("POST /4") == 2


def test_the_oldest_request_is_forgotten_first() -> None:
    repetitions = Repetitions(max_remembered=2)
    for name in (b"a", b"b", b"c"):
        repetitions.keep((None, name), Again(Repeating(), Sendable(200, b"", b"")))
    assert [repetitions.find((None, name)) is None for name in (b"a", b"b", b"c")] == [True, False, False]


def post_answer(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
