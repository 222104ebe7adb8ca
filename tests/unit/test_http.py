"""Whatever arrives, in whichever pieces: the server answers as uvicorn does, byte by byte, with fewer copies."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gallery.cli.http import Http
from tests.http_wire import CONVERSATIONS, LARGE, Application, Connection, post, seen


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
