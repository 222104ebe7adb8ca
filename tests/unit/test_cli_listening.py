"""Sockets of several processes: one for each, and none at which a client waits for long."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest
import typer

from gallery.cli.listening import Neighbour, address_of, begin_to_listen, bound
from gallery.settings import ServerSettings, Settings

LOOPBACK = "127.0.0.1"


def settings_for(*, workers: int, port: int = 0) -> Settings:
    return Settings(server=ServerSettings(host=LOOPBACK, port=port, workers=workers))


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with closing(socket.create_server((LOOPBACK, 0))) as listener:
        listener.settimeout(0)
        yield listener


class Greeter(asyncio.Protocol):
    """Says a word and hangs up."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(b"welcome")
        transport.close()


async def greeted(listener: socket.socket) -> bytes:
    reader, writer = await asyncio.open_connection(*address_of(listener))
    try:
        return await reader.read()
    finally:
        writer.close()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere one socket is shared")
def test_each_process_has_a_socket_at_the_same_address() -> None:
    with bound(settings_for(workers=3)) as listeners:
        begin_to_listen(listeners)

        assert len(listeners) == 3
        assert len({address_of(listener) for listener in listeners}) == 1


@pytest.mark.parametrize("workers", [1, 3])
def test_an_address_is_not_shared_with_another_gallery(workers: int, capsys: pytest.CaptureFixture[str]) -> None:
    with bound(settings_for(workers=2)) as listeners:
        begin_to_listen(listeners)
        _, port = address_of(listeners[0])

        with pytest.raises(typer.Exit), bound(settings_for(workers=workers, port=port)):
            pass

    assert f"Cannot listen on {LOOPBACK} port {port}" in capsys.readouterr().err


async def test_who_waits_at_the_socket_of_another_is_taken(listener: socket.socket) -> None:
    neighbour = Neighbour(listener.dup(), Greeter)

    assert await asyncio.gather(*(greeted(listener) for _ in range(3))) == [b"welcome"] * 3

    neighbour.close()
    await neighbour.wait_closed()


async def test_who_was_taken_by_its_own_process_is_left_to_it(listener: socket.socket) -> None:
    neighbour = Neighbour(listener.dup(), Greeter)
    loop = asyncio.get_running_loop()

    connecting = asyncio.create_task(greeted(listener))
    connection, _ = await loop.sock_accept(listener)
    await loop.sock_sendall(connection, b"mine")
    connection.close()

    assert await connecting == b"mine"
    assert await greeted(listener) == b"welcome"  # it goes on watching
    neighbour.close()


async def test_a_neighbour_that_is_closed_takes_nobody(listener: socket.socket) -> None:
    watching, waiting = Neighbour(listener.dup(), Greeter), Neighbour(listener.dup(), Greeter)
    waiting._wait()
    watching.close()
    waiting.close()

    connecting = asyncio.create_task(greeted(listener))
    connection, _ = await asyncio.get_running_loop().sock_accept(listener)
    connection.close()

    assert await connecting == b""
