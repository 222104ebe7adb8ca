"""How uploads past the server go on: looked up again and again, since the storage says nothing by itself.

Those who watch the same upload share one who looks, who looks less often where nothing changes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field, replace

from gallery.domain.access import Viewer
from gallery.domain.errors import NotFoundError
from gallery.domain.ids import UploadId
from gallery.domain.upload_ports import StoredPart, UploadProgress
from gallery.domain.uploads import Upload, UploadState

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 5.0
"""How long to wait after something has changed, and how long at most while nothing does."""

Find = Callable[[Viewer, UploadId], Awaitable[tuple[Upload, tuple[StoredPart, ...]]]]
"""Looks an upload up, with the parts that have arrived."""

_Key = tuple[Viewer, UploadId]


@dataclass(slots=True)
class _Look:
    """What is known to those who watch an upload. `news` is done when that has changed, and replaced by another."""

    latest: UploadProgress | None = None
    watching: int = 0
    news: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def tell(self, progress: UploadProgress) -> None:
        self.latest = progress
        self.news.set_result(None)
        self.news = asyncio.get_running_loop().create_future()


class StagedProgress:
    """Tells how staged uploads go on."""

    def __init__(self, find: Find, *, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep) -> None:
        self._find = find
        self._sleep = sleep
        self._looks: dict[_Key, tuple[_Look, asyncio.Task[None]]] = {}

    async def watch(self, viewer: Viewer, upload_id: UploadId) -> AsyncGenerator[UploadProgress]:
        """As `StagedUploadService.watch`."""
        look, task = self._joined((viewer, upload_id))
        told: UploadProgress | None = None
        look.watching += 1
        try:
            while told is None or not told.done:
                if look.latest == told:
                    await asyncio.wait([task, look.news], return_when=asyncio.FIRST_COMPLETED)
                if look.latest is None or look.latest == told:
                    task.result()  # it has failed
                else:
                    told = look.latest
                    yield told
        finally:
            look.watching -= 1
            if not look.watching:
                await self._end((viewer, upload_id), task)

    def _joined(self, key: _Key) -> tuple[_Look, asyncio.Task[None]]:
        """The one who looks already, or a new one."""
        there = self._looks.get(key)
        if there is None or there[1].done():
            look = _Look()
            there = self._looks[key] = look, asyncio.create_task(self._look(key, look))
        return there

    async def _end(self, key: _Key, task: asyncio.Task[None]) -> None:
        if key in self._looks and self._looks[key][1] is task:
            del self._looks[key]
        task.cancel()
        await asyncio.wait([task])

    async def _look(self, key: _Key, look: _Look) -> None:
        pause_seconds = FIRST_PAUSE_SECONDS
        while True:
            progress = await self._progress(key, look.latest)
            if progress != look.latest:
                look.tell(progress)
                pause_seconds = FIRST_PAUSE_SECONDS
            if progress.done:
                return
            await self._sleep(pause_seconds)
            pause_seconds = min(2 * pause_seconds, LONGEST_PAUSE_SECONDS)

    async def _progress(self, key: _Key, last: UploadProgress | None) -> UploadProgress:
        try:
            progress = _progress_of(*await self._find(*key))
        except NotFoundError:
            if last is None:
                raise
            return replace(last, done=True)  # it was aborted, or has expired
        if last is None:
            return progress
        # Parts that are being put together are not listed any more.
        return replace(progress, received_bytes=max(progress.received_bytes, last.received_bytes))


def _progress_of(upload: Upload, parts: tuple[StoredPart, ...]) -> UploadProgress:
    total_bytes = upload.announced.file_size_bytes if upload.announced else 0
    if upload.state is not UploadState.OPEN:
        return UploadProgress(received_bytes=total_bytes, total_bytes=total_bytes, done=True)
    return UploadProgress(received_bytes=sum(part.size_bytes for part in parts), total_bytes=total_bytes)
