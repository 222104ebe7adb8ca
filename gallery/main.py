"""The gallery as an ASGI application, for `gallery serve` and for any other ASGI server.

`uvicorn --factory gallery.main:create_app` serves it too, on services whose addresses the settings name: embedded
ones are started by `gallery serve` alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from starlette.types import ASGIApp, Receive, Scope, Send

from gallery.container import Container, open_container
from gallery.domain.errors import GalleryError
from gallery.domain.metrics import NO_METRICS, OtherProcesses, WebMetrics
from gallery.platform.database.migrate import NotMigratedError, is_current
from gallery.settings import Settings
from gallery.settings_report import load_settings
from gallery.web.app import WebParts, create_web_app


class GalleryApp:
    """Opens the gallery when the server starts, closes it when the server stops, and hands requests on to it.

    When it is closed, uploads that are being recorded and jobs that are being worked on are waited for.
    """

    def __init__(self, settings: Settings, others: OtherProcesses | None = None) -> None:
        self._settings = settings
        self._others = others
        self.stopping = asyncio.Event()
        """Set before the server stops: the gallery says that it is not ready, and is asked no more."""
        self._web: ASGIApp | None = None
        self._container: Container | None = None
        self._opened = AsyncExitStack()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection, as ASGI has it."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif self._web is None:
            message = "The gallery is not open: the server must send lifespan events (ASGI, lifespan protocol)."
            raise RuntimeError(message)
        else:
            await self._web(scope, receive, send)

    async def distrust_cache(self) -> None:
        """Drops everything in the cache: another process may have ended between a commit and its drop."""
        if self._container is not None and self._container.cache is not None:
            await self._container.cache.drop_everything()

    @property
    def metrics(self) -> WebMetrics:
        """Who counts what clients do, once the gallery is open."""
        counting = None if self._container is None else self._container.counting
        return NO_METRICS if counting is None else counting.metrics

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            container = await self._opened.enter_async_context(running_container(self._settings, self._others))
            web = create_web_app(_parts(container, self.stopping))
            await self._opened.enter_async_context(web.router.lifespan_context(web))
        except Exception as error:  # noqa: BLE001  # told to the server, whatever it is
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        self._web, self._container = web, container
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._container = None
        await self._opened.aclose()
        await send({"type": "lifespan.shutdown.complete"})


@asynccontextmanager
async def running_container(settings: Settings, others: OtherProcesses | None = None) -> AsyncIterator[Container]:
    """A gallery that is ready for requests; works on jobs as well, if the settings say so. There may be others.

    Raises:
        NotMigratedError: if the database is older than the code.
        UnavailableError: if the database does not answer.
    """
    async with open_container(settings, others) as container:
        if not await is_current(container.engine):
            raise NotMigratedError
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            if settings.worker.embedded:
                tasks.create_task(container.worker.run(stop))
            warming = tasks.create_task(_warm_up(container))
            try:
                yield container
            finally:
                warming.cancel()
                await container.use_cases.uploads.settle()
                await container.use_cases.staged_uploads.settle()
                await container.use_cases.idempotency.settle()
                await container.use_cases.authenticator.settle()
                await container.use_cases.people.signing_in.settle()
                await container.use_cases.shared.settle()
                stop.set()


def create_app() -> GalleryApp:
    """The application with the settings of the environment.

    Raises:
        SettingsError: if a setting cannot be used.
    """
    return GalleryApp(load_settings())


async def _warm_up(container: Container) -> None:
    """Calls the storage, which may be away: the first call of all takes so long that an upload would have to wait."""
    with suppress(GalleryError):
        await container.storage.ping()


def _parts(container: Container, stopping: asyncio.Event) -> WebParts:
    return WebParts(
        settings=container.settings,
        use_cases=container.use_cases,
        storage=container.storage,
        checks=container.checks,
        counting=container.counting,
        documents=container.documents,
        responses=container.responses,
        budget=container.budget,
        stopping=stopping,
    )
