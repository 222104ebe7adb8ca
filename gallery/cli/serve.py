"""`gallery serve`: the server, with embedded services for those that have no address."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated

import typer

from gallery.cli.diagnosis import check_services
from gallery.cli.http_server import HttpServer
from gallery.cli.listening import address_of, announce, begin_to_listen, bound
from gallery.cli.running import DataDir, ExitCode, end, run, settings_of
from gallery.cli.supervisor import Supervisor
from gallery.container import Container, open_container
from gallery.embedding import running_services
from gallery.logs import configure_logging
from gallery.main import GalleryApp
from gallery.platform.database.engine import connection_limit
from gallery.platform.embedded import EmbeddedServers, ServerDiedError
from gallery.settings import LOOPBACK_HOSTS, Settings
from gallery.settings_auth import AuthMode
from gallery.web.graphql.schema import schema
from gallery.web.graphql.trusted import trusted_documents

_OTHER_CONNECTIONS = 5
"""What is left to the process that works on jobs, to commands that run beside the server, and to people."""


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on; 0 takes a free one.", show_default="8000")
    ] = None,
    workers: Annotated[
        str | None,
        typer.Option(help="Processes that answer requests; `auto` for one on each core.", show_default="1"),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Serve the gallery. PostgreSQL, S3 storage and Valkey are started too where settings name none."""
    settings = settings_of({"server": {"host": host, "port": port, "workers": workers}, "data_dir": data_dir})
    _refuse_to_expose(settings)
    configure_logging(settings.log)
    run(lambda: _serve(settings))


async def _serve(settings: Settings) -> int:
    trusted_documents(settings.graphql, schema)  # before anything is started: what is wrong is told at once
    several = settings.server.workers > 1
    with bound(settings) as listeners:
        async with running_services(settings, exclusive=True) as (complete, servers):
            async with open_container(complete) as container:
                await check_services(container)
                await _offer_first_token(container)
                shared = share_connections(complete, await connection_limit(container.engine)) if several else complete
            serve_it = _serve_with_others if several else _serve_alone
            return await serve_it(shared, listeners, servers)


async def _serve_alone(settings: Settings, listeners: Sequence[socket.socket], servers: EmbeddedServers | None) -> int:
    (listener,) = listeners
    address = address_of(listener)
    server = HttpServer(GalleryApp(settings), settings, on_start=lambda: announce(settings, address))
    _on_signals(dict.fromkeys((signal.SIGINT, signal.SIGTERM), server.stop_or_hang_up))
    watching = _watch(servers, server.stop_or_hang_up)
    try:
        await server.serve(sockets=[listener])
    finally:
        code = await _watched(watching)
    return code


async def _serve_with_others(
    settings: Settings, listeners: Sequence[socket.socket], servers: EmbeddedServers | None
) -> int:
    address = address_of(listeners[0])
    begin_to_listen(listeners)
    supervisor = Supervisor(settings, listeners)
    _on_signals(
        {
            signal.SIGINT: supervisor.stop,
            signal.SIGTERM: supervisor.stop,
            signal.SIGHUP: _unless_hung_up(supervisor.replace_all, otherwise=supervisor.stop),
        }
    )
    watching = _watch(servers, supervisor.stop)
    try:
        failed = await supervisor.run(lambda: announce(settings, address))
    finally:
        code = await _watched(watching)
    return code or failed


def share_connections(settings: Settings, limit: int) -> Settings:
    """The settings with pools that fit into what PostgreSQL takes, with one for a process that replaces another."""
    processes = settings.server.workers + 1
    room = (limit - _OTHER_CONNECTIONS) // processes
    wanted = settings.database.pool_size
    if wanted <= room:
        return settings
    if room < 1:
        end(
            ExitCode.FAILED,
            f"PostgreSQL does not take enough connections for {settings.server.workers} processes. "
            "Raise its max_connections, or serve with fewer --workers.",
        )
    typer.echo(
        f"gallery: WARNING: PostgreSQL does not take {processes} times GALLERY_DATABASE__POOL_SIZE={wanted} "
        f"connections; each process keeps {room} at most.",
        err=True,
    )
    return settings.model_copy(update={"database": settings.database.model_copy(update={"pool_size": room})})


def _on_signals(handlers: Mapping[signal.Signals, Callable[[], None]]) -> None:
    loop = asyncio.get_running_loop()
    for number, handle in handlers.items():
        loop.add_signal_handler(number, handle)


def _unless_hung_up(handle: Callable[[], None], *, otherwise: Callable[[], None]) -> Callable[[], None]:
    """Tells SIGHUP that a person or a service manager sends from that of a terminal that was closed."""
    had_terminal = _has_terminal()
    return lambda: otherwise() if had_terminal and not _has_terminal() else handle()


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _watch(servers: EmbeddedServers | None, stop: Callable[[], None]) -> asyncio.Task[object]:
    """Watches over the embedded servers, and stops the gallery if one cannot be kept running."""
    watching: asyncio.Task[object] = asyncio.create_task(servers.watch() if servers else asyncio.Event().wait())
    watching.add_done_callback(lambda task: None if task.cancelled() else stop())
    return watching


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
    """Where nobody is asked who they are, everybody is the administrator: being reached from outside is decided."""
    host = settings.server.host
    if host in LOOPBACK_HOSTS or not settings.auth.mode.is_open:
        return
    if settings.auth.mode is not AuthMode.OPEN:
        message = (
            f"Not listening on {host}: everybody who reaches that address could see, change and delete everything. "
            "Set GALLERY_AUTH__MODE=token, so that they must show who they are. Or listen on 127.0.0.1, or set "
            "GALLERY_AUTH__MODE=open if you trust the whole network."
        )
        end(ExitCode.WRONG_USAGE, message)
    typer.echo(f"gallery: WARNING: open to everybody who reaches {host}; there is no authentication.", err=True)


async def _offer_first_token(container: Container) -> None:
    """Prints a token for whoever has just set the gallery up. Once: the next start finds that there was one."""
    if container.settings.auth.mode.is_open or (issued := await container.use_cases.tokens.first()) is None:
        return
    typer.echo(f"gallery: The first administrator's token, shown only this once: {issued.secret}", err=True)
