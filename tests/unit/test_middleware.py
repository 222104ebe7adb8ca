"""What every request passes: ids, log lines, headers, hosts, origins, failures."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from pydantic import HttpUrl
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Message
from starlette.websockets import WebSocket
from structlog.contextvars import get_contextvars

from gallery.settings import ServerSettings
from gallery.web.errors import AbortedResponseError
from gallery.web.graphql.request import CSRF_HEADERS, IDEMPOTENCY_HEADER
from gallery.web.middleware.allowed_hosts import allowed_hosts
from gallery.web.middleware.request_ids import request_id_of
from gallery.web.middleware.stack import middleware
from gallery.web.responses import ERROR_HANDLERS

ACCESS_LOG = "gallery.web.middleware.access_log"
FAILURES_LOG = "gallery.web.middleware.failures"


async def _hello(_request: Request) -> Response:
    return PlainTextResponse("hello")


async def _ids(request: Request) -> Response:
    return PlainTextResponse(f"{request_id_of(request.scope)} {get_contextvars()['request_id']}")


async def _framed(_request: Request) -> Response:
    return PlainTextResponse("framed", headers={"Content-Security-Policy": "default-src 'self'"})


async def _fail(_request: Request) -> Response:
    message = "the password is secret"
    raise ValueError(message)


async def _leave(_request: Request) -> Response:
    raise ClientDisconnect


async def _refuse(_request: Request) -> Response:
    raise HTTPException(413, "Too much.")


async def _fail_midway(_request: Request) -> Response:
    async def body() -> AsyncIterator[bytes]:
        yield b"half of"
        message = "the rest is gone"
        raise ValueError(message)

    return StreamingResponse(body())


async def _echo(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.close()


def application(**settings: Any) -> Starlette:  # noqa: ANN401  # any setting of the server
    return Starlette(
        routes=[
            Route("/", _hello),
            Route("/readyz", _hello),
            Route("/ids", _ids),
            Route("/framed", _framed),
            Route("/fail", _fail),
            Route("/leave", _leave),
            Route("/refuse", _refuse),
            Route("/fail-midway", _fail_midway),
            Route("/only-post", _hello, methods=["POST"]),
            WebSocketRoute("/socket", _echo),
        ],
        middleware=middleware(ServerSettings(**settings)),
        exception_handlers=ERROR_HANDLERS,
    )


def browser(app: ASGIApp, host: str = "localhost") -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=f"http://{host}")


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with browser(application()) as client:
        yield client


def error_of(answer: httpx.Response) -> tuple[int, str, str]:
    """Status, code and request id of an answer that must be an error."""
    [error] = answer.json()["errors"]
    assert error["message"]
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    return answer.status_code, error["extensions"]["code"], error["extensions"]["requestId"]


# Request ids


async def test_request_gets_an_id_of_its_own(client: httpx.AsyncClient) -> None:
    ids = [(await client.get("/ids")).headers["x-request-id"] for _ in range(2)]
    assert len(set(ids)) == 2
    assert all(re.fullmatch(r"[0-9a-f]{32}", request_id) for request_id in ids)


@pytest.mark.parametrize("request_id", ["a", "0190-abc.DEF_9", "Root=1-67891233-abcdef", "x" * 128])
async def test_well_formed_id_of_the_client_is_kept(client: httpx.AsyncClient, request_id: str) -> None:
    answer = await client.get("/ids", headers={"X-Request-ID": request_id})
    assert answer.headers["x-request-id"] == request_id
    assert answer.text == f"{request_id} {request_id}"


@pytest.mark.parametrize("request_id", ["", "x" * 129, "a b", "a\tb", "<script>", "caf\xe9", '"', "a;b"])
async def test_other_ids_are_replaced(client: httpx.AsyncClient, request_id: str) -> None:
    answer = await client.get("/ids", headers={b"X-Request-ID": request_id.encode("latin-1")})
    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["x-request-id"])


async def test_id_is_bound_for_the_request_only(client: httpx.AsyncClient) -> None:
    answer = await client.get("/ids")
    in_state, in_log_lines = answer.text.split()
    assert in_state == in_log_lines == answer.headers["x-request-id"]
    assert "request_id" not in get_contextvars()


# Errors


async def test_unknown_address_is_a_404_with_code_and_id(client: httpx.AsyncClient) -> None:
    answer = await client.get("/nowhere", headers={"X-Request-ID": "abc"})
    assert error_of(answer) == (404, "NOT_FOUND", "abc")


async def test_wrong_method_is_a_405_that_says_what_is_taken(client: httpx.AsyncClient) -> None:
    answer = await client.delete("/ids", headers={"X-Request-ID": "abc"})
    assert error_of(answer) == (405, "METHOD_NOT_ALLOWED", "abc")
    assert answer.headers["allow"] == "GET, HEAD"
    assert "GET, HEAD" in answer.json()["errors"][0]["message"]


async def test_other_refusals_keep_their_status(client: httpx.AsyncClient) -> None:
    answer = await client.get("/refuse", headers={"X-Request-ID": "abc"})
    assert error_of(answer) == (413, "BAD_REQUEST", "abc")
    assert answer.json()["errors"][0]["message"] == "Too much."


async def test_start_and_stop_of_the_server_pass_through() -> None:
    sent: list[Message] = []
    received = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def receive() -> Message:
        return next(received)

    async def send(message: Message) -> None:
        sent.append(message)

    await application()({"type": "lifespan"}, receive, send)
    assert [message["type"] for message in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_failure_is_a_500_that_tells_nothing_but_the_id(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await client.get("/fail", headers={"X-Request-ID": "abc"})
    assert error_of(answer) == (500, "INTERNAL_ERROR", "abc")
    assert "abc" in answer.json()["errors"][0]["message"]
    assert "secret" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    [record] = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert (record.name, record.getMessage()) == (FAILURES_LOG, "a request failed")
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], ValueError)


async def test_failure_after_the_answer_began_reaches_the_server_logged(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(AbortedResponseError):
        await client.get("/fail-midway")
    [record] = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert (record.name, record.getMessage()) == (FAILURES_LOG, "a request failed")


async def test_client_that_went_away_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    scope = {"type": "http", "method": "GET", "path": "/leave", "headers": [(b"host", b"localhost")]}
    await application()(scope, receive, send)
    assert sent == []
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []


# Log lines


def access_lines(caplog: pytest.LogCaptureFixture) -> list[tuple[Any, ...]]:
    return [
        (record.levelname, *(getattr(record, name, None) for name in ("method", "path", "status", "bytes", "aborted")))
        for record in caplog.records
        if record.name == ACCESS_LOG
    ]


async def test_each_request_is_a_line_without_its_query(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger=ACCESS_LOG):
        await client.get("/?token=secret", headers={"Authorization": "secret"})
        await client.post("/nowhere%0Aelse")
        await client.get("/fail")
    assert access_lines(caplog)[0] == ("INFO", "GET", "/", 200, 5, None)
    assert access_lines(caplog)[1][:4] == ("INFO", "POST", "/nowhere%0Aelse", 404)
    assert access_lines(caplog)[2][:4] == ("INFO", "GET", "/fail", 500)
    assert len(access_lines(caplog)) == 3
    lines = [record.__dict__ for record in caplog.records if record.name == ACCESS_LOG]
    assert "secret" not in repr(lines)
    assert all(line["duration_ms"] >= 0 for line in lines)


async def test_answer_that_was_cut_off_is_marked(client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger=ACCESS_LOG), pytest.raises(AbortedResponseError):
        await client.get("/fail-midway")
    assert access_lines(caplog) == [("INFO", "GET", "/fail-midway", 200, 7, True)]


async def test_probes_are_logged_for_debugging_only(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger=ACCESS_LOG):
        await client.get("/readyz")
    assert access_lines(caplog) == []
    with caplog.at_level(logging.DEBUG, logger=ACCESS_LOG):
        await client.get("/readyz")
    assert access_lines(caplog) == [("DEBUG", "GET", "/readyz", 200, 5, None)]


# Security headers


@pytest.mark.parametrize("path", ["/", "/nowhere", "/fail"])
async def test_every_answer_has_security_headers(client: httpx.AsyncClient, path: str) -> None:
    headers = (await client.get(path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-frame-options"] == "DENY"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["cross-origin-resource-policy"] == "same-origin"


async def test_policy_of_an_answer_itself_stays(client: httpx.AsyncClient) -> None:
    headers = (await client.get("/framed")).headers
    assert headers.get_list("content-security-policy") == ["default-src 'self'"]


# Hosts


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "localhost.", "127.0.0.1:80", "[::1]:8000"])
async def test_loopback_names_are_allowed_by_default(client: httpx.AsyncClient, host: str) -> None:
    answer = await client.get("/", headers={"Host": host})
    assert (answer.status_code, answer.text) == (200, "hello")


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example:8000", "192.0.2.1", "[::2]", "localhost-"])
async def test_other_names_are_refused_on_loopback(client: httpx.AsyncClient, host: str) -> None:
    answer = await client.get("/", headers={"Host": host, "X-Request-ID": "abc"})
    assert error_of(answer) == (421, "HOST_NOT_ALLOWED", "abc")
    assert "GALLERY_SERVER__ALLOWED_HOSTS" in answer.json()["errors"][0]["message"]


@pytest.mark.parametrize("host", ["", "a b", "user@localhost", "localhost/path", "localhost:port", "[::1", "a,b"])
@pytest.mark.parametrize("allowed", ["localhost", "*"])
async def test_malformed_hosts_are_refused_even_if_any_is_allowed(host: str, allowed: str) -> None:
    async with browser(application(allowed_hosts=allowed)) as client:
        answer = await client.get("/", headers={"Host": host, "X-Request-ID": "abc"})
    assert error_of(answer) == (400, "BAD_REQUEST", "abc")


async def test_two_hosts_are_refused(client: httpx.AsyncClient) -> None:
    answer = await client.get("/", headers=[("Host", "localhost"), ("Host", "evil.example")])
    assert error_of(answer)[:2] == (400, "BAD_REQUEST")


async def test_probes_may_come_by_any_name(client: httpx.AsyncClient) -> None:
    answer = await client.get("/readyz", headers={"Host": "10.0.0.7:8000"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({}, {"localhost", "127.0.0.1", "::1"}),
        ({"host": "127.0.0.5"}, {"localhost", "127.0.0.1", "::1", "127.0.0.5"}),
        ({"host": "0.0.0.0"}, None),  # noqa: S104  # nothing listens
        ({"host": "gallery.internal"}, None),
        ({"allowed_hosts": "Photos.Example, [::2]"}, {"photos.example", "::2"}),
        ({"allowed_hosts": "*"}, None),
        ({"allowed_hosts": "photos.example,*"}, None),
        (
            {"public_url": HttpUrl("https://photos.example/")},
            {"localhost", "127.0.0.1", "::1", "photos.example"},
        ),
        (
            {"host": "0.0.0.0", "allowed_hosts": "a.example", "public_url": HttpUrl("https://b.example")},  # noqa: S104  # nothing listens
            {"a.example", "b.example"},
        ),
    ],
)
def test_allowed_names_follow_from_settings(settings: dict[str, Any], names: set[str] | None) -> None:
    assert allowed_hosts(ServerSettings(**settings)) == names


async def test_websocket_to_another_host_is_refused_before_it_opens() -> None:
    sent = await websocket_messages(application(), host=b"evil.example")
    assert [message["type"] for message in sent] == ["websocket.http.response.start", "websocket.http.response.body"]
    assert sent[0]["status"] == 421


async def test_websocket_gets_an_id_and_a_log_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger=ACCESS_LOG):
        sent = await websocket_messages(application(), host=b"localhost")
    assert [message["type"] for message in sent] == ["websocket.accept", "websocket.close"]
    assert b"x-request-id" in dict(sent[0]["headers"])
    assert access_lines(caplog) == [("INFO", "WEBSOCKET", "/socket", 101, 0, None)]


async def websocket_messages(app: ASGIApp, *, host: bytes) -> list[Message]:
    """What the application sends to a client that opens a WebSocket."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    scope = {
        "type": "websocket",
        "path": "/socket",
        "headers": [(b"host", host)],
        "subprotocols": [],
        "extensions": {"websocket.http.response": {}},
    }
    await app(scope, receive, send)
    return sent


# Origins


async def test_no_other_origin_may_read_answers_by_default(client: httpx.AsyncClient) -> None:
    answer = await client.get("/", headers={"Origin": "https://app.example"})
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("path", ["/", "/nowhere", "/fail"])
async def test_named_origin_may_read_answers_and_errors(path: str) -> None:
    async with browser(application(cors_origins="https://app.example/")) as client:
        answer = await client.get(path, headers={"Origin": "https://app.example"})
    assert answer.headers["access-control-allow-origin"] == "https://app.example"
    assert "X-Request-ID" in answer.headers["access-control-expose-headers"]
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("origin", ["https://app.example.evil", "http://app.example", "null"])
async def test_other_origins_may_not(origin: str) -> None:
    async with browser(application(cors_origins="https://app.example")) as client:
        answer = await client.get("/", headers={"Origin": origin})
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("header", [*CSRF_HEADERS, IDEMPOTENCY_HEADER])
async def test_named_origin_may_send_the_headers_that_the_gallery_reads(header: str) -> None:
    asked = {
        "Origin": "https://app.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": f"content-type,{header.lower()}",
    }
    async with browser(application(cors_origins="https://app.example")) as client:
        answer = await client.options("/only-post", headers=asked)
        refused = await client.options("/only-post", headers={**asked, "Origin": "https://evil.example"})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "https://app.example")
    assert header in answer.headers["access-control-allow-headers"]
    assert refused.status_code == 400
    assert "access-control-allow-origin" not in refused.headers
