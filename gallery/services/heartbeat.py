"""Signs of life of what this process works on, so that no other takes it for abandoned."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import TypeVar
from uuid import UUID

from gallery.domain.errors import GalleryError
from gallery.domain.ids import UploadId
from gallery.domain.ports import Clock, UnitOfWorkFactory
from gallery.domain.waiting import context_of_others
from gallery.services.clock import utc_now

log = logging.getLogger(__name__)

K = TypeVar("K", bound=Hashable)


class Heartbeat:
    """Touches all living intents and claims of the process together, every few seconds while there are any."""

    def __init__(self, unit_of_work: UnitOfWorkFactory, *, interval_seconds: float, clock: Clock = utc_now) -> None:
        self._unit_of_work = unit_of_work
        self._interval_seconds = interval_seconds
        self._clock = clock
        self._uploads: set[UploadId] = set()
        self._holders: set[UUID] = set()
        self._beating: asyncio.Task[None] | None = None

    @contextmanager
    def uploading(self, upload_id: UploadId) -> Iterator[None]:
        """Keeps an intent alive."""
        with self._alive(self._uploads, upload_id):
            yield

    @contextmanager
    def working(self, holder: UUID) -> Iterator[None]:
        """Keeps a claim alive."""
        with self._alive(self._holders, holder):
            yield

    @contextmanager
    def _alive(self, living: set[K], one: K) -> Iterator[None]:
        living.add(one)
        if self._beating is None:
            self._beating = asyncio.create_task(self._beat(), context=context_of_others())
        try:
            yield
        finally:
            living.discard(one)
            if not self._uploads and not self._holders:
                self._beating.cancel()
                self._beating = None

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._interval_seconds)
            try:
                await self._touch()
            except GalleryError as error:
                log.warning("could not say that uploads go on: %s", error)
            except Exception:
                log.exception("could not say that uploads go on")

    async def _touch(self) -> None:
        now = self._clock()
        async with self._unit_of_work() as work:
            if self._uploads:
                await work.uploads.touch(tuple(self._uploads), now)
            if self._holders:
                await work.claims.touch(tuple(self._holders), now)
            await work.commit(durable=False)
