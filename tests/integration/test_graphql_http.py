"""GraphQL over HTTP on a real socket: methods, media types, status codes, and errors that programs understand."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any
from urllib.parse import urlencode

import pytest
from starlette.types import Message, Receive, Scope, Send

from gallery.web.authentication import OPEN
from gallery.web.graphql.documents import WAITING_MAX
from gallery.web.graphql.endpoint import GraphQLEndpoint
from gallery.web.graphql.exposure import HIDDEN
from tests.graphql_server import LIMITS, SCHEMA, GraphQLServer, Listener, Reply

JSON = "application/json"
GRAPHQL = "application/graphql-response+json"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
LONG = "x" * 1000
POST_SCOPE = {
    "type": "http",
    "method": "POST",
    "path": "/graphql",
    "query_string": b"",
    "headers": [(b"content-type", b"application/json"), (b"host", b"gallery.example")],
}


async def post(server: GraphQLServer, content: Any, **headers: str) -> Reply:  # noqa: ANN401  # any JSON
    """Posts JSON; bytes are sent as they are."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return await server.post(body, **{"Content-Type": JSON, "X-GraphQL-CSRF": "", **headers})


async def get(
    server: GraphQLServer, method: str = "GET", /, *, csrf: str = "1", accept: str = "", **fields: str
) -> Reply:
    async with server.connection() as connection:
        await connection.send_head(
            f"/graphql?{urlencode(fields)}", method, Content_Type="", Accept=accept, X_GraphQL_CSRF=csrf
        )
        return await connection.reply()


# POST


async def test_query_is_answered(server: GraphQLServer) -> None:
    reply = await post(server, {"query": "{ greeting }"})

    assert reply.status == 200
    assert reply.headers["content-type"] == "application/json; charset=utf-8"
    assert reply.headers["cache-control"] == "no-store"
    assert reply.json == {"data": {"greeting": "Hello, world!"}}


async def test_variables_and_operation_name_are_heard(server: GraphQLServer) -> None:
    query = "query A { greeting } query B($name: String!) { greeting(name: $name) }"
    parameters = {"query": query, "operationName": "B", "variables": {"name": "Zoë 高"}, "extensions": {"a": 1}}
    reply = await post(server, parameters, Content_Type="application/json; charset=UTF-8")

    assert reply.json == {"data": {"greeting": "Hello, Zoë 高!"}}


async def test_null_stands_for_parameters_that_are_not_given(server: GraphQLServer) -> None:
    reply = await post(server, {"query": "{ greeting }", "operationName": None, "variables": None, "extensions": None})

    assert reply.json == {"data": {"greeting": "Hello, world!"}}


async def test_resolvers_know_the_address_of_the_request(server: GraphQLServer) -> None:
    assert (await post(server, {"query": "{ baseUrl }"})).json == {"data": {"baseUrl": "https://gallery.example"}}


@pytest.mark.parametrize(
    ("content", "code"),
    [
        pytest.param(b"", "INVALID_JSON", id="empty"),
        pytest.param(b"{", "INVALID_JSON", id="no JSON"),
        pytest.param(b'{"query": "\xff"}', "INVALID_JSON", id="not UTF-8"),
        pytest.param(b"[" * 3000, "INVALID_JSON", id="nested deeply"),
        pytest.param([{"query": "{ greeting }"}], "BAD_REQUEST", id="batch"),
        pytest.param("{ greeting }", "BAD_REQUEST", id="a string"),
        pytest.param({}, "BAD_REQUEST", id="no query"),
        pytest.param({"query": 7}, "BAD_REQUEST", id="query a number"),
        pytest.param({"query": " "}, "BAD_REQUEST", id="query blank"),
        pytest.param({"query": "{ greeting }", "operationName": 7}, "BAD_REQUEST", id="operation name"),
        pytest.param({"query": "{ greeting }", "variables": [1]}, "BAD_REQUEST", id="variables a list"),
        pytest.param({"query": "{ greeting }", "variables": "{}"}, "BAD_REQUEST", id="variables a string"),
        pytest.param({"query": "{ greeting }", "extensions": 1}, "BAD_REQUEST", id="extensions a number"),
    ],
)
@pytest.mark.parametrize("accept", [JSON, GRAPHQL])
async def test_malformed_request_is_refused(server: GraphQLServer, content: Any, code: str, accept: str) -> None:  # noqa: ANN401  # any JSON
    reply = await post(server, content, Accept=accept)

    assert (reply.status, reply.codes) == (400, [code])
    assert reply.headers["content-type"] == f"{accept}; charset=utf-8"
    assert "data" not in reply.json


@pytest.mark.parametrize(
    ("content", "code"),
    [
        pytest.param({"query": "{ greeting"}, "GRAPHQL_PARSE_FAILED", id="syntax"),
        pytest.param({"query": "{ nothing }"}, "GRAPHQL_VALIDATION_FAILED", id="unknown field"),
        pytest.param({"query": "{ twice }"}, "GRAPHQL_VALIDATION_FAILED", id="missing argument"),
        pytest.param({"query": "query A { greeting } query B { greeting }"}, "OPERATION_NAME_REQUIRED", id="no name"),
        pytest.param({"query": "query A { greeting }", "operationName": "C"}, "OPERATION_NOT_FOUND", id="other name"),
        pytest.param({"query": "fragment F on Query { greeting }"}, "OPERATION_NOT_FOUND", id="no operation"),
        pytest.param(
            {"query": "query ($n: Int!) { twice(number: $n) }", "variables": {"n": "x"}},
            "BAD_USER_INPUT",
            id="variable",
        ),
        pytest.param(
            {"query": "mutation ($f: Upload!) { ignore(file: $f) }", "variables": {"f": "x"}},
            "BAD_USER_INPUT",
            id="file that is a string",
        ),
    ],
)
@pytest.mark.parametrize(("accept", "status"), [(JSON, 200), (GRAPHQL, 400)])
async def test_operation_that_cannot_be_executed_has_no_data(
    server: GraphQLServer,
    content: Any,  # noqa: ANN401  # any JSON
    code: str,
    accept: str,
    status: int,
) -> None:
    reply = await post(server, content, Accept=accept)

    assert (reply.status, reply.codes) == (status, [code])
    assert "data" not in reply.json


@pytest.mark.parametrize("accept", [JSON, GRAPHQL])
async def test_error_of_a_resolver_comes_with_data(server: GraphQLServer, accept: str) -> None:
    reply = await post(server, {"query": "{ fatal }"}, Accept=accept)

    assert (reply.status, reply.codes) == (200, ["NOT_FOUND"])
    assert reply.json["data"] is None
    assert reply.json["errors"][0]["path"] == ["fatal"]


async def test_failure_is_masked_and_logged_once(server: GraphQLServer, caplog: pytest.LogCaptureFixture) -> None:
    reply = await post(server, {"query": "{ failing greeting }"})

    assert reply.json["data"] == {"failing": None, "greeting": "Hello, world!"}
    assert reply.codes == ["INTERNAL_ERROR"]
    assert b"hunter2" not in reply.body
    assert [record.exc_info[1].args for record in caplog.records if record.exc_info and record.exc_info[1]] == [
        ("the password of the database is hunter2",)
    ]


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": ""},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/graphql"},
        {"Content-Type": "application/json; charset=utf-16"},
        {"Content-Type": JSON, "Content-Encoding": "gzip"},
    ],
)
async def test_body_of_another_type_is_refused(server: GraphQLServer, headers: dict[str, str]) -> None:
    reply = await post(server, {"query": "mutation { patient }"}, **headers)

    assert (reply.status, reply.codes) == (415, ["UNSUPPORTED_MEDIA_TYPE"])
    assert not server.oddities.begun.is_set()


async def test_body_beyond_the_limit_is_refused(server: GraphQLServer) -> None:
    reply = await post(server, {"query": "{ greeting }" + " " * LIMITS.max_field_size})

    assert (reply.status, reply.codes) == (413, ["REQUEST_TOO_LARGE"])


# Media types of answers


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (JSON, JSON),
        (GRAPHQL, GRAPHQL),
        (f"{GRAPHQL}, {JSON};q=0.9", GRAPHQL),
        (f"{JSON}, {GRAPHQL}", GRAPHQL),
        (f"{GRAPHQL};q=0.5, {JSON}", JSON),
        (f"{GRAPHQL}; charset=utf-8", GRAPHQL),
        ("text/html, */*;q=0.1", JSON),
    ],
)
async def test_answer_has_the_media_type_that_the_client_likes_best(
    server: GraphQLServer, accept: str, media_type: str
) -> None:
    reply = await post(server, {"query": "{ greeting }"}, Accept=accept)

    assert reply.status == 200
    assert reply.headers["content-type"] == f"{media_type}; charset=utf-8"


@pytest.mark.parametrize("accept", ["text/html", "image/png, text/*", f"{JSON};q=0"])
async def test_client_that_takes_no_json_is_refused(server: GraphQLServer, accept: str) -> None:
    reply = await post(server, {"query": "mutation { patient }"}, Accept=accept)

    assert (reply.status, reply.codes) == (406, ["NOT_ACCEPTABLE"])
    assert reply.headers["content-type"] == "application/json; charset=utf-8"
    assert not server.oddities.begun.is_set()


# GET and other methods


async def test_query_by_get_is_answered(server: GraphQLServer) -> None:
    reply = await get(
        server,
        query="query A($name: String) { greeting(name: $name) }",
        variables='{"name": "Zoë"}',
        operationName="A",
        extensions="{}",
    )

    assert (reply.status, reply.json) == (200, {"data": {"greeting": "Hello, Zoë!"}})


async def test_query_by_get_without_a_header_against_csrf_is_refused(server: GraphQLServer) -> None:
    reply = await get(server, csrf="", query="{ patient }")

    assert (reply.status, reply.codes) == (400, ["CSRF_HEADER_MISSING"])
    assert not server.oddities.begun.is_set()


async def test_mutation_by_get_is_refused(server: GraphQLServer) -> None:
    reply = await get(server, query="mutation { patient }")

    assert (reply.status, reply.codes) == (405, ["METHOD_NOT_ALLOWED"])
    assert reply.headers["allow"] == "POST"
    assert not server.oddities.begun.is_set()


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, "BAD_REQUEST"),
        ({"query": "{ greeting }", "variables": "{"}, "INVALID_JSON"),
        ({"query": "{ greeting }", "variables": "[]"}, "BAD_REQUEST"),
        ({"query": "{ greeting }", "extensions": "1"}, "BAD_REQUEST"),
    ],
)
async def test_malformed_get_is_refused(server: GraphQLServer, fields: dict[str, str], code: str) -> None:
    reply = await get(server, **fields)

    assert (reply.status, reply.codes) == (400, [code])


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_other_methods_are_refused(server: GraphQLServer, method: str) -> None:
    reply = await get(server, method, query="{ greeting }")

    assert (reply.status, reply.codes) == (405, ["METHOD_NOT_ALLOWED"])
    assert reply.headers["allow"] == "GET, POST"


@pytest.mark.parametrize("fields", [{}, {"query": "{ patient }"}], ids=["plain", "a link with a query"])
async def test_browser_gets_graphiql(server: GraphQLServer, fields: dict[str, str]) -> None:
    reply = await get(server, csrf="", accept=BROWSER, **fields)

    assert reply.status == 200
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert b'data-config="{&quot;endpoint&quot;: &quot;/graphql&quot;' in reply.body
    assert not server.oddities.begun.is_set()


async def test_program_that_takes_html_as_well_gets_data(server: GraphQLServer) -> None:
    reply = await get(server, accept=f"{JSON}, text/html;q=0.9", query="{ greeting }")

    assert reply.json == {"data": {"greeting": "Hello, world!"}}


async def test_graphiql_can_be_switched_off(server: GraphQLServer, listener: Listener) -> None:
    listener.app = GraphQLEndpoint(SCHEMA, server.use_cases, LIMITS, lambda _: "", OPEN, exposure=HIDDEN)
    reply = await get(server, csrf="", accept="text/html")

    assert (reply.status, reply.codes) == (406, ["NOT_ACCEPTABLE"])


# Ids of requests


async def test_errors_name_the_request(server: GraphQLServer) -> None:
    first, second = [await post(server, {"query": "{ nothing }"}) for _ in range(2)]

    ids = {reply.json["errors"][0]["extensions"]["requestId"] for reply in (first, second)}
    assert len(ids) == 2


async def test_errors_name_the_request_as_the_middleware_does(server: GraphQLServer, listener: Listener) -> None:
    async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"]["request_id"] = "request-7"
        await server.endpoint(scope, receive, send)

    listener.app = middleware
    for query in ("", "{", "{ fatal }", "{ failing }"):
        reply = await post(server, {"query": query})
        assert [error["extensions"]["requestId"] for error in reply.json["errors"]] == ["request-7"]


# Clients that go away


@pytest.mark.parametrize(("kind", "ending"), [("query", "query was cancelled"), ("mutation", "mutation was finished")])
async def test_client_that_does_not_wait(server: GraphQLServer, kind: str, ending: str) -> None:
    """Queries are cancelled, mutations finished."""
    body = json.dumps({"query": f"{kind} {{ patient }}"}).encode()
    async with server.connection() as connection:
        await connection.send_head(Content_Type=JSON, Content_Length=str(len(body)))
        await connection.send(body)
        async with asyncio.timeout(10):
            await server.oddities.begun.wait()
        connection.abort()

    if kind == "mutation":
        server.oddities.go_on.set()
        await server.endpoint.settle()
    async with asyncio.timeout(10):
        while not server.oddities.ended:  # noqa: ASYNC110  # nothing tells when a cancelled resolver is over
            await asyncio.sleep(0.01)
    assert server.oddities.ended == [ending]


async def test_mutation_whose_request_is_cancelled_is_finished(server: GraphQLServer) -> None:
    """As when the server stops: whoever stops it waits for `settle`."""
    messages = iter([{"type": "http.request", "body": b'{"query": "mutation { patient }"}', "more_body": False}])

    async def receive() -> dict[str, object]:
        return next(messages)

    async def send(_message: object) -> None:
        pytest.fail("nobody is left to be answered")

    request = asyncio.create_task(server.endpoint(dict(POST_SCOPE), receive, send))
    await server.oddities.begun.wait()
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request

    server.oddities.go_on.set()
    await server.endpoint.settle()
    assert server.oddities.ended == ["mutation was finished"]


@pytest.mark.parametrize("kind", ["query", "mutation"])
async def test_nothing_is_begun_for_a_client_that_left_before_its_long_document_had_its_turn(
    server: GraphQLServer, kind: str
) -> None:
    body = json.dumps({"query": f"{kind} {{ patient }} # {LONG}"}).encode()
    sent: list[Message] = [{"type": "http.request", "body": body}, {"type": "http.disconnect"}]
    messages = iter(sent)

    async def receive() -> Message:
        return next(messages)

    async def send(_message: object) -> None:
        pytest.fail("nobody is left to be answered")

    await server.endpoint(dict(POST_SCOPE), receive, send)
    await server.endpoint.settle()
    assert not server.oddities.begun.is_set()


async def test_who_sends_one_more_new_document_than_may_wait_is_asked_to_come_again(server: GraphQLServer) -> None:
    documents = [f"{{ greeting }} # {number} {LONG}" for number in range(WAITING_MAX + 1)]
    statuses: list[int] = []
    refused: list[tuple[bytes, bytes]] = []

    async def ask(document: str) -> None:
        sent: list[Message] = [{"type": "http.request", "body": json.dumps({"query": document}).encode()}]

        async def receive() -> Message:
            return sent.pop() if sent else await asyncio.Future()

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])
                refused.extend(message["headers"] if message["status"] == 503 else [])

        await server.endpoint(dict(POST_SCOPE), receive, send)

    await asyncio.gather(*map(ask, documents))
    assert sorted(statuses) == [200] * WAITING_MAX + [503]
    assert dict(refused)[b"retry-after"] == b"1"


async def test_bug_of_the_endpoint_itself_is_masked(
    server: GraphQLServer, listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    def broken_base_url(_connection: object) -> str:
        message = "the secret of the proxy"
        raise LookupError(message)

    listener.app = GraphQLEndpoint(SCHEMA, server.use_cases, LIMITS, broken_base_url, OPEN)
    with caplog.at_level(logging.ERROR):
        reply = await post(server, {"query": "{ greeting }"})

    assert (reply.status, reply.codes) == (500, ["INTERNAL_ERROR"])
    assert b"secret" not in reply.body
    assert len(caplog.records) == 1
