"""The address of the server: sockets that are bound before anything else is started, and what is said of it.

Several processes get a socket each where the kernel spreads connections over them (Linux), and share one elsewhere.
Whoever started them holds all sockets, so that no connection is lost with the process that was to take it.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final

import typer

from gallery.cli.running import ExitCode, end
from gallery.settings import Settings

_SPREADS: Final = sys.platform == "linux"
"""Whether connections are spread over sockets of the same address: elsewhere the last one would get them all."""
_BACKLOG: Final = 2048
_PATIENCE_SECONDS: Final = 0.02
"""How long a connection may wait for its own process before another takes it."""
_AT_ONCE: Final = 64


@contextmanager
def bound(settings: Settings) -> Generator[list[socket.socket]]:
    """Sockets at the address, one for each process that can have one of its own; they listen once servers do."""
    host, port = settings.server.host, settings.server.port
    count = settings.server.workers if _SPREADS else 1
    with ExitStack() as opened:
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            # One that is not to be shared finds out whether somebody else has the address, sharing it or not.
            alone = opened.enter_context(socket.socket(family, kind, protocol))
            alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            alone.bind(address)
            listeners = [alone]
            if count > 1:
                address = alone.getsockname()
                alone.close()
                listeners = [opened.enter_context(socket.socket(family, kind, protocol)) for _ in range(count)]
                for listener in listeners:
                    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                    listener.bind(address)
        except OSError as error:
            end(ExitCode.FAILED, f"Cannot listen on {host} port {port}: {error.strerror}. Choose another with --port.")
        yield listeners


def begin_to_listen(listeners: Sequence[socket.socket]) -> None:
    """From now on connections wait until a process takes them."""
    for listener in listeners:
        listener.listen(_BACKLOG)


class Neighbour:
    """A socket that another process takes connections from: what waits there for too long is taken here.

    That process may have ended, or be busy. Has as much of asyncio's servers as uvicorn uses.
    """

    def __init__(self, listener: socket.socket, make_protocol: Callable[[], asyncio.Protocol]) -> None:
        self._listener = listener
        self._make_protocol = make_protocol
        self._loop = asyncio.get_running_loop()
        self._waiting: asyncio.TimerHandle | None = None
        self._opening: set[asyncio.Task[object]] = set()
        self._watch()

    def close(self) -> None:
        """Takes no more."""
        if self._waiting is None:
            self._loop.remove_reader(self._listener)
        else:
            self._waiting.cancel()
        self._listener.close()

    async def wait_closed(self) -> None:
        """Returns once everything that was taken is served."""
        if self._opening:
            await asyncio.wait(self._opening)

    def _watch(self) -> None:
        self._waiting = None
        self._loop.add_reader(self._listener, self._wait)

    def _wait(self) -> None:
        """Somebody has come: gives the other process time."""
        self._loop.remove_reader(self._listener)
        self._waiting = self._loop.call_later(_PATIENCE_SECONDS, self._take)

    def _take(self) -> None:
        """Takes those that still wait; of very many some are left to the next round."""
        for _ in range(_AT_ONCE):
            try:
                connection, _address = self._listener.accept()
            except OSError:  # nobody waits, or the client has left, or there are too many open files
                break
            connection.settimeout(0)
            opening = self._loop.create_task(self._loop.connect_accepted_socket(self._make_protocol, connection))
            self._opening.add(opening)
            opening.add_done_callback(self._opening.discard)
        self._watch()


def announce(settings: Settings, address: tuple[str, int]) -> None:
    """Prints where the gallery is."""
    host, port = address
    shown = f"[{host}]" if ":" in host else host
    base = str(settings.server.public_url or f"http://{shown}:{port}").rstrip("/")
    typer.echo(f"The gallery is ready at {base}")
    typer.echo(f"  GraphQL and GraphiQL  {base}/graphql")
    typer.echo(f"  Schema                {base}/schema.graphql")
    typer.echo(f"  Health                {base}/healthz")
    typer.echo(f"  Data                  {settings.data_dir}")


def address_of(listener: socket.socket) -> tuple[str, int]:
    """Host and port of a bound socket."""
    host, port = listener.getsockname()[:2]
    return host, port
