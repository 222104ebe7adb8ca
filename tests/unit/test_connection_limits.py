"""Who gets a connection when there are too many, and what is told of those who do not."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence

import pytest
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from gallery.cli.connection_limits import PROBES_MAX, ConnectionLimits
from gallery.cli.http import Http
from gallery.cli.told_refusals import Reason, ToldRefusals
from gallery.domain.metrics import NoMetrics
from gallery.settings_connections import ConnectionSettings
from tests.http_wire import Application, Connection, Wire, request

GET = request("GET")
UPGRADE = request("GET", b"", "Connection: Upgrade", "Upgrade: websocket")


def probe(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


class Counted(NoMetrics):
    def __init__(self) -> None:
        self.reasons: list[str] = []

    def connection_refused(self, reason: str) -> None:
        self.reasons.append(reason)


class Waiting(Application):
    """Never answers."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  # as its parent's
        await asyncio.Event().wait()


class Server:
    """A server with few places."""

    def __init__(self, **settings: int) -> None:
        self.metrics = Counted()
        self.limits = ConnectionLimits(ConnectionSettings(**settings), ToldRefusals(lambda: self.metrics))
        self.state = ServerState()

    def connect(self, host: str = "192.0.2.1", app: Application | None = None) -> Connection:
        wire = Wire(peer=(host, 1000 + len(self.state.connections)))
        return Connection(
            app or Application(), lambda *args: Http(*args, limits=self.limits), wire=wire, state=self.state
        )

    async def busy(self, number: int) -> list[Connection]:
        """So many connections that wait for an answer."""
        connections = [self.connect(app=Waiting()) for _ in range(number)]
        for connection in connections:
            await connection.send(GET)
        return connections


def status_of(connection: Connection) -> bytes:
    return bytes(connection.wire.written).split(b"\r\n")[0].removeprefix(b"HTTP/1.1 ")


def refused(connection: Connection) -> None:
    head, _, body = bytes(connection.wire.written).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nretry-after: 1" in head
    assert b"\r\nconnection: close" in head
    assert b"\r\ncontent-security-policy: default-src 'none'" in head
    assert json.loads(body)["errors"][0]["extensions"]["code"] == "OVERLOADED"
    assert connection.wire.closed


async def test_up_to_the_limit_everybody_is_answered() -> None:
    server = Server(max_connections=3)
    await server.busy(2)
    last = server.connect()
    await last.send(GET)
    assert status_of(last) == b"200 OK"
    assert server.metrics.reasons == []


async def test_beyond_the_limit_requests_are_refused_and_never_reach_the_application() -> None:
    server = Server(max_connections=2)
    await server.busy(2)
    late = server.connect()
    assert late.wire.written == b"", "it may be a probe"
    await late.send(GET)
    refused(late)
    assert late.app.events == []
    assert server.metrics.reasons == ["too_many_connections"]


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
async def test_probes_are_answered_beyond_the_limit(path: str) -> None:
    server = Server(max_connections=2)
    await server.busy(2)
    late = server.connect()
    await late.send(probe(path))
    assert status_of(late) == b"200 OK"
    assert late.app.events[0] == f"GET {path}"


async def test_no_websocket_is_opened_beyond_the_limit() -> None:
    server = Server(max_connections=1)
    await server.busy(1)
    late = server.connect()
    late.protocol._requests.ws_protocol_class = object  # would fail if it were made
    await late.send(UPGRADE)
    refused(late)


async def test_far_beyond_the_limit_nothing_is_read_any_more() -> None:
    server = Server(max_connections=1)
    await server.busy(1)
    for _ in range(PROBES_MAX):
        assert not server.connect().wire.closed
    refused(server.connect())


async def test_who_waits_for_nothing_makes_room() -> None:
    server = Server(max_connections=2)
    idle, _ = server.connect(), await server.busy(1)
    await idle.send(GET)
    late = server.connect()
    assert idle.wire.closed
    await late.send(GET)
    assert status_of(late) == b"200 OK"
    assert server.metrics.reasons == []


async def test_who_has_begun_to_send_a_request_keeps_the_place() -> None:
    server = Server(max_connections=1)
    sending = server.connect()
    await sending.send(GET, GET[:5])
    late = server.connect()
    await late.send(GET)
    refused(late)
    assert not sending.wire.closed


async def test_a_place_is_free_again_once_its_connection_is_lost() -> None:
    server = Server(max_connections=1)
    (first,) = await server.busy(1)
    first.lose()
    late = server.connect()
    await late.send(GET)
    assert status_of(late) == b"200 OK"


async def test_one_address_has_no_more_than_its_share_and_others_have_theirs() -> None:
    server = Server(max_connections=100, max_connections_per_client=2)
    await server.busy(2)
    refused(server.connect())
    other = server.connect("192.0.2.2")
    await other.send(GET)
    assert status_of(other) == b"200 OK"
    assert server.metrics.reasons == ["too_many_of_client"]


async def test_what_came_before_in_the_same_bytes_is_not_answered_beyond_the_limit() -> None:
    server = Server(max_connections=1)
    await server.busy(1)
    late = server.connect()
    late.protocol._requests._repetitions.keep(("192.0.2.1", GET), object())
    await late.send(GET)
    refused(late)


# What is told


def lines(caplog: pytest.LogCaptureFixture) -> Sequence[tuple[str, object]]:
    told = [record for record in caplog.records if record.name == "gallery.cli.told_refusals"]
    return [(record.getMessage(), vars(record)["others"]) for record in told]


def test_refusals_are_logged_once_a_second_with_their_number_and_all_are_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now, metrics = 5.0, Counted()
    refusals = ToldRefusals(lambda: metrics, clock=lambda: now)
    with caplog.at_level(logging.WARNING):
        for _ in range(1000):
            refusals.tell(Reason.MALFORMED)
        now += 1.0
        refusals.tell(Reason.MALFORMED)
    text = "a connection was refused: malformed"
    assert lines(caplog) == [(text, 0), (text, 999)]
    assert metrics.reasons == ["malformed"] * 1001


def test_one_reason_does_not_hide_another(caplog: pytest.LogCaptureFixture) -> None:
    refusals = ToldRefusals(clock=lambda: 5.0)
    with caplog.at_level(logging.WARNING):
        refusals.tell(Reason.MALFORMED)
        refusals.tell(Reason.SLOW_HEAD)
    assert [message for message, *_ in lines(caplog)] == [
        "a connection was refused: malformed",
        "a connection was refused: slow_head",
    ]


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        pytest.param(b"no HTTP at all\r\n\r\n", "malformed", id="no-http"),
        pytest.param(b"GET / HTTP/1.1\r\nA: " + b"x" * 70_000, "head_too_large", id="large-head"),
    ],
)
async def test_what_never_becomes_a_request_is_counted(sent: bytes, reason: str) -> None:
    server = Server()
    await server.connect().send(sent)
    assert server.metrics.reasons == [reason]
