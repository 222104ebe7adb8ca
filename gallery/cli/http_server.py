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

from gallery.cli.http import Http
from gallery.cli.listening import Neighbour
from gallery.cli.repetitions import Repetitions
from gallery.cli.websockets import WebSockets
from gallery.main import GalleryApp
from gallery.settings import Settings

_GARBAGE_THRESHOLDS = 50_000, 5, 4
"""How many objects more than before lead to a search among the youngest; how often that is done before older ones are
searched, too. A million objects are so the most that lie about: compiled operations that were forgotten are cycles."""
_SWITCH_SECONDS = 0.001
"""How long a thread that prepares a long document may keep the others waiting; by default five times as long."""
_KEEP_ALIVE_SECONDS = 75
"""Longer than the 60 seconds after which common load balancers close a connection that they keep open."""


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
        super().__init__(
            uvicorn.Config(
                app,
                http=partial(Http, repetitions=Repetitions()),  # type: ignore[arg-type]  # of another base class: see there
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

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts as uvicorn does, then says so."""
        await super().startup(sockets=sockets)
        for listener in self._neighbours:
            self.servers.append(Neighbour(listener, self._protocol))  # type: ignore[arg-type]  # all that uvicorn uses
        _tune_garbage_collection()
        sys.setswitchinterval(_SWITCH_SECONDS)
        self._on_start()

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
