"""Requests whose very bytes came before: what is answered again, and what goes to the application."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import partial

import pytest
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gallery.cli.http import Http
from gallery.cli.repetitions import MAX_BYTES, Repetitions
from gallery.web.again import MISSED, Sendable, take_offer_of_server
from tests.http_wire import CONVERSATIONS, LARGE, Application, Connection, Wire, post, seen


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
        connection = Connection(app, repeating, wire=Wire(peer=(address, 1)))
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
