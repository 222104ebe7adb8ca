"""How often share links are opened, counted in memory and written together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Final

from gallery.domain.errors import GalleryError
from gallery.domain.ids import ShareLinkId
from gallery.domain.ports import UnitOfWorkFactory
from gallery.domain.share_link_ports import Opened
from gallery.domain.waiting import context_of_others

log = logging.getLogger(__name__)

PAUSE_SECONDS: Final = 10.0
"""How long after the first of them openings are written. A process that is killed loses no more than these."""

MOST_LINKS: Final = 10_000
"""Of how many links openings are kept while the database is away."""


class LinkOpenings:
    """Adds each opening to what the database has, so that the sum over all processes is right."""

    def __init__(
        self, unit_of_work: UnitOfWorkFactory, *, pause_seconds: float = PAUSE_SECONDS, most_links: int = MOST_LINKS
    ) -> None:
        self._unit_of_work = unit_of_work
        self._pause_seconds = pause_seconds
        self._most_links = most_links
        self._pending: dict[ShareLinkId, Opened] = {}
        self._writing: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()

    def note(self, link_id: ShareLinkId, now: datetime) -> None:
        """Counts an opening; it is written soon."""
        self._add({link_id: Opened(1, now)})
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all(), context=context_of_others())

    async def settle(self) -> None:
        """Writes at once what is counted. Nothing is noted after that."""
        self._stopping.set()
        if self._writing is not None:
            await self._writing

    async def _write_all(self) -> None:
        """Until everything is written; what failed is tried again, but at the end of the process only once."""
        try:
            while self._pending and not await self._write():
                pass
        finally:
            self._writing = None

    async def _write(self) -> bool:
        """Waits a while, then writes what there is; whether nothing more is to be tried."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._pause_seconds):
                await self._stopping.wait()
        opened, self._pending = self._pending, {}
        try:
            async with self._unit_of_work() as work:
                await work.share_links.note_opened(opened)
                await work.commit(durable=False)
        except GalleryError as error:
            log.warning("openings of share links could not be counted: %s", error)
            self._add(opened)
            return self._stopping.is_set()
        return False

    def _add(self, opened: Mapping[ShareLinkId, Opened]) -> None:
        for link_id, more in opened.items():
            known = self._pending.get(link_id, Opened(0, more.last_at))
            if known.count or len(self._pending) < self._most_links:
                self._pending[link_id] = Opened(known.count + more.count, max(known.last_at, more.last_at))
