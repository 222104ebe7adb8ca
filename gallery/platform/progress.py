"""How uploads go on, as one process knows it: what was last said of each, and who wants to hear more."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from itertools import islice

from gallery.domain.ids import UserId
from gallery.domain.upload_ports import UploadProgress

INTERVAL_SECONDS = 0.25
"""How often at most something is said of one upload; its end is said at once."""
LIFETIME_SECONDS = 300
"""How long the last word on an upload is kept, and how long one that is being watched may be silent."""

_FORGOTTEN_AT_ONCE = 4
"""How many old stories are looked at whenever there is news: more than one, so that they do not pile up."""

Story = tuple[UserId, str]
"""An upload, by its owner and the name that the owner knows it by."""


@dataclass(frozen=True, slots=True)
class News:
    """A report and the time at which it was made, which tells it from older ones that come later."""

    reported_at_ns: int
    progress: UploadProgress


class LocalProgressBoard:
    """The port `ProgressBoard`, for those who report and watch in the same process.

    Watchers who are slow miss what is outdated, so that nothing piles up.
    """

    def __init__(
        self,
        *,
        on_report: Callable[[Story, News], None] = lambda _story, _news: None,
        interval_seconds: float = INTERVAL_SECONDS,
        lifetime_seconds: float = LIFETIME_SECONDS,
    ) -> None:
        """Takes what is called with everything that is reported here, a few times a second for each upload."""
        self._on_report = on_report
        self._interval_seconds = interval_seconds
        self._lifetime_seconds = lifetime_seconds
        self._last: dict[Story, News] = {}  # the longest unchanged first
        self._held: dict[Story, UploadProgress | None] = {}  # what was reported within the interval
        self._watchers: defaultdict[Story, set[_Watcher]] = defaultdict(set)

    def report(self, owner: UserId, upload: str, progress: UploadProgress) -> None:
        """As the port says."""
        story = owner, upload
        if story in self._held and not progress.done:
            self._held[story] = progress
        else:
            self._tell(story, progress)

    async def watch(self, owner: UserId, upload: str) -> AsyncGenerator[UploadProgress]:
        """As the port says; one of which nothing is heard for too long has ended without a word."""
        story = owner, upload
        watcher = _Watcher()
        if story in self._last:
            watcher.hear(self._last[story])
        self._watchers[story].add(watcher)
        try:
            while progress := await watcher.next(self._lifetime_seconds):
                yield progress
                if progress.done:
                    return
        finally:
            self._watchers[story].discard(watcher)
            if not self._watchers[story]:
                del self._watchers[story]

    def hear(self, story: Story, news: News) -> None:
        """Passes on what was reported, here or elsewhere, unless something newer is known."""
        last = self._last.pop(story, news)
        newest = max(last, news, key=lambda known: known.reported_at_ns)
        self._last[story] = newest
        self._forget()
        if newest is news:
            for watcher in self._watchers.get(story, ()):
                watcher.hear(news)

    def tell_held(self) -> None:
        """Tells at once what was reported within the interval, for a board that ends before it."""
        held, self._held = self._held, {}
        for story, progress in held.items():
            if progress is not None:
                self._tell_now(story, progress)

    def _tell(self, story: Story, progress: UploadProgress) -> None:
        self._held[story] = None
        asyncio.get_running_loop().call_later(self._interval_seconds, self._let_go, story)
        self._tell_now(story, progress)

    def _tell_now(self, story: Story, progress: UploadProgress) -> None:
        news = News(time.time_ns(), progress)
        self.hear(story, news)
        self._on_report(story, news)

    def _let_go(self, story: Story) -> None:
        progress = self._held.pop(story, None)
        if progress is not None:
            self._tell(story, progress)

    def _forget(self) -> None:
        oldest_ns = time.time_ns() - self._lifetime_seconds * 1_000_000_000
        for story, news in list(islice(self._last.items(), _FORGOTTEN_AT_ONCE)):
            if news.reported_at_ns < oldest_ns:
                del self._last[story]


class _Watcher:
    """Somebody who hears the newest of what there is."""

    def __init__(self) -> None:
        self._news: News | None = None
        self._told = asyncio.Event()

    def hear(self, news: News) -> None:
        self._news = news
        self._told.set()

    async def next(self, patience_seconds: float) -> UploadProgress | None:
        """What was heard since the last call, as soon as there is something; None after a long silence."""
        try:
            async with asyncio.timeout(patience_seconds):
                await self._told.wait()
        except TimeoutError:
            return None
        self._told.clear()
        return self._news.progress if self._news else None
