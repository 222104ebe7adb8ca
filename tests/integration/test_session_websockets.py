"""WebSockets of browsers in which somebody has signed in, on a real socket: own pages get through, others do not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from gallery.domain.sessions import new_session_secret
from tests.entities import NOON, a_session, an_account
from tests.graphql_server import GraphQLServer, Listener, graphql_server

COUNT = "subscription { count(to: 3) }"
PATIENT = "subscription { patient }"


@pytest.fixture
async def server(listener: Listener) -> AsyncIterator[GraphQLServer]:
    async with graphql_server(listener, is_open=False) as server:
        yield server
        await server.gallery.authenticator.settle()


def cookie(server: GraphQLServer, **fields: object) -> str:
    account = an_account()
    session, secret = a_session(account, **fields)
    server.gallery.tables.accounts[account.id] = account
    server.gallery.tables.sessions[session.id] = session
    return f"gallery_session={secret}"


@asynccontextmanager
async def opened(server: GraphQLServer, headers: Mapping[str, str]) -> AsyncIterator[ClientConnection]:
    async with connect(
        f"ws://127.0.0.1:{server.port}/graphql",
        subprotocols=[Subprotocol("graphql-transport-ws")],
        additional_headers=dict(headers),
    ) as socket:
        await socket.send(json.dumps({"type": "connection_init"}))
        yield socket


async def heard(socket: ClientConnection) -> Any:  # noqa: ANN401  # any JSON
    async with asyncio.timeout(20):
        return json.loads(await socket.recv())


async def subscribe(socket: ClientConnection, query: str) -> None:
    await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": {"query": query}}))


async def test_an_own_page_is_who_has_signed_in(server: GraphQLServer) -> None:
    headers = {"Cookie": cookie(server), "Origin": f"http://127.0.0.1:{server.port}"}

    async with opened(server, headers) as socket:
        assert await heard(socket) == {"type": "connection_ack"}
        await subscribe(socket, COUNT)

        assert (await heard(socket))["payload"] == {"data": {"count": 1}}


@pytest.mark.parametrize("origin", [None, "https://app.example"], ids=["none", "of CORS"])
async def test_without_an_own_origin_a_cookie_is_worth_nothing(server: GraphQLServer, origin: str | None) -> None:
    headers = {"Cookie": cookie(server)} | ({} if origin is None else {"Origin": origin})

    async with opened(server, headers) as socket:
        with pytest.raises(ConnectionClosed):
            await heard(socket)

    assert socket.close_code == 4403


async def test_a_page_of_others_gets_no_connection(server: GraphQLServer) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with opened(server, {"Cookie": cookie(server), "Origin": "https://evil.example"}):
            pass

    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("is_known", [True, False], ids=["ended", "made up"])
async def test_a_session_that_is_none_is_refused_before_the_handshake(server: GraphQLServer, is_known: bool) -> None:
    shown = cookie(server, expires_at=NOON) if is_known else f"gallery_session={new_session_secret()}"

    with pytest.raises(InvalidStatus) as refused:
        async with opened(server, {"Cookie": shown, "Origin": f"http://127.0.0.1:{server.port}"}):
            pass

    assert refused.value.response.status_code == 401


async def test_when_a_session_ends_nothing_more_is_told(server: GraphQLServer) -> None:
    headers = {"Cookie": cookie(server), "Origin": f"http://127.0.0.1:{server.port}"}
    async with opened(server, headers) as socket:
        assert await heard(socket) == {"type": "connection_ack"}
        await subscribe(socket, PATIENT)
        assert (await heard(socket))["payload"] == {"data": {"patient": "begun"}}

        server.gallery.tables.sessions.clear()  # as another process does, more than five seconds ago
        server.gallery.clock.advance(minutes=1)
        server.oddities.go_on.set()
        ended = await heard(socket)

    assert (ended["type"], ended["payload"][0]["extensions"]["code"]) == ("error", "UNAUTHENTICATED")
