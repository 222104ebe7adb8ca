"""A board on which the progress of uploads is told, in memory."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator

from gallery.domain.ids import UserId
from gallery.domain.upload_ports import UploadProgress

_Story = tuple[UserId, str]


class MemoryProgressBoard:
    """`reported` holds everything that was said, in order; `watchers` those who listen."""

    def __init__(self) -> None:
        self.reported: list[tuple[UserId, str, UploadProgress]] = []
        self.watchers: defaultdict[_Story, list[asyncio.Queue[UploadProgress]]] = defaultdict(list)

    def report(self, owner: UserId, upload: str, progress: UploadProgress) -> None:
        self.reported.append((owner, upload, progress))
        for news in self.watchers[owner, upload]:
            news.put_nowait(progress)

    def watch(self, owner: UserId, upload: str) -> AsyncGenerator[UploadProgress]:
        news: asyncio.Queue[UploadProgress] = asyncio.Queue()
        for progress in self.told(owner, upload)[-1:]:
            news.put_nowait(progress)
        self.watchers[owner, upload].append(news)
        return self._watched(news, (owner, upload))

    def told(self, owner: UserId, upload: str) -> list[UploadProgress]:
        """What was said of one upload."""
        return [progress for *story, progress in self.reported if story == [owner, upload]]

    async def _watched(self, news: asyncio.Queue[UploadProgress], story: _Story) -> AsyncGenerator[UploadProgress]:
        try:
            progress = await news.get()
            while not progress.done:
                yield progress
                progress = await news.get()
            yield progress
        finally:
            self.watchers[story].remove(news)
