"""Answers that the server gives again by itself: they lack nothing that passing the gallery adds, and are counted."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gallery.domain.metrics import NoMetrics
from gallery.settings import ServerSettings
from gallery.web.again import OFFER, Ready, Repeats, Sendable, take_offer
from gallery.web.middleware.stack import middleware, wrapped

ACCESS_LOG = "gallery.web.middleware.access_log"
HEADERS = [(b"vary", b"Accept"), (b"x-frame-options", b"SAMEORIGIN"), (b"content-length", b"4")]


@dataclass
class WatchedMetrics(NoMetrics):
    requests: list[tuple[str, str, str]] = field(default_factory=list)

    def request(self, method: str, route: str, status: str, seconds: float) -> None:  # noqa: ARG002  # as the port says
        self.requests.append((method, route, status))


class Endpoint:
    """Answers, and offers to do so again; `ready` is what it says then."""

    is_far = True

    def __init__(self) -> None:
        self.ready: Ready | None = Ready(200, HEADERS, b"body")
        self.was_offered: list[bool] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  # as ASGI has it
        offer = take_offer(scope)
        self.was_offered.append(offer is not None)
        if offer is not None:
            offer(self)
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await send({"type": "http.response.body", "body": b"body"})

    def now(self) -> Ready | None:
        return self.ready

    async def later(self) -> Ready | None:
        return self.ready


class Server:
    """Sends requests through everything that they pass, and remembers what it is told about the next ones."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401  # any setting of the server
        self.endpoint = Endpoint()
        self.metrics = WatchedMetrics()
        self.app: ASGIApp = wrapped(self.endpoint, middleware(ServerSettings(**settings), self.metrics))
        self.kept: list[Repeats[Sendable]] = []

    async def ask(self, *fields: tuple[bytes, bytes], host: bytes = b"localhost") -> bytes:
        """The head of the answer, line by line."""
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request"}

        async def send(message: Message) -> None:
            sent.append(message)

        headers = [(b"host", host), *fields]
        scope = {"type": "http", "method": "POST", "path": "/graphql", "headers": headers, OFFER: self.kept.append}
        await self.app(scope, receive, send)
        return b"".join(b"%b: %b\r\n" % each for each in sent[0]["headers"])


def without_id(head: bytes) -> list[bytes]:
    return [line for line in head.splitlines() if not line.startswith(b"x-request-id: ")]


async def test_an_answer_that_is_given_again_has_the_head_of_any_other() -> None:
    server = Server()
    first = await server.ask()
    [again] = server.kept
    assert again.is_far
    second, third = again.now(), await again.later()

    assert second is not None
    assert third is not None
    assert without_id(second.fields) == without_id(first)
    assert b"x-content-type-options: nosniff" in without_id(second.fields)
    assert b"x-frame-options: SAMEORIGIN" in without_id(second.fields)
    assert (second.status, second.body) == (200, b"body")
    assert len({first, second.fields, third.fields}) == 3  # each has an id of its own


async def test_an_answer_that_has_changed_gets_another_head() -> None:
    server = Server()
    await server.ask()
    [again] = server.kept
    again.now()
    server.endpoint.ready = Ready(304, [(b"etag", b'"1"')], b"")
    changed = again.now()

    assert changed is not None
    assert (changed.status, changed.body) == (304, b"")
    assert without_id(changed.fields)[0] == b'etag: "1"'
    assert b"content-length: 4" not in without_id(changed.fields)


async def test_it_is_counted_and_logged_as_any_other(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, ACCESS_LOG)
    server = Server()
    await server.ask()
    server.kept[0].now()

    assert server.metrics.requests == [("POST", "none", "2xx")] * 2
    lines = [record.__dict__ for record in caplog.records if record.name == ACCESS_LOG]
    assert [[line[name] for name in ("method", "path", "status", "bytes")] for line in lines] == [
        ["POST", "/graphql", 200, 4]
    ] * 2


async def test_what_is_not_there_any_more_is_not_counted() -> None:
    server = Server()
    await server.ask()
    server.endpoint.ready = None
    assert server.kept[0].now() is None
    assert server.metrics.requests == [("POST", "none", "2xx")]


async def test_a_request_with_an_id_or_for_another_host_is_not_answered_again() -> None:
    server = Server()
    await server.ask((b"x-request-id", b"abc"))
    await server.ask(host=b"elsewhere")
    assert server.kept == []
    assert server.endpoint.was_offered == [False]


async def test_where_other_origins_may_read_nothing_is_given_again() -> None:
    server = Server(cors_origins=("https://example.org",))
    await server.ask((b"origin", b"https://example.org"))
    assert server.kept == []
    assert server.endpoint.was_offered == [False]
