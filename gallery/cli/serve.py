"""`gallery serve`: the server, with embedded services for those that have no address."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Annotated

import typer
import uvicorn

from gallery.cli.diagnosis import check_services
from gallery.cli.joined_writes import JoiningHttp
from gallery.cli.running import DataDir, ExitCode, end, run, settings_of
from gallery.cli.websockets import WebSockets
from gallery.container import open_container
from gallery.embedding import running_services
from gallery.logs import configure_logging
from gallery.main import GalleryApp
from gallery.platform.embedded import EmbeddedServers, ServerDiedError
from gallery.settings import LOOPBACK_HOSTS, AuthMode, Settings
from gallery.web.graphql.schema import schema
from gallery.web.graphql.trusted import trusted_documents

_GARBAGE_THRESHOLDS = 50_000, 5, 4
"""How many objects more than before lead to a search among the youngest; how often that is done before older ones are
searched, too. A million objects are so the most that lie about: compiled operations that were forgotten are cycles."""
_SWITCH_SECONDS = 0.001
"""How long a thread that prepares a long document may keep the others waiting; by default five times as long."""
_KEEP_ALIVE_SECONDS = 75
"""Longer than the 60 seconds after which common load balancers close a connection that they keep open."""


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on; 0 takes a free one.", show_default="8000")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Serve the gallery. PostgreSQL, S3 storage and Valkey are started too where settings name none."""
    settings = settings_of({"server": {"host": host, "port": port}, "data_dir": data_dir})
    _refuse_to_expose(settings)
    configure_logging(settings.log)
    run(lambda: _serve(settings))


async def _serve(settings: Settings) -> int:
    trusted_documents(settings.graphql, schema)  # before anything is started: what is wrong is told at once
    with _bound(settings) as listener:
        async with running_services(settings, exclusive=True) as (complete, servers):
            async with open_container(complete) as container:
                await check_services(container)
            return await _Server(complete, listener).run(servers)


class _Server(uvicorn.Server):
    """Serves until a signal comes or an embedded server dies; prints where once requests are answered."""

    def __init__(self, settings: Settings, listener: socket.socket) -> None:
        self._app = GalleryApp(settings)
        super().__init__(
            uvicorn.Config(
                self._app,
                http=JoiningHttp,
                ws=WebSockets,
                ws_max_size=settings.uploads.max_field_size,
                ws_per_message_deflate=False,  # takes memory for each connection, for messages that are short
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=round(settings.server.shutdown_timeout_seconds),
            )
        )
        self._settings = settings
        self._listener = listener

    async def run(self, servers: EmbeddedServers | None) -> int:  # type: ignore[override]  # ours, not uvicorn's
        """Serves to the end; the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop)
        watching = asyncio.create_task(servers.watch() if servers else asyncio.Event().wait())
        watching.add_done_callback(lambda _: self._stop())
        try:
            await self.serve(sockets=[self._listener])
        finally:
            code = await _watched(watching)
        return code

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts as uvicorn does, then says where."""
        await super().startup(sockets=sockets)
        _tune_garbage_collection()
        sys.setswitchinterval(_SWITCH_SECONDS)
        announce(self._settings, self._listener)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stops as uvicorn does. If that did not wait for requests, hangs up and still closes the gallery in order."""
        await super().shutdown(sockets=sockets)
        if self.force_exit:
            for connection in list(self.server_state.connections):
                connection.transport.abort()
            await self.lifespan.shutdown()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leaves signals to `run`: uvicorn would raise them again at its end, before ours."""
        yield

    def _stop(self) -> None:
        """Asks for the end; asked again, does not wait for requests in flight."""
        self._app.stopping.set()
        self.force_exit = self.should_exit
        self.should_exit = True


def _tune_garbage_collection() -> None:
    """Looks for cycles less often, and never among what start-up made, which lives as long as the process.

    A page of fifty images makes thousands of objects that reference counting frees: benchmarks/nested.py shows a
    sixth less processor time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GARBAGE_THRESHOLDS)


async def _watched(watching: asyncio.Task[object]) -> int:
    """Whether the embedded servers were well to the end."""
    watching.cancel()
    try:
        await watching
    except asyncio.CancelledError:
        return 0
    except ServerDiedError as error:
        typer.echo(f"gallery: {error}", err=True)
    return ExitCode.FAILED


def _refuse_to_expose(settings: Settings) -> None:
    """Everybody who reaches the server is its administrator, so reaching it from outside takes a decision."""
    host = settings.server.host
    if host in LOOPBACK_HOSTS:
        return
    if settings.auth.mode is not AuthMode.OPEN:
        message = (
            f"Not listening on {host}: everybody who reaches that address could see, change and delete everything. "
            "Listen on 127.0.0.1, or set GALLERY_AUTH__MODE=open if you trust the whole network."
        )
        end(ExitCode.WRONG_USAGE, message)
    typer.echo(f"gallery: WARNING: open to everybody who reaches {host}; there is no authentication.", err=True)


@contextmanager
def _bound(settings: Settings) -> Generator[socket.socket]:
    """A socket at the address, before anything else is started; it listens once the server does."""
    host, port = settings.server.host, settings.server.port
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        end(ExitCode.FAILED, f"Cannot listen on {host} port {port}: {error.strerror}. Choose another with --port.")
    with listener:
        yield listener


def announce(settings: Settings, listener: socket.socket) -> None:
    """Prints where the gallery is."""
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    base = str(settings.server.public_url or f"http://{shown}:{port}").rstrip("/")
    typer.echo(f"The gallery is ready at {base}")
    typer.echo(f"  GraphQL and GraphiQL  {base}/graphql")
    typer.echo(f"  Schema                {base}/schema.graphql")
    typer.echo(f"  Health                {base}/healthz")
    typer.echo(f"  Data                  {settings.data_dir}")
