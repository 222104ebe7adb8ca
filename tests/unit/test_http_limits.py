"""What a client can make the server hold is bounded: requests sent ahead, heads without an end."""

from __future__ import annotations

import asyncio
import gc
import json
import re
from collections.abc import Iterator

import pytest
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from gallery.cli.http import Http
from tests.http_wire import Application, Connection, Wire, chunked, post, request

GET = request("GET")
KIB = 1024
READ_BYTES = KIB * KIB
PIPELINED_MAX = 16
PER_PIECE = KIB // len(GET) + 1
"""How many requests the parser may find in what it gets at once."""
OK = b"HTTP/1.1 200 OK\r\n"


class Patient(Application):
    """Answers when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.go_on.wait()
        await super().__call__(scope, receive, send)


def cycles() -> int:
    return sum(isinstance(known, RequestResponseCycle) for known in gc.get_objects())


@pytest.fixture(autouse=True)
def no_cycles_of_others() -> None:
    gc.collect()


async def settled(connection: Connection, answers: int) -> None:
    """Waits until so many requests were answered, or the connection has come to rest without."""
    last = -1
    while (now := connection.wire.written.count(OK)) < answers and now > last:
        last = now
        await connection.settle()


def refusal_in(wire: Wire) -> tuple[bytes, str]:
    """The status line of the last answer, and its code."""
    written = bytes(wire.written)
    head, _, body = written[written.rindex(b"HTTP/1.1 ") :].partition(b"\r\n\r\n")
    fields = dict(line.split(b": ") for line in head.split(b"\r\n")[1:])
    error = json.loads(body)["errors"][0]["extensions"]
    assert fields[b"connection"] == b"close"
    assert fields[b"cache-control"] == b"no-store"
    assert fields[b"x-content-type-options"] == b"nosniff"
    assert fields[b"x-request-id"].decode() == error["requestId"]
    assert int(fields[b"content-length"]) == len(body)
    return head.split(b"\r\n")[0], error["code"]


TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large", "HEADERS_TOO_LARGE"
BAD_REQUEST = b"HTTP/1.1 400 Bad Request", "BAD_REQUEST"


# Requests that are sent ahead


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(GET, id="headers-alone"),
        pytest.param(post(b"a body"), id="a-body"),
        pytest.param(chunked(b"a", b"body"), id="chunked"),
    ],
)
async def test_few_of_the_requests_that_come_at_once_are_parsed_before_the_first_is_answered(first: bytes) -> None:
    app = Patient()
    connection = Connection(app, Http)
    before = cycles()
    await connection.send((first + GET * (READ_BYTES // len(GET)))[:READ_BYTES])
    assert PIPELINED_MAX < cycles() - before <= PIPELINED_MAX + 4 * PER_PIECE
    assert connection.wire.paused
    connection.lose()


async def test_the_application_that_asks_for_a_body_does_not_have_more_requests_read() -> None:
    connection = Connection(Application(answers=False), Http)
    await connection.send(post(b"a body")[:-1])
    await connection.send(b"y" + GET * 100)
    assert connection.wire.paused
    assert connection.app.events == ["POST /6", "http.request", "http.request"]
    connection.lose()


async def test_all_requests_are_answered_in_the_order_in_which_they_came() -> None:
    connection = Connection(Application(), Http)
    numbers = range(500)
    sent = b"".join(post(b"x" * number) if number % 3 else chunked(*[b"x"] * number) for number in numbers)
    await connection.send(sent[:READ_BYTES])
    await settled(connection, len(numbers))
    assert connection.wire.written.count(OK) == len(numbers)
    lengths = re.findall(rb"content-length: ([0-9]+)", connection.wire.written)
    assert [int(length) for length in lengths] == list(numbers)
    assert not connection.wire.paused


async def test_the_rest_of_a_body_behind_many_requests_is_read_once_they_are_answered() -> None:
    app = Patient()
    connection = Connection(app, Http)
    body = b"x" * 100 * KIB
    await connection.send(GET * PIPELINED_MAX + post(body)[:-50_000])
    assert connection.wire.paused
    app.go_on.set()
    await settled(connection, PIPELINED_MAX)
    await connection.send(body[-50_000:])
    await settled(connection, PIPELINED_MAX + 1)
    assert connection.wire.written.endswith(body)


async def test_requests_of_a_client_that_left_are_forgotten() -> None:
    app = Application(answers=False)
    connection = Connection(app, Http)
    await connection.send(post(b"")[:-2])
    await connection.send(b"\r\n" + GET * 1000)
    connection.lose()
    await connection.settle()
    assert app.events == ["POST /0", "http.request"]


async def test_the_request_that_is_being_answered_hears_that_the_client_left_though_others_wait_behind_it() -> None:
    app = Waiting()
    connection = Connection(app, Http)
    await connection.send(GET * 3)
    connection.lose()
    await connection.settle()
    assert app.events == ["GET /0", "http.request", "http.disconnect"]


class Waiting(Application):
    """Reads a body, then waits for the client to go away."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  # nobody is answered
        self.events.append(f"{scope['method']} {scope['path']}")
        while self.events[-1] != "http.disconnect":
            self.events.append((await receive())["type"])


# Heads without an end


HEADS = {
    "header": b"GET / HTTP/1.1\r\nX: ",
    "header-name": b"GET / HTTP/1.1\r\n",
    "address": b"GET /",
}


def pieces_of(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("size", [100, 10_000, READ_BYTES])
async def test_a_head_that_does_not_end_is_refused(name: str, size: int) -> None:
    app = Application()
    connection = Connection(app, Http)
    await connection.send(*pieces_of(HEADS[name] + b"a" * 70 * KIB, size))
    assert refusal_in(connection.wire) == TOO_LARGE
    assert connection.wire.closed
    assert not app.events


@pytest.mark.parametrize("size", [1000, READ_BYTES])
async def test_many_headers_are_counted_together(size: int) -> None:
    app = Application()
    connection = Connection(app, Http)
    head = b"GET / HTTP/1.1\r\n" + b"X: 1234567890\r\n" * 5000 + b"\r\n"
    await connection.send(*pieces_of(head, size))
    assert refusal_in(connection.wire) == TOO_LARGE
    assert not app.events


@pytest.mark.parametrize("size", [1000, READ_BYTES])
async def test_a_head_within_the_limit_is_taken_each_time(size: int) -> None:
    connection = Connection(Application(), Http)
    head = request("GET", b"", "X: " + "a" * 63 * KIB)
    await connection.send(*pieces_of(head * 3, size))
    await settled(connection, 3)
    assert connection.wire.written.count(OK) == 3
    assert not connection.wire.closed


async def test_what_came_before_a_head_that_is_refused_is_answered() -> None:
    app = Patient()
    connection = Connection(app, Http)
    await connection.send(GET + HEADS["header"] + b"a" * 100 * KIB)
    assert not connection.wire.closed
    app.go_on.set()
    await connection.settle()
    assert connection.wire.written.count(b"HTTP/1.1 ") == connection.wire.written.count(OK) == 1
    assert connection.wire.closed


ENDLESS = {
    "extension": b"5;x=",
    "trailer": b"5\r\nfirst\r\n0\r\nX: ",
    "trailers": b"5\r\nfirst\r\n0\r\n" + b"X: 1\r\n" * 20_000,
}


@pytest.mark.parametrize("name", ENDLESS)
@pytest.mark.parametrize("size", [1000, READ_BYTES])
async def test_what_frames_a_chunked_body_is_refused_if_it_does_not_end(name: str, size: int) -> None:
    app = Application()
    connection = Connection(app, Http)
    head = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    await connection.send(head, *pieces_of(ENDLESS[name] + b"a" * 100 * KIB, size))
    await connection.settle()
    assert refusal_in(connection.wire) == TOO_LARGE
    assert connection.wire.closed
    assert app.events[-1] == "http.disconnect"


async def test_an_answer_that_has_begun_is_not_followed_by_a_refusal() -> None:
    connection = Connection(Application(reads=False), Http)
    await connection.send(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"5;x=" + b"a" * 100 * KIB)
    assert connection.wire.written.count(b"HTTP/1.1 ") == connection.wire.written.count(OK) == 1
    assert connection.wire.closed


async def test_many_chunks_are_a_body_and_no_head() -> None:
    app = Application()
    connection = Connection(app, Http)
    await connection.send(chunked(*[b"x"] * 50_000))
    await connection.settle()
    assert connection.wire.written.endswith(b"x" * 50_000)


async def test_what_comes_behind_the_last_request_is_not_counted() -> None:
    app = Patient()
    connection = Connection(app, Http)
    await connection.send(post(b"a body", "Connection: close") + b"a" * 200 * KIB)
    app.go_on.set()
    await connection.settle()
    assert connection.wire.written.endswith(b"a body")
    assert connection.wire.written.count(b"HTTP/1.1 ") == 1


# Requests to open a WebSocket


UPGRADE = "Connection: Upgrade", "Upgrade: websocket"


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(request("GET", b"abcde", "Content-Length: 5", *UPGRADE), id="a-body"),
        pytest.param(request("POST", b"abcde", "Content-Length: 5", *UPGRADE), id="posted"),
        pytest.param(request("GET", b"", "Content-Length: 5", *UPGRADE), id="a-body-that-does-not-come"),
        pytest.param(chunked(b"abcde", headers=UPGRADE), id="chunked"),
    ],
)
async def test_a_websocket_with_a_body_is_refused(sent: bytes) -> None:
    app = Application()
    connection = Connection(app, Http, sockets=asyncio.Protocol)
    await connection.send(sent + GET)
    assert refusal_in(connection.wire) == BAD_REQUEST
    assert connection.wire.closed
    assert not app.events


async def test_what_came_before_a_websocket_that_is_refused_is_answered() -> None:
    app = Patient()
    connection = Connection(app, Http, sockets=asyncio.Protocol)
    await connection.send(GET + request("GET", b"abcde", "Content-Length: 5", *UPGRADE))
    app.go_on.set()
    await connection.settle()
    assert connection.wire.written.count(b"HTTP/1.1 ") == connection.wire.written.count(OK) == 1
    assert connection.wire.closed
