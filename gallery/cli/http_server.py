"""The HTTP server as every process of the gallery runs it."""

from __future__ import annotations

import asyncio
import gc
import socket
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import partial

import uvicorn

from gallery.cli.connection_limits import ConnectionLimits, allowed_by_files
from gallery.cli.http import Http
from gallery.cli.http_requests import Requests
from gallery.cli.listening import Neighbour
from gallery.cli.pace import Pace
from gallery.cli.repetitions import Repetitions
from gallery.cli.told_refusals import ToldRefusals
from gallery.cli.websockets import WebSockets
from gallery.main import GalleryApp
from gallery.settings import Settings

_GARBAGE_THRESHOLDS = 50_000, 5, 4
"""How many objects more than before lead to a search among the youngest; how often that is done before older ones are
searched, too. A million objects are so the most that lie about: compiled operations that were forgotten are cycles."""
_SWITCH_SECONDS = 0.001
"""How long a thread that prepares a long document may keep the others waiting; by default five times as long."""


class HttpServer(uvicorn.Server):
    """Serves until it is told to stop. Signals are its owner's business."""

    def __init__(
        self,
        app: GalleryApp,
        settings: Settings,
        *,
        on_start: Callable[[], None],
        neighbours: Sequence[socket.socket] = (),
    ) -> None:
        """Calls `on_start` once requests are answered; sees to it that nobody waits at the sockets of `neighbours`."""
        self._app = app
        self._on_start = on_start
        self._neighbours = neighbours
        self._pace = Pace(settings.connections, settings.uploads.progress_timeout_seconds)
        self._looks_at = 0.0
        limits = ConnectionLimits(allowed_by_files(settings.connections), ToldRefusals(lambda: app.metrics))
        super().__init__(
            uvicorn.Config(
                app,
                http=partial(Http, repetitions=Repetitions(), limits=limits),  # type: ignore[arg-type]  # of another base class: see there
                ws=WebSockets,
                ws_max_size=settings.uploads.max_field_size,
                ws_per_message_deflate=False,  # takes memory for each connection, for messages that are short
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=settings.connections.idle_timeout_seconds,
                timeout_graceful_shutdown=round(settings.server.shutdown_timeout_seconds),
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts as uvicorn does, then says so."""
        await super().startup(sockets=sockets)
        for listener in self._neighbours:
            self.servers.append(Neighbour(listener, self._protocol))  # type: ignore[arg-type]  # all that uvicorn uses
        _tune_garbage_collection()
        sys.setswitchinterval(_SWITCH_SECONDS)
        self._on_start()

    async def on_tick(self, counter: int) -> bool:
        """Does what uvicorn does ten times a second, and looks from time to time for clients that are too slow."""
        now = asyncio.get_running_loop().time()
        if now >= self._looks_at:
            self._looks_at = now + self._pace.pause_seconds
            self._pace.look([one for one in self.server_state.connections if isinstance(one, Requests)], now)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stops as uvicorn does. If that did not wait for requests, hangs up and still closes the gallery in order."""
        await super().shutdown(sockets=sockets)
        if self.force_exit:
            for connection in list(self.server_state.connections):
                connection.transport.abort()
            await self.lifespan.shutdown()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leaves signals to the owner: uvicorn would raise them again at its end, before ours."""
        yield

    def stop(self) -> None:
        """Asks for the end; requests in flight may finish."""
        self._app.stopping.set()
        self.should_exit = True

    def hang_up(self) -> None:
        """Asks for the end without waiting for requests in flight."""
        self.force_exit = True
        self.stop()

    def stop_or_hang_up(self) -> None:
        """Asks for the end; asked again, does not wait for requests in flight."""
        if self.should_exit:
            self.hang_up()
        else:
            self.stop()

    def _protocol(self) -> asyncio.Protocol:
        """What uvicorn makes for each connection that it takes itself."""
        make: Callable[..., asyncio.Protocol] = self.config.http_protocol_class
        return make(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)


def _tune_garbage_collection() -> None:
    """Looks for cycles less often, and never among what start-up made, which lives as long as the process.

    A page of fifty images makes thousands of objects that reference counting frees: benchmarks/nested.py shows a
    sixth less processor time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GARBAGE_THRESHOLDS)
