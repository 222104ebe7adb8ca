"""GraphQL over server-sent events on a real socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from gallery.web.graphql.sse import EventStream
from tests.graphql_server import GraphQLServer, Listener, graphql_server, listening
from tests.multipart_bodies import CONTENT_TYPE, END, file_map, operations, part

EVENTS = "text/event-stream"
JSON = "application/json"
COMPLETE = ("complete", None)


@pytest.fixture(scope="module")
async def listener() -> AsyncIterator[Listener]:
    async with listening() as listener:
        yield listener


@pytest.fixture
async def server(listener: Listener) -> AsyncIterator[GraphQLServer]:
    async with graphql_server(listener) as server:
        yield server


@dataclass(frozen=True, slots=True)
class Stream:
    """An answer that is being read."""

    response: httpx.Response
    lines: AsyncIterator[str]

    async def event(self) -> tuple[str, Any]:
        """The next event: its name and its data, passing over comments."""
        fields: dict[str, str] = {}
        async for line in self.lines:
            name, _, value = line.partition(":")
            if name:
                fields[name] = value.removeprefix(" ")
            elif fields:
                return fields["event"], json.loads(fields["data"]) if fields["data"] else None
        raise EOFError

    async def events(self) -> list[tuple[str, Any]]:
        """All that is left."""
        found = []
        with suppress(EOFError):
            while True:
                found.append(await self.event())
        return found


@asynccontextmanager
async def asked(
    server: GraphQLServer, document: str, *, method: str = "POST", accept: str = EVENTS, **headers: str
) -> AsyncIterator[Stream]:
    url = f"http://127.0.0.1:{server.port}/graphql"
    given = {"params": {"query": document}} if method == "GET" else {"json": {"query": document}}
    async with (
        httpx.AsyncClient(timeout=20) as client,
        client.stream(method, url, headers={"Accept": accept, **headers}, **given) as response,  # type: ignore[arg-type]  # either of two
    ):
        yield Stream(response, response.aiter_lines())


def of_count(number: int) -> tuple[str, Any]:
    return "next", {"data": {"count": number}}


async def test_results_of_a_subscription_are_events_and_then_it_is_complete(server: GraphQLServer) -> None:
    async with asked(server, "subscription { count(to: 3) }") as stream:
        assert stream.response.status_code == 200
        assert stream.response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert stream.response.headers["cache-control"] == "no-store"
        assert await stream.events() == [of_count(1), of_count(2), of_count(3), COMPLETE]


async def test_a_subscription_may_come_by_get_with_the_header_against_csrf(server: GraphQLServer) -> None:
    headers = {"X-GraphQL-CSRF": "1"}
    async with asked(server, "subscription { count(to: 1) }", method="GET", **headers) as stream:
        assert await stream.events() == [of_count(1), COMPLETE]


async def test_a_subscription_by_get_without_that_header_is_refused_with_a_status(server: GraphQLServer) -> None:
    async with asked(server, "subscription { count(to: 1) }", method="GET") as stream:
        await stream.response.aread()

    assert stream.response.status_code == 400
    assert stream.response.headers["content-type"] == f"{JSON}; charset=utf-8"
    assert stream.response.json()["errors"][0]["extensions"]["code"] == "CSRF_HEADER_MISSING"


@pytest.mark.parametrize("accept", [f"{JSON}, {EVENTS}", f"application/graphql-response+json, {EVENTS};q=0.1"])
async def test_a_subscription_has_events_even_if_the_client_would_rather_have_json(
    server: GraphQLServer, accept: str
) -> None:
    async with asked(server, "subscription { count(to: 1) }", accept=accept) as stream:
        assert await stream.events() == [of_count(1), COMPLETE]


@pytest.mark.parametrize("accept", [JSON, "*/*", f"{JSON}, {EVENTS};q=0"])
async def test_a_subscription_of_a_client_that_takes_no_events_is_refused(server: GraphQLServer, accept: str) -> None:
    async with asked(server, "subscription { count(to: 1) }", accept=accept) as stream:
        await stream.response.aread()

    assert stream.response.status_code == 400
    error = stream.response.json()["errors"][0]
    assert error["extensions"]["code"] == "BAD_REQUEST"
    assert error["message"] == 'A subscription has many answers. Ask for them with "Accept: text/event-stream".'


@pytest.mark.parametrize(
    ("document", "data"),
    [("{ greeting }", {"greeting": "Hello, world!"}), ("mutation { patient }", {"patient": "mutation"})],
)
async def test_queries_and_mutations_have_one_result(server: GraphQLServer, document: str, data: Any) -> None:  # noqa: ANN401  # any JSON
    server.oddities.go_on.set()
    async with asked(server, document) as stream:
        assert await stream.events() == [("next", {"data": data}), COMPLETE]


async def test_a_mutation_by_get_is_refused_with_a_status(server: GraphQLServer) -> None:
    async with asked(server, "mutation { patient }", method="GET", **{"X-GraphQL-CSRF": "1"}) as stream:
        await stream.response.aread()

    assert (stream.response.status_code, stream.response.headers["allow"]) == (405, "POST")
    assert not server.oddities.begun.is_set()


async def test_a_file_can_be_uploaded_by_a_client_that_takes_events(server: GraphQLServer) -> None:
    query = "mutation ($file: Upload!) { readBackwards(files: [$file]) }"
    body = operations(query) + file_map() + part("0", b"some bytes", filename="a.png") + END
    headers = {"Accept": EVENTS, "X-GraphQL-CSRF": "1", "Content-Type": CONTENT_TYPE}
    async with httpx.AsyncClient(timeout=20) as client:
        url = f"http://127.0.0.1:{server.port}/graphql"
        response = await client.post(url, content=body, headers=headers)

    assert response.text == 'event: next\ndata: {"data":{"readBackwards":["10"]}}\n\nevent: complete\ndata:\n\n'


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ("subscription {", "GRAPHQL_PARSE_FAILED"),
        ("subscription { nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { count(to: 1) greeting }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
    ],
)
async def test_what_is_wrong_with_a_document_is_told_by_an_event(
    server: GraphQLServer, document: str, code: str
) -> None:
    async with asked(server, document) as stream:
        (name, answer), *rest = await stream.events()

    assert stream.response.status_code == 200
    assert (name, rest) == ("next", [COMPLETE])
    assert {error["extensions"]["code"] for error in answer["errors"]} == {code}
    assert "data" not in answer


async def test_a_wrong_variable_is_told_by_an_event(server: GraphQLServer) -> None:
    async with asked(server, "subscription ($to: Int!) { count(to: $to) }") as stream:
        (_, answer), *rest = await stream.events()

    assert rest == [COMPLETE]
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["BAD_USER_INPUT"]


async def test_an_error_that_is_meant_for_clients_ends_a_subscription_with_its_code(server: GraphQLServer) -> None:
    async with asked(server, "subscription { oops: refused }") as stream:
        (_, answer), *rest = await stream.events()

    assert rest == [COMPLETE]
    (error,) = answer["errors"]
    assert (error["message"], error["extensions"]["code"]) == ("There is no such thing.", "NOT_FOUND")
    assert error["path"] == ["oops"]


async def test_a_fault_ends_a_subscription_and_tells_nothing_of_itself(
    server: GraphQLServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with asked(server, "subscription { ...all } fragment all on Subscription { broken }") as stream:
        first, (_, answer), *rest = await stream.events()

    assert (first, rest) == (("next", {"data": {"broken": 1}}), [COMPLETE])
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["INTERNAL_ERROR"]
    assert "hunter2" not in json.dumps(answer)
    assert "hunter2" in caplog.text


async def test_an_error_within_a_result_comes_with_its_data(server: GraphQLServer) -> None:
    async with asked(server, "subscription { choosy { never } }") as stream:
        (_, answer), *rest = await stream.events()

    assert rest == [COMPLETE]
    assert answer["data"] == {"choosy": {"never": None}}
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["NOT_FOUND"]


async def test_when_the_client_goes_away_the_subscription_is_closed(server: GraphQLServer) -> None:
    async with asked(server, "subscription { patient }") as stream:
        assert await stream.event() == ("next", {"data": {"patient": "begun"}})
        await server.oddities.begun.wait()
    async with asyncio.timeout(20):
        while not server.oddities.ended:  # noqa: ASYNC110  # the server tells nobody
            await asyncio.sleep(0.005)

    assert server.oddities.ended == ["subscription was cancelled"]


async def test_when_the_server_stops_the_subscription_is_complete(server: GraphQLServer) -> None:
    async with asked(server, "subscription { patient }") as stream:
        assert await stream.event() == ("next", {"data": {"patient": "begun"}})
        await server.oddities.begun.wait()
        server.stopping.set()

        assert await stream.events() == [COMPLETE]
    assert server.oddities.ended == ["subscription was cancelled"]


async def test_a_stream_in_which_nothing_happens_has_comments(listener: Listener) -> None:
    stopping = asyncio.Event()

    async def nothing() -> AsyncGenerator[bytes]:
        await asyncio.Event().wait()
        yield b"never"

    listener.app = EventStream(nothing(), stopping, keep_alive_seconds=0.01)
    async with (
        httpx.AsyncClient(timeout=20) as client,
        client.stream("GET", f"http://127.0.0.1:{listener.port}/") as response,
    ):
        lines = response.aiter_lines()
        assert [await anext(lines) for _ in range(4)] == [":", "", ":", ""]
        stopping.set()
        assert [line async for line in lines if line not in {":", ""}] == ["event: complete", "data:"]
