"""Clients that send or read too slowly lose their connections, and nobody else does."""

from __future__ import annotations

import asyncio
import json
import socket

import pytest
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from gallery.cli.connection_limits import ConnectionLimits
from gallery.cli.http import Http
from gallery.cli.http_requests import Requests
from gallery.cli.pace import Pace, unacknowledged_bytes
from gallery.cli.told_refusals import ToldRefusals
from gallery.domain.metrics import NoMetrics
from gallery.settings_connections import ConnectionSettings
from tests.http_wire import LARGE, Application, Connection, Wire, post, request

GET = request("GET")
SETTINGS = ConnectionSettings(head_timeout_seconds=10, pace_window_seconds=30, min_bytes_per_second=100)
SILENCE_SECONDS = 120
"""How long whoever waits for a body lets it be silent."""


class Counted(NoMetrics):
    def __init__(self) -> None:
        self.reasons: list[str] = []

    def connection_refused(self, reason: str) -> None:
        self.reasons.append(reason)


class Slow:
    """A connection whose client takes its time, and a server that looks at it."""

    def __init__(self, app: Application | None = None, settings: ConnectionSettings = SETTINGS) -> None:
        self.now = 1000.0
        self.metrics = Counted()
        limits = ConnectionLimits(settings, ToldRefusals(lambda: self.metrics))
        self.state = ServerState()
        self.app = app or Application()
        self.connection = Connection(self.app, lambda *args: Http(*args, limits=limits), state=self.state)
        self.pace = Pace(settings, SILENCE_SECONDS)

    @property
    def wire(self) -> Wire:
        return self.connection.wire

    @property
    def answers(self) -> list[bytes]:
        return [part[:3] for part in bytes(self.wire.written).split(b"HTTP/1.1 ")[1:]]

    async def send(self, *pieces: bytes) -> None:
        await self.connection.send(*pieces)

    async def wait(self, seconds: float) -> None:
        """Lets time pass, in which the server looks once a second."""
        end = self.now + seconds
        while self.now < end:
            self.look()
            self.now = min(end, self.now + 1)
        self.look()
        await self.connection.settle()

    def look(self) -> None:
        self.pace.look([one for one in self.state.connections if isinstance(one, Requests)], self.now)


class Waiting(Application):
    """Does nothing until it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.go_on.wait()
        await super().__call__(scope, receive, send)


@pytest.fixture
async def slow() -> Slow:
    return Slow()


def told(wire: Wire) -> dict[str, object]:
    head, _, body = bytes(wire.written).rpartition(b"\r\n\r\n")
    assert b"connection: close" in head
    assert b"x-content-type-options: nosniff" in head
    (error,) = json.loads(body)["errors"]
    extensions: dict[str, object] = error["extensions"]
    return extensions


# Heads


async def test_who_says_nothing_loses_the_connection_without_a_word(slow: Slow) -> None:
    await slow.wait(9)
    assert not slow.wire.closed
    await slow.wait(1)
    assert slow.wire.closed
    assert slow.wire.written == b""
    assert slow.metrics.reasons == ["no_request"]


async def test_a_head_that_comes_byte_by_byte_is_refused_however_often_something_comes(slow: Slow) -> None:
    for byte in GET[:9]:
        await slow.send(bytes([byte]))
        await slow.wait(1)
    assert not slow.wire.closed
    await slow.wait(1)
    assert slow.wire.closed
    assert slow.answers == [b"408"]
    assert told(slow.wire)["code"] == "REQUEST_TIMEOUT"
    assert slow.app.events == []
    assert slow.metrics.reasons == ["slow_head"]


async def test_the_head_of_a_later_request_has_as_long(slow: Slow) -> None:
    await slow.send(GET)
    await slow.wait(50)
    assert not slow.wire.closed, "between requests another limit counts"
    await slow.send(GET[:-1])
    await slow.wait(9)
    assert not slow.wire.closed
    await slow.wait(1)
    assert slow.answers == [b"200", b"408"]


async def test_empty_lines_before_a_request_win_no_time(slow: Slow) -> None:
    await slow.send(GET)
    for _ in range(10):
        assert not slow.wire.closed
        await slow.send(b"\r\n")
        await slow.wait(1)
    assert slow.wire.closed


async def test_a_slow_head_behind_a_request_that_is_not_answered_yet_cuts_off_nothing() -> None:
    app = Waiting()
    slow = Slow(app)
    await slow.send(GET + GET[:-1])
    await slow.wait(11)
    assert slow.answers == []
    assert not slow.wire.closed
    app.go_on.set()
    await slow.wait(1)
    assert slow.answers == [b"200"]
    assert slow.wire.closed


async def test_whoever_sends_in_time_is_never_cut_off(slow: Slow) -> None:
    for _ in range(100):
        await slow.send(GET[:5], GET[5:])
        await slow.wait(1)
    assert slow.answers == [b"200"] * 100
    assert slow.metrics.reasons == []


# Bodies


async def test_a_body_that_trickles_is_refused(slow: Slow) -> None:
    await slow.send(post(bytes(50_000))[:-50_000])
    for _ in range(30):
        await slow.send(bytes(99))
        assert not slow.wire.closed
        await slow.wait(1)
    assert slow.answers == [b"408"]
    assert told(slow.wire)["code"] == "REQUEST_TIMEOUT"
    assert slow.app.events[-1] == "http.disconnect", "the application stops waiting, too"
    assert slow.metrics.reasons == ["slow_body"]


async def test_a_body_that_comes_fast_enough_may_take_for_ever(slow: Slow) -> None:
    await slow.send(post(bytes(20_000))[:-20_000])
    slow.look()
    for _ in range(199):
        await slow.send(bytes(100))
        await slow.wait(1)
    assert slow.answers == []
    await slow.send(bytes(100))
    assert slow.answers == [b"200"]


async def test_a_pause_is_forgiven_if_the_rest_comes_fast(slow: Slow) -> None:
    await slow.send(post(bytes(20_000))[:-20_000])
    slow.look()
    for _ in range(3):
        await slow.wait(28)
        await slow.send(bytes(5000))
    assert not slow.wire.closed


@pytest.mark.parametrize("seconds_before", [0, 1, 15, 29, 31, 200])
async def test_a_body_in_pace_may_be_silent_for_as_long_as_it_is_waited_for(slow: Slow, seconds_before: int) -> None:
    await slow.send(post(bytes(50_000))[:-50_000])
    slow.look()
    for _ in range(seconds_before):
        await slow.send(bytes(110))
        await slow.wait(1)
    await slow.wait(SILENCE_SECONDS)
    assert not slow.wire.closed, "who waits for the body tells the client more"
    await slow.wait(SETTINGS.pace_window_seconds + 1)
    assert slow.answers == [b"408"]
    assert slow.metrics.reasons == ["slow_body"], "but nobody did"


async def test_a_silence_that_was_waited_for_is_forgiven_if_the_rest_comes_fast(slow: Slow) -> None:
    await slow.send(post(bytes(50_000))[:-50_000])
    for _ in range(4):
        await slow.wait(SILENCE_SECONDS - 1)
        for _ in range(60):
            await slow.send(bytes(200))
            await slow.wait(1)
    assert slow.answers == []
    await slow.send(bytes(2000))
    assert slow.answers == [b"200"]


@pytest.mark.parametrize("pause_seconds", [2, 29, 31, SILENCE_SECONDS - 1])
async def test_a_byte_now_and_then_does_not_end_a_silence(slow: Slow, pause_seconds: int) -> None:
    await slow.send(post(bytes(50_000))[:-50_000])
    began = slow.now
    while not slow.wire.closed and slow.now < began + 1000:
        await slow.wait(pause_seconds)
        await slow.send(b"x")
    assert slow.metrics.reasons == ["slow_body"]
    assert slow.now - began <= max(SETTINGS.pace_window_seconds + pause_seconds, 2 * pause_seconds)


async def test_nobody_is_late_while_the_gallery_does_not_read() -> None:
    slow = Slow(Waiting())
    await slow.send(post(LARGE)[:-1])
    assert slow.wire.paused
    await slow.wait(1000)
    assert not slow.wire.closed


async def test_a_body_behind_the_answer_cannot_trickle_for_ever_either() -> None:
    slow = Slow(Application(reads=False))
    await slow.send(post(bytes(50_000))[:-50_000])
    for _ in range(30):
        assert not slow.wire.closed
        await slow.send(b"x")
        await slow.wait(1)
    assert slow.wire.closed
    assert slow.answers == [b"200"], "there is one answer to a request"


async def test_with_no_lower_bound_a_body_may_trickle() -> None:
    slow = Slow(settings=ConnectionSettings(min_bytes_per_second=0))
    await slow.send(post(bytes(50))[:-50])
    await slow.wait(1000)
    assert not slow.wire.closed


# Answers


async def test_who_does_not_read_is_cut_off(slow: Slow) -> None:
    await slow.send(post(LARGE))
    slow.wire.buffered = 200_000
    await slow.wait(29)
    assert not slow.wire.closed
    await slow.wait(1)
    assert slow.wire.aborted
    assert slow.metrics.reasons == ["slow_reader"]


async def test_who_reads_too_slowly_is_cut_off(slow: Slow) -> None:
    await slow.send(post(LARGE))
    slow.wire.buffered = 200_000
    slow.look()
    for _ in range(30):
        slow.wire.buffered -= 99
        await slow.wait(1)
    assert slow.wire.aborted


async def test_who_reads_steadily_is_not_cut_off_though_never_at_the_end(slow: Slow) -> None:
    await slow.send(post(LARGE))
    slow.wire.buffered = 200_000
    slow.look()
    for _ in range(200):
        slow.wire.buffered -= 101
        await slow.wait(1)
    assert not slow.wire.closed


async def test_reading_counts_although_as_much_is_written_meanwhile(slow: Slow) -> None:
    slow.wire.buffered = 100_000
    for _ in range(100):
        await slow.send(post(bytes(200)))
        await slow.wait(1)
    assert not slow.wire.aborted


async def test_an_answer_that_is_closed_and_not_read_is_cut_off(slow: Slow) -> None:
    await slow.send(post(LARGE, "Connection: close"))
    assert slow.wire.closed
    slow.wire.buffered = 100_000
    await slow.wait(30)
    assert slow.wire.aborted


# How it is found out


def test_what_the_kernel_holds_has_not_been_read() -> None:
    ours, theirs = socket.socketpair()

    class OfSocket(Wire):
        def get_extra_info(self, name: str, default: object = None) -> object:
            return ours if name == "socket" else default

    with ours, theirs:
        assert unacknowledged_bytes(OfSocket()) == 0
        ours.send(bytes(1000))
        assert unacknowledged_bytes(OfSocket()) >= 1000
        theirs.recv(1000)
        assert unacknowledged_bytes(OfSocket()) == 0
    assert unacknowledged_bytes(OfSocket()) == 0, "closed meanwhile"
    assert unacknowledged_bytes(Wire()) == 0


@pytest.mark.parametrize(("head", "window", "pause"), [(10, 30, 1), (0.5, 30, 0.1), (10, 0.25, 0.05)])
def test_connections_are_looked_at_often_enough_for_the_shortest_limit(
    head: float, window: float, pause: float
) -> None:
    settings = ConnectionSettings(head_timeout_seconds=head, pace_window_seconds=window)
    assert Pace(settings, SILENCE_SECONDS).pause_seconds == pause
