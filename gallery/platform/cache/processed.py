"""Images that were processed, told between processes by Valkey.

Who tells and watches in the same process needs no Valkey. What is told while it is away is not heard elsewhere.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from uuid import UUID, uuid4

import orjson
from redis.asyncio import Redis

from gallery.domain.ids import ImageId
from gallery.platform.cache.channels import ChannelListener, channel_of
from gallery.platform.cache.valkey import PREFIX, create_client
from gallery.platform.processed import LocalProcessedImages, LocalWatch
from gallery.settings import CacheSettings

log = logging.getLogger(__name__)

_CALL_SECONDS = 1.0


class ValkeyProcessedImages:
    """The port `ProcessedImages`, for all processes that share a Valkey."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._local = LocalProcessedImages()
        self._own_name = uuid4().hex
        self._channel = channel_of(client, f"{PREFIX}processed")
        self._listener = ChannelListener(client, self._channel, hear=self._hear, on_subscribed=self._catch_up)

    async def tell(self, image_ids: Collection[ImageId]) -> None:
        """As the port says."""
        await self._local.tell(image_ids)
        message = orjson.dumps([self._own_name, [image_id.hex for image_id in image_ids]])
        try:
            async with asyncio.timeout(_CALL_SECONDS):
                await self._client.publish(self._channel, message)
        except Exception as error:  # noqa: BLE001  # a client parsing garbage raises anything; no job may fail of it
            log.debug("other processes do not hear of processed images: %r", error)

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[LocalWatch]:
        """As the port says; waits a moment until other processes are heard."""
        async with self._local.watching() as watch:
            self._listener.start()
            try:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_CALL_SECONDS):
                        await self._listener.is_subscribed.wait()
                yield watch
            finally:
                if self._local.watch_count == 1:
                    self._listener.stop()

    async def stop(self) -> None:
        """Listens no more."""
        await self._listener.close()

    def _hear(self, _channel: bytes, message: bytes) -> None:
        try:
            sender, hex_ids = orjson.loads(message)
            image_ids = [ImageId(UUID(hex_id)) for hex_id in hex_ids]
        except (ValueError, TypeError, AttributeError):
            log.warning("there is something in Valkey that is no processed image: %r", message[:100])
            return
        if sender != self._own_name:
            self._local.hear(image_ids)

    async def _catch_up(self) -> None:
        """Nobody keeps what was told meanwhile."""


@asynccontextmanager
async def connect_processed_images(
    settings: CacheSettings,
) -> AsyncIterator[LocalProcessedImages | ValkeyProcessedImages]:
    """Those in the Valkey of the settings, whether or not it answers yet; without one, those of this process."""
    if not settings.enabled:
        yield LocalProcessedImages()
        return
    client = create_client(settings)
    processed = ValkeyProcessedImages(client)
    try:
        yield processed
    finally:
        await processed.stop()
        await client.aclose()
