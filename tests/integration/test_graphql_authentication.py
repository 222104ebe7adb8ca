"""A gallery that wants to know who asks, on a real socket: WebSockets, event streams, and files that are not read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from gallery.domain.access import Role, Scope
from gallery.domain.accounts import ApiToken, new_secret
from tests.entities import NOON, a_token, an_account
from tests.graphql_server import GraphQLServer, Listener, graphql_server

ACK = {"type": "connection_ack"}
COUNT = "subscription { count(to: 3) }"
PATIENT = "subscription { patient }"


class Door:
    """The server, and somebody whom it knows."""

    def __init__(self, server: GraphQLServer, role: Role = Role.EDITOR, *scopes: Scope) -> None:
        self.server = server
        account = an_account()
        self.token, secret = a_token(account, role=role, scopes=scopes)
        self.shown = f"Bearer {secret}"
        server.gallery.tables.accounts[account.id] = account
        server.gallery.tables.tokens[self.token.id] = self.token

    def revoke(self) -> ApiToken:
        """As another process does, more than five seconds ago."""
        revoked = self.server.gallery.tables.tokens[self.token.id] = self.token.revoked(NOON)
        self.server.gallery.clock.advance(minutes=1)
        return revoked

    def change_role(self, role: Role) -> None:
        """As another process does to the account, more than five seconds ago."""
        accounts = self.server.gallery.tables.accounts
        accounts[self.token.account_id] = replace(accounts[self.token.account_id], role=role)
        self.server.gallery.clock.advance(minutes=1)

    @asynccontextmanager
    async def opened(self, authorization: str | None = None) -> AsyncIterator[ClientConnection]:
        async with connect(
            f"ws://127.0.0.1:{self.server.port}/graphql",
            subprotocols=[Subprotocol("graphql-transport-ws")],
            additional_headers={} if authorization is None else {"Authorization": authorization},
        ) as socket:
            yield socket


@pytest.fixture
async def door(listener: Listener) -> AsyncIterator[Door]:
    async with graphql_server(listener, is_open=False) as server:
        yield Door(server)
        await server.gallery.authenticator.settle()


async def send(socket: ClientConnection, **message: object) -> None:
    await socket.send(json.dumps(message))


async def heard(socket: ClientConnection) -> Any:  # noqa: ANN401  # any JSON
    async with asyncio.timeout(20):
        return json.loads(await socket.recv())


async def closing(socket: ClientConnection) -> tuple[int | None, str | None]:
    async with asyncio.timeout(20):
        with pytest.raises(ConnectionClosed):
            await socket.recv()
    return socket.close_code, socket.close_reason


async def subscribe(socket: ClientConnection, query: str, id_: str = "1") -> None:
    await send(socket, type="subscribe", id=id_, payload={"query": query})


def codes(message: dict[str, Any]) -> list[str]:
    return [error["extensions"]["code"] for error in message["payload"]]


# WebSockets


async def test_a_token_is_shown_in_the_header_of_the_handshake(door: Door) -> None:
    async with door.opened(door.shown) as socket:
        await send(socket, type="connection_init")
        assert await heard(socket) == ACK
        await subscribe(socket, COUNT)

        assert (await heard(socket))["payload"] == {"data": {"count": 1}}


async def test_a_token_is_shown_in_the_first_message(door: Door) -> None:
    async with door.opened() as socket:
        await send(socket, type="connection_init", payload={"authorization": door.shown})
        assert await heard(socket) == ACK
        await subscribe(socket, COUNT)

        assert (await heard(socket))["payload"] == {"data": {"count": 1}}


async def test_a_wrong_token_in_the_header_is_refused_before_the_handshake(door: Door) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with door.opened(f"Bearer {new_secret()}"):
            pass

    response = refused.value.response
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == 'Bearer realm="gallery", error="invalid_token"'
    assert json.loads(response.body)["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (None, "Say who you are"),
        ({"authorization": "Basic eA=="}, "The header `Authorization` is to be"),
        ({"authorization": f"Bearer {new_secret()}"}, "This is no token of the gallery"),
    ],
    ids=["nothing", "other scheme", "made up"],
)
async def test_whoever_is_not_known_is_shown_out_at_the_first_message(
    door: Door, payload: dict[str, str] | None, reason: str
) -> None:
    async with door.opened() as socket:
        await send(socket, type="connection_init", payload=payload)

        code, said = await closing(socket)

    assert code == 4403
    assert (said or "").startswith(reason)


async def test_the_first_message_counts_for_more_than_the_header(door: Door) -> None:
    async with door.opened(door.shown) as socket:
        await send(socket, type="connection_init", payload={"authorization": f"Bearer {new_secret()}"})

        assert (await closing(socket))[0] == 4403


async def test_without_the_database_a_client_is_to_come_again(door: Door) -> None:
    door.server.gallery.database.unavailable = True
    async with door.opened() as socket:
        await send(socket, type="connection_init", payload={"authorization": door.shown})

        assert (await closing(socket))[0] == 1013
    with pytest.raises(InvalidStatus) as refused:
        async with door.opened(door.shown):
            pass
    assert refused.value.response.status_code == 503


async def test_a_token_that_is_revoked_ends_what_goes_on_and_begins_nothing_more(door: Door) -> None:
    async with door.opened(door.shown) as socket:
        await send(socket, type="connection_init")
        assert await heard(socket) == ACK
        await subscribe(socket, PATIENT)
        assert (await heard(socket))["payload"] == {"data": {"patient": "begun"}}

        door.revoke()
        door.server.oddities.go_on.set()
        ended = await heard(socket)
        await subscribe(socket, COUNT, "2")
        refused = await heard(socket)

    assert (ended["type"], ended["id"], codes(ended)) == ("error", "1", ["UNAUTHENTICATED"])
    assert (refused["type"], refused["id"], codes(refused)) == ("error", "2", ["UNAUTHENTICATED"])


async def test_who_may_do_something_else_meanwhile_subscribes_anew(door: Door) -> None:
    async with door.opened(door.shown) as socket:
        await send(socket, type="connection_init")
        assert await heard(socket) == ACK
        await subscribe(socket, PATIENT)
        assert (await heard(socket))["payload"] == {"data": {"patient": "begun"}}

        door.change_role(Role.VIEWER)
        door.server.oddities.go_on.set()
        ended = await heard(socket)
        await subscribe(socket, COUNT, "2")
        anew = await heard(socket)

    assert (ended["type"], ended["id"], codes(ended)) == ("error", "1", ["FORBIDDEN"])
    assert (anew["id"], anew["payload"]) == ("2", {"data": {"count": 1}})


async def test_who_may_only_add_hears_nothing(listener: Listener) -> None:
    async with graphql_server(listener, is_open=False) as server:
        door = Door(server, Role.EDITOR, Scope.UPLOAD)
        async with door.opened(door.shown) as socket:
            await send(socket, type="connection_init")
            assert await heard(socket) == ACK
            await subscribe(socket, COUNT)

            assert codes(await heard(socket)) == ["FORBIDDEN"]
        await server.gallery.authenticator.settle()


# Event streams


@pytest.mark.parametrize(
    ("change", "code"),
    [(Door.revoke, b"UNAUTHENTICATED"), (lambda door: door.change_role(Role.VIEWER), b"FORBIDDEN")],
    ids=["revoked", "another role"],
)
async def test_a_stream_of_events_ends_when_its_token_is_worth_something_else(
    door: Door, change: Callable[[Door], object], code: bytes
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", door.server.port)
    body = json.dumps({"query": PATIENT}).encode()
    head = [
        "POST /graphql HTTP/1.1",
        "Host: gallery.example",
        f"Authorization: {door.shown}",
        "Content-Type: application/json",
        "Accept: text/event-stream",
        f"Content-Length: {len(body)}",
        "Connection: close",
    ]
    writer.write("\r\n".join([*head, "", ""]).encode() + body)
    async with asyncio.timeout(20):
        begun = await reader.readuntil(b'"begun"')
        change(door)
        door.server.oddities.go_on.set()
        rest = await reader.read()
    writer.close()

    assert begun.startswith(b"HTTP/1.1 200 OK")
    assert code in rest
    assert b'"subscription"' not in rest
    assert b"event: complete" in rest


# Files


async def test_no_file_of_a_stranger_is_read(door: Door) -> None:
    body = (
        b'------boundary-of-tests\r\nContent-Disposition: form-data; name="operations"\r\n\r\n'
        b'{"query": "mutation ($file: Upload!) { uploadImage(input: {file: $file}) { outcome } }",'
        b' "variables": {"file": null}}\r\n'
        b'------boundary-of-tests\r\nContent-Disposition: form-data; name="map"\r\n\r\n{"0": ["variables.file"]}\r\n'
        b'------boundary-of-tests\r\nContent-Disposition: form-data; name="0"; filename="a.jpg"\r\n\r\n'
        b"a photograph\r\n------boundary-of-tests--\r\n"
    )

    stranger = await door.server.post(body)
    wrong = await door.server.post(body, Authorization=f"Bearer {new_secret()}")

    assert (stranger.status, stranger.codes) == (401, ["UNAUTHENTICATED"])
    assert (wrong.status, wrong.codes) == (401, ["UNAUTHENTICATED"])
    assert stranger.headers["www-authenticate"] == 'Bearer realm="gallery"'
    assert door.server.holds_nothing()
