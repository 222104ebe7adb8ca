"""Work that is owed even though the caller is being cancelled, such as aborting an upload."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine

from gallery.domain.errors import GalleryError

log = logging.getLogger(__name__)


class Cleanups:
    """Runs such work to its end, each within a bounded time. Failures are logged: the caller has one of its own."""

    def __init__(self, *, timeout_seconds: float) -> None:
        self._timeout_seconds = timeout_seconds
        self._running: set[asyncio.Task[None]] = set()

    async def run(self, what: str, work: Coroutine[object, object, None]) -> None:
        """Waits for the work. If the caller is cancelled while it waits, the work goes on."""
        task = asyncio.create_task(self._bounded(what, work))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        await asyncio.shield(task)

    async def settle(self) -> None:
        """Waits for work that nobody waits for any more."""
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _bounded(self, what: str, work: Coroutine[object, object, None]) -> None:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await work
        except (GalleryError, TimeoutError) as error:
            log.warning(
                "could not clean up, something may be left behind: %s (%s)", what, str(error) or "no answer in time"
            )
