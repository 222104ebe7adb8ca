"""How uploads go on, told between processes by Valkey: each report is published, and kept for those who come later.

Whoever reports and watches in the same process needs no Valkey. While it is away that is all there is; once it is back
watchers hear what they missed.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from uuid import UUID

import orjson
from redis.asyncio import Redis

from gallery.domain.ids import UserId
from gallery.domain.upload_ports import UploadProgress
from gallery.platform.cache.channels import ChannelListener, channel_of
from gallery.platform.cache.valkey import PREFIX, create_client
from gallery.platform.progress import INTERVAL_SECONDS, LIFETIME_SECONDS, LocalProgressBoard, News, Story
from gallery.settings import CacheSettings

log = logging.getLogger(__name__)

_CALL_SECONDS = 1.0


class ValkeyProgressBoard:
    """The port `ProgressBoard`, for all processes that share a Valkey."""

    def __init__(self, client: Redis, *, interval_seconds: float = INTERVAL_SECONDS) -> None:
        self._client = client
        self._local = LocalProgressBoard(on_report=self._post, interval_seconds=interval_seconds)
        self._outbox: dict[Story, News] = {}
        self._sending: asyncio.Task[None] | None = None
        self._is_stopped = False
        self._watched: Counter[Story] = Counter()
        self._stories = channel_of(client, f"{PREFIX}progress") + ":"
        """Of each upload there is a key and a channel of the same name, which begins so."""
        self._listener = ChannelListener(
            client, f"{self._stories}*", hear=self._hear, on_subscribed=lambda: self._catch_up(list(self._watched))
        )

    def report(self, owner: UserId, upload: str, progress: UploadProgress) -> None:
        """As the port says."""
        self._local.report(owner, upload, progress)

    async def watch(self, owner: UserId, upload: str) -> AsyncGenerator[UploadProgress]:
        """As the port says."""
        with self._following((owner, upload)):
            async with aclosing(self._local.watch(owner, upload)) as told:
                async for progress in told:
                    yield progress

    async def stop(self) -> None:
        """Sends what is not sent yet; what is reported later is not sent any more, and nothing is heard."""
        self._local.tell_held()
        self._is_stopped = True
        if self._sending is not None:
            await self._sending
        await self._listener.close()

    # Reporting

    def _post(self, story: Story, news: News) -> None:
        if self._is_stopped:
            return
        self._outbox[story] = news
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send())

    async def _send(self) -> None:
        """Empties the outbox, into which more may come meanwhile. What cannot be sent is given up."""
        while self._outbox:
            outbox, self._outbox = self._outbox, {}
            pipeline = self._client.pipeline(transaction=False)
            for story, news in outbox.items():
                encoded = _encode(news)
                pipeline.set(self._name(story), encoded, ex=LIFETIME_SECONDS)
                pipeline.publish(self._name(story), encoded)
            try:
                async with asyncio.timeout(_CALL_SECONDS):
                    await pipeline.execute()
            except Exception as error:  # noqa: BLE001  # a client parsing garbage raises anything; no upload may fail of it
                log.debug("the progress of uploads is not told to other processes: %r", error)

    # Watching

    @contextmanager
    def _following(self, story: Story) -> Iterator[None]:
        self._watched[story] += 1
        self._listener.start()
        catching_up = asyncio.create_task(self._catch_up([story]))
        try:
            yield
        finally:
            catching_up.cancel()
            self._watched -= Counter([story])
            if not self._watched:
                self._listener.stop()

    async def _catch_up(self, stories: Collection[Story]) -> None:
        """Hears the last word on uploads. Asked for after subscribing, so that nothing is said in between."""
        await self._listener.is_subscribed.wait()
        names = [self._name(story) for story in stories]
        try:
            async with asyncio.timeout(_CALL_SECONDS):
                found = await self._client.mget(names)
        except Exception as error:  # noqa: BLE001  # as in `_send`
            log.debug("the last word on uploads is not known: %r", error)
            return
        for name, encoded in zip(names, found, strict=True):
            if isinstance(encoded, bytes):
                self._hear(name.encode(), encoded)

    def _hear(self, name: bytes, encoded: bytes) -> None:
        try:
            story, news = self._story(name), _decode(encoded)
        except (ValueError, TypeError, AttributeError):
            log.warning("there is something in Valkey that is no progress of an upload: %r", name)
            return
        if story in self._watched:
            self._local.hear(story, news)

    def _name(self, story: Story) -> str:
        owner, upload = story
        return f"{self._stories}{owner.hex}:{upload}"

    def _story(self, name: bytes) -> Story:
        owner, _, upload = name.decode().removeprefix(self._stories).partition(":")
        return UserId(UUID(owner)), upload


@asynccontextmanager
async def connect_progress(settings: CacheSettings) -> AsyncIterator[LocalProgressBoard | ValkeyProgressBoard]:
    """The board in the Valkey of the settings, whether or not it answers yet; without one, that of this process."""
    if not settings.enabled:
        yield LocalProgressBoard()
        return
    client = create_client(settings)
    board = ValkeyProgressBoard(client)
    try:
        yield board
    finally:
        await board.stop()
        await client.aclose()


def _encode(news: News) -> bytes:
    progress = news.progress
    return orjson.dumps([news.reported_at_ns, progress.received_bytes, progress.total_bytes, progress.done])


def _decode(encoded: bytes) -> News:
    reported_at_ns, received_bytes, total_bytes, done = orjson.loads(encoded)
    progress = UploadProgress(received_bytes=int(received_bytes), total_bytes=total_bytes, done=bool(done))
    return News(int(reported_at_ns), progress)
