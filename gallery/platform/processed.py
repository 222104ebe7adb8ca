"""Images that were processed, as one process hears of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Final

from gallery.domain.ids import ImageId

MAX_WAITING: Final = 1000
"""How many images wait for somebody who is slow before the oldest are forgotten."""


class LocalProcessedImages:
    """The port `ProcessedImages`, for those who tell and watch in the same process."""

    def __init__(self, *, max_waiting: int = MAX_WAITING) -> None:
        self._max_waiting = max_waiting
        self._watches: set[LocalWatch] = set()

    @property
    def watch_count(self) -> int:
        """How many watch."""
        return len(self._watches)

    async def tell(self, image_ids: Collection[ImageId]) -> None:
        """As the port says."""
        self.hear(image_ids)

    def hear(self, image_ids: Collection[ImageId]) -> None:
        """Passes on what was told, here or elsewhere."""
        for watch in self._watches:
            watch.hear(image_ids)

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[LocalWatch]:
        """As the port says."""
        watch = LocalWatch(self._max_waiting)
        self._watches.add(watch)
        try:
            yield watch
        finally:
            self._watches.discard(watch)


class LocalWatch:
    """The port `ProcessedImagesWatch`."""

    def __init__(self, max_waiting: int) -> None:
        self._max_waiting = max_waiting
        self._waiting: dict[ImageId, None] = {}  # the oldest first
        self._heard = asyncio.Event()

    def hear(self, image_ids: Collection[ImageId]) -> None:
        """Remembers images, and forgets the oldest of too many."""
        self._waiting |= dict.fromkeys(image_ids)
        while len(self._waiting) > self._max_waiting:
            del self._waiting[next(iter(self._waiting))]
        self._heard.set()

    async def next(self, patience_seconds: float | None = None) -> ImageId | None:
        """As the port says."""
        try:
            async with asyncio.timeout(patience_seconds):
                await self._heard.wait()
        except TimeoutError:
            return None
        image_id = next(iter(self._waiting))
        del self._waiting[image_id]
        if not self._waiting:
            self._heard.clear()
        return image_id
