"""GraphQL over WebSocket on a real socket: the subprotocol, what breaks it, and clients that are slow or gone."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin, Subprotocol

from gallery.web.graphql.persisted import OperationSource
from gallery.web.graphql.trusted import TrustedDocuments
from tests.graphql_server import (
    FLOOD_BYTES,
    LIMITS,
    MAX_SOCKET_OPERATIONS,
    SCHEMA,
    GraphQLServer,
    graphql_server,
    listening,
)
from tests.integration.cache_support import eventually

SUBPROTOCOL = "graphql-transport-ws"
INIT = {"type": "connection_init"}
ACK = {"type": "connection_ack"}
MOST_FLOODED_BYTES = 64 * 1024 * 1024
"""Far more than kernel, server and client have room for, and far less than a flood that nobody stops."""


class Client:
    """One connection, spoken to in JSON."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def send(self, message: object) -> None:
        await self.socket.send(message if isinstance(message, str | bytes) else json.dumps(message))

    async def subscribe(self, query: str, id_: str = "1", **parameters: object) -> None:
        await self.send({"type": "subscribe", "id": id_, "payload": {"query": query, **parameters}})

    async def next(self) -> Any:  # noqa: ANN401  # any JSON
        async with asyncio.timeout(20):
            return json.loads(await self.socket.recv())

    async def closing(self) -> tuple[int, str]:
        """By which code and reason the server closes, after whatever else it sends."""
        async with asyncio.timeout(20):
            await self.socket.wait_closed()
        assert self.socket.close_code is not None
        return self.socket.close_code, self.socket.close_reason or ""


@asynccontextmanager
async def opened(
    port: int, *subprotocols: str, origin: str | None = None, max_queue: int | None = 16
) -> AsyncIterator[Client]:
    async with connect(
        f"ws://127.0.0.1:{port}/graphql",
        subprotocols=[Subprotocol(name) for name in subprotocols] or None,
        origin=None if origin is None else Origin(origin),
        compression=None,
        max_queue=max_queue,
    ) as socket:
        yield Client(socket)


@pytest.fixture
async def client(server: GraphQLServer) -> AsyncIterator[Client]:
    """One that has not been initialised."""
    async with opened(server.port, SUBPROTOCOL) as client:
        yield client


@pytest.fixture
async def ready(client: Client) -> Client:
    await client.send(INIT)
    assert await client.next() == ACK
    return client


def of_count(number: int, id_: str = "1") -> dict[str, Any]:
    return {"type": "next", "id": id_, "payload": {"data": {"count": number}}}


def complete(id_: str = "1") -> dict[str, Any]:
    return {"type": "complete", "id": id_}


def codes(message: dict[str, Any]) -> list[str]:
    errors = message["payload"] if message["type"] == "error" else message["payload"]["errors"]
    return [error["extensions"]["code"] for error in errors]


# Operations


async def test_results_of_a_subscription_come_one_by_one_and_then_it_is_complete(ready: Client) -> None:
    await ready.subscribe("subscription ($to: Int!) { count(to: $to) }", variables={"to": 3})

    assert [await ready.next() for _ in range(4)] == [of_count(1), of_count(2), of_count(3), complete()]


@pytest.mark.parametrize(
    ("document", "data"),
    [
        ('{ greeting(name: "Zoë 高") }', {"greeting": "Hello, Zoë 高!"}),
        ("query A { greeting } query B { twice(number: 2) }", {"twice": 4}),
        ("{ baseUrl }", {"baseUrl": "https://127.0.0.1:{port}"}),
    ],
)
async def test_a_query_has_one_result(
    server: GraphQLServer, ready: Client, document: str, data: dict[str, Any]
) -> None:
    await ready.subscribe(document, operationName="B" if " B " in document else None)
    expected = json.loads(json.dumps(data).replace("{port}", str(server.port)))

    assert await ready.next() == {"type": "next", "id": "1", "payload": {"data": expected}}
    assert await ready.next() == complete()


async def test_a_mutation_is_done(server: GraphQLServer, ready: Client) -> None:
    server.oddities.go_on.set()
    await ready.subscribe("mutation { patient }")

    assert (await ready.next())["payload"] == {"data": {"patient": "mutation"}}
    assert server.oddities.ended == ["mutation was finished"]


async def test_operations_run_beside_each_other(server: GraphQLServer, ready: Client) -> None:
    await ready.subscribe("subscription { patient }", "slow")
    assert (await ready.next())["payload"] == {"data": {"patient": "begun"}}
    await ready.subscribe("subscription { count(to: 1) }", "fast")
    assert [await ready.next(), await ready.next()] == [of_count(1, "fast"), complete("fast")]
    server.oddities.go_on.set()

    assert (await ready.next())["id"] == "slow"


async def test_an_id_may_be_used_again_when_its_operation_is_complete(ready: Client) -> None:
    for _ in range(2):
        await ready.subscribe("subscription { count(to: 1) }")
        assert [await ready.next(), await ready.next()] == [of_count(1), complete()]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("subscription { nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("query A { greeting } query B { greeting }", "OPERATION_NAME_REQUIRED"),
        ("query ($n: Int!) { twice(number: $n) }", "BAD_USER_INPUT"),
        ("subscription { refused }", "NOT_FOUND"),
    ],
)
async def test_what_goes_wrong_is_told_with_a_code_and_the_connection_lives_on(
    ready: Client, query: str, code: str
) -> None:
    await ready.subscribe(query)
    told = await ready.next()
    assert codes(told) == [code]
    if told["type"] == "next":
        assert await ready.next() == complete()
    await ready.subscribe("subscription { count(to: 1) }")

    assert await ready.next() == of_count(1)


async def test_a_failure_is_masked(ready: Client) -> None:
    await ready.subscribe("{ failing }")
    told = await ready.next()

    assert told["payload"]["data"] == {"failing": None}
    assert codes(told) == ["INTERNAL_ERROR"]
    assert "hunter2" not in json.dumps(told)


async def test_documents_may_be_named_by_their_hashes(server: GraphQLServer, ready: Client) -> None:
    document = "subscription { count(to: 1) }"
    sha256 = hashlib.sha256(document.encode()).hexdigest()
    payload = {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": sha256}}}
    await ready.send({"type": "subscribe", "id": "1", "payload": payload})
    assert codes(await ready.next()) == ["PERSISTED_QUERY_NOT_FOUND"]
    await server.documents.keep(sha256, document)
    await ready.send({"type": "subscribe", "id": "1", "payload": payload})

    assert await ready.next() == of_count(1)


async def test_a_hash_of_another_document_is_refused_without_closing(ready: Client) -> None:
    await ready.subscribe("{ greeting }", extensions={"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}})

    assert codes(await ready.next()) == ["PERSISTED_QUERY_MISMATCH"]


async def test_nothing_but_trusted_documents_is_executed_where_only_they_are(server: GraphQLServer) -> None:
    trusted = TrustedDocuments({"count": "subscription { count(to: 1) }"}, exclusive=True)
    server.sockets = server.new_sockets(operations=OperationSource(SCHEMA, trusted=trusted))
    async with opened(server.port, SUBPROTOCOL) as client:
        await client.send(INIT)
        await client.next()
        await client.subscribe("subscription { patient }")
        assert codes(await client.next()) == ["DOCUMENT_NOT_TRUSTED"]
        assert not server.oddities.begun.is_set()
        await client.send({"type": "subscribe", "id": "1", "payload": {"documentId": "count"}})

        assert await client.next() == of_count(1)


async def test_mutations_that_nobody_waits_for_count_until_they_are_done(server: GraphQLServer, ready: Client) -> None:
    for number in range(MAX_SOCKET_OPERATIONS):
        await ready.subscribe("mutation { patient }", str(number))
        await server.oddities.begun.wait()
        server.oddities.begun.clear()
        await ready.send(complete(str(number)))
    await ready.subscribe("mutation { patient }", "one more")
    refused = await ready.next()
    assert (refused["id"], codes(refused)) == ("one more", ["TOO_MANY_OPERATIONS"])
    server.oddities.go_on.set()
    await server.sockets.settle()
    await ready.subscribe("mutation { patient }", "now")

    assert (await ready.next())["payload"] == {"data": {"patient": "mutation"}}
    assert server.oddities.ended == ["mutation was finished"] * (MAX_SOCKET_OPERATIONS + 1)


async def test_operations_of_one_connection_are_bounded(ready: Client) -> None:
    for number in range(MAX_SOCKET_OPERATIONS):
        await ready.subscribe("subscription { patient }", str(number))
        assert (await ready.next())["type"] == "next"
    await ready.subscribe("subscription { patient }", "one more")
    refused = await ready.next()
    assert (refused["id"], codes(refused)) == ("one more", ["TOO_MANY_OPERATIONS"])
    await ready.send(complete("0"))
    await ready.send({"type": "ping"})
    assert await ready.next() == {"type": "pong"}
    await ready.subscribe("subscription { count(to: 1) }", "now")

    assert await ready.next() == of_count(1, "now")


# The end of operations


async def test_a_client_that_has_heard_enough_of_an_operation_ends_it(server: GraphQLServer, ready: Client) -> None:
    await ready.subscribe("subscription { patient }")
    await ready.next()
    await ready.send(complete())
    await eventually(lambda: server.oddities.ended == ["subscription was cancelled"])
    await ready.subscribe("subscription { count(to: 1) }")

    assert await ready.next() == of_count(1)  # nothing more of the one before, not even that it is complete


async def test_the_end_of_an_operation_that_is_not_there_is_passed_over(ready: Client) -> None:
    await ready.send(complete("other"))
    await ready.subscribe("subscription { count(to: 1) }")

    assert await ready.next() == of_count(1)


@pytest.mark.parametrize("politely", [True, False])
async def test_subscriptions_of_a_client_that_goes_away_are_ended(server: GraphQLServer, politely: bool) -> None:
    async with opened(server.port, SUBPROTOCOL) as client:
        await client.send(INIT)
        await client.next()
        await client.subscribe("subscription { patient }")
        assert (await client.next())["type"] == "next"
        if politely:
            await client.socket.close()
        else:
            client.socket.transport.abort()
        await eventually(lambda: server.oddities.ended == ["subscription was cancelled"])


async def test_a_mutation_whose_client_goes_away_is_finished(server: GraphQLServer) -> None:
    async with opened(server.port, SUBPROTOCOL) as client:
        await client.send(INIT)
        await client.subscribe("mutation { patient }")
        await server.oddities.begun.wait()
    server.oddities.go_on.set()
    await server.sockets.settle()

    assert server.oddities.ended == ["mutation was finished"]


async def test_a_query_whose_client_goes_away_is_cancelled(server: GraphQLServer) -> None:
    async with opened(server.port, SUBPROTOCOL) as client:
        await client.send(INIT)
        await client.subscribe("{ patient }")
        await server.oddities.begun.wait()
    await eventually(lambda: server.oddities.ended == ["query was cancelled"])


async def test_connections_are_closed_when_the_server_stops(server: GraphQLServer, ready: Client) -> None:
    await ready.subscribe("subscription { patient }")
    await ready.next()
    server.stopping.set()

    assert await ready.closing() == (1001, "The server stops")
    assert server.oddities.ended == ["subscription was cancelled"]


# The protocol


async def test_a_ping_is_answered_also_before_the_connection_is_initialised(client: Client) -> None:
    await client.send({"type": "ping", "payload": {"at": 7}})
    assert await client.next() == {"type": "pong", "payload": {"at": 7}}
    await client.send({"type": "pong"})
    await client.send(INIT | {"payload": {"token": "x"}})

    assert await client.next() == ACK


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(b"{}", id="bytes"),
        pytest.param("", id="empty"),
        pytest.param("{", id="no JSON"),
        pytest.param("[" * 3000, id="nested deeply"),
        pytest.param([], id="a list"),
        pytest.param([INIT], id="a list of messages"),
        pytest.param('"connection_init"', id="a string"),
        pytest.param("7", id="a number"),
        pytest.param("null", id="null"),
        pytest.param({}, id="no type"),
        pytest.param({"type": "nothing"}, id="another type"),
        pytest.param({"type": ["ping"]}, id="type a list"),
        pytest.param({"type": "connection_ack"}, id="of the server"),
        pytest.param({"type": "start", "id": "1", "payload": {"query": "{ greeting }"}}, id="of graphql-ws"),
        pytest.param({"type": "ping", "payload": 7}, id="ping with a number"),
        pytest.param({"type": "pong", "payload": []}, id="pong with a list"),
        pytest.param({"type": "complete"}, id="complete without an id"),
        pytest.param({"type": "subscribe", "payload": {"query": "{ greeting }"}}, id="no id"),
        pytest.param({"type": "subscribe", "id": "", "payload": {"query": "{ greeting }"}}, id="id empty"),
        pytest.param({"type": "subscribe", "id": 7, "payload": {"query": "{ greeting }"}}, id="id a number"),
        pytest.param({"type": "subscribe", "id": "1"}, id="no payload"),
        pytest.param({"type": "subscribe", "id": "1", "payload": ["{ greeting }"]}, id="payload a list"),
        pytest.param({"type": "subscribe", "id": "1", "payload": {}}, id="no query"),
        pytest.param({"type": "subscribe", "id": "1", "payload": {"query": 7}}, id="query a number"),
        pytest.param(
            {"type": "subscribe", "id": "1", "payload": {"query": "{ greeting }", "variables": []}}, id="variables"
        ),
    ],
)
async def test_a_message_that_is_none_closes_with_4400(ready: Client, message: object) -> None:
    await ready.send(message)
    code, reason = await ready.closing()

    assert code == 4400
    assert reason


async def test_an_initialisation_with_a_malformed_payload_closes_with_4400(client: Client) -> None:
    await client.send(INIT | {"payload": "token"})

    assert (await client.closing())[0] == 4400


async def test_an_operation_before_the_initialisation_closes_with_4401(server: GraphQLServer, client: Client) -> None:
    await client.subscribe("mutation { patient }")

    assert await client.closing() == (4401, "Unauthorized")
    assert not server.oddities.begun.is_set()


@pytest.mark.parametrize("sent", [[], [{"type": "ping"}]])
async def test_a_client_that_does_not_initialise_is_closed_with_4408(
    server: GraphQLServer, sent: list[dict[str, str]]
) -> None:
    server.sockets = server.new_sockets(init_timeout_seconds=0.05)
    async with opened(server.port, SUBPROTOCOL) as client:
        for message in sent:
            await client.send(message)

        assert await client.closing() == (4408, "Connection initialisation timeout")


async def test_a_client_that_was_initialised_in_time_may_be_silent(server: GraphQLServer) -> None:
    server.sockets = server.new_sockets(init_timeout_seconds=0.3)
    async with opened(server.port, SUBPROTOCOL) as client:
        await client.send(INIT)
        assert await client.next() == ACK
        await asyncio.sleep(0.5)
        await client.send({"type": "ping"})

        assert await client.next() == {"type": "pong"}


async def test_an_id_that_is_in_use_closes_with_4409(server: GraphQLServer, ready: Client) -> None:
    for _ in range(2):
        await ready.subscribe("subscription { patient }", "twice")

    assert await ready.closing() == (4409, "Subscriber for twice already exists")
    assert server.oddities.ended in ([], ["subscription was cancelled"])


async def test_a_reason_is_no_longer_than_a_frame_has_room_for(ready: Client) -> None:
    for _ in range(2):
        await ready.subscribe("subscription { patient }", "高" * 100)
    code, reason = await ready.closing()

    assert code == 4409
    assert reason.startswith("Subscriber for 高高高")
    assert len(reason.encode()) <= 123


async def test_a_second_initialisation_closes_with_4429(ready: Client) -> None:
    await ready.send(INIT)

    assert await ready.closing() == (4429, "Too many initialisation requests")


async def test_a_message_beyond_the_limit_closes_with_1009(server: GraphQLServer, ready: Client) -> None:
    await ready.subscribe("mutation { patient } " + "#" * LIMITS.max_field_size)

    assert (await ready.closing())[0] == 1009
    assert not server.oddities.begun.is_set()


@pytest.mark.parametrize("subprotocols", [(), ("graphql-ws",), ("graphql-sse", "other")])
async def test_other_subprotocols_are_closed_with_4406(server: GraphQLServer, subprotocols: tuple[str, ...]) -> None:
    async with opened(server.port, *subprotocols) as client:
        assert client.socket.subprotocol is None
        assert await client.closing() == (4406, "Subprotocol not acceptable")


async def test_the_newer_subprotocol_is_taken_of_several(server: GraphQLServer) -> None:
    async with opened(server.port, "graphql-ws", SUBPROTOCOL) as client:
        assert client.socket.subprotocol == SUBPROTOCOL
        await client.send(INIT)

        assert await client.next() == ACK


async def test_pages_of_another_origin_are_refused_before_the_handshake(server: GraphQLServer) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with opened(server.port, SUBPROTOCOL, origin="https://evil.example"):
            pytest.fail("it was let in")
    response = refused.value.response

    assert response.status_code == 403
    assert json.loads(response.body)["errors"][0]["extensions"]["code"] == "ORIGIN_NOT_ALLOWED"


async def test_pages_of_an_origin_that_is_allowed_are_let_in(server: GraphQLServer) -> None:
    async with opened(server.port, SUBPROTOCOL, origin="https://app.example") as client:
        await client.send(INIT)

        assert await client.next() == ACK


# Clients that read slowly, or not at all


async def test_a_client_that_reads_nothing_holds_its_subscription_up(server: GraphQLServer) -> None:
    async with opened(server.port, SUBPROTOCOL, max_queue=1) as client:
        await client.send(INIT)
        await client.next()
        await client.subscribe("subscription { flood }")
        stood_at = await stands_still(server)
        assert 0 < stood_at * FLOOD_BYTES < MOST_FLOODED_BYTES
        for _ in range(2 * stood_at):
            assert (await client.next())["type"] == "next"

        assert server.oddities.flooded > stood_at
    await eventually(lambda: server.oddities.ended == ["flood"])


async def test_a_client_that_is_there_no_more_is_given_up_though_it_never_said_so() -> None:
    async with listening(ping_seconds=0.2) as listener, graphql_server(listener) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(HANDSHAKE)
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # of the transport of a socket
        for message in (INIT, {"type": "subscribe", "id": "1", "payload": {"query": "subscription { flood }"}}):
            writer.write(frame(json.dumps(message).encode()))
        await eventually(lambda: server.oddities.ended == ["flood"])
        writer.close()


HANDSHAKE = (
    b"GET /graphql HTTP/1.1\r\nHost: gallery.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
)


def frame(text: bytes) -> bytes:
    """A short message as a client sends it, masked with zeros (RFC 6455, section 5.2)."""
    assert len(text) < 126
    return bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text


async def stands_still(server: GraphQLServer) -> int:
    """At which number the flood has come to a halt."""
    async with asyncio.timeout(60):
        last = -1
        while server.oddities.flooded != last or not last:
            last = server.oddities.flooded
            await asyncio.sleep(0.5)
    return last
