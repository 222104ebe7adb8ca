"""Processes that keep whole answers, on one Valkey, before one gallery in memory that they all read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson

from gallery.domain.access import LOCAL_ADMINISTRATOR as VIEWER
from gallery.domain.footprints import Footprint, followed, recording
from gallery.domain.ids import AlbumId, ImageId
from gallery.domain.pages import ImageQuery, PageRequest
from gallery.domain.response_ports import KeptResponse, MadeResponse
from gallery.platform.cache import Cache, CachedAlbumReader, CachedImageReader, CachedResponses, connect
from gallery.settings import CacheSettings
from tests.integration.cache_support import MemoryAlbumReader, MemoryGallery, MemoryImageReader, eventually

Read = Callable[["Process"], Awaitable[object]]


class Process:
    """What one process has. `made` counts how often it has made an answer."""

    def __init__(self, cache: Cache, settings: CacheSettings, gallery: MemoryGallery) -> None:
        self.cache = cache
        self.gallery = gallery
        self.responses = CachedResponses(cache, settings)
        self.images = CachedImageReader(MemoryImageReader(gallery), cache)
        self.albums = CachedAlbumReader(MemoryAlbumReader(gallery), cache)
        self.made = 0

    async def ask(self, what: str, read: Read, *, scope: str = "") -> Any:  # noqa: ANN401  # JSON
        """What a read gives, from a kept answer if there is one: as the web does it."""
        key = f"{scope}:{what}".encode()
        answer: Any = None

        async def make() -> MadeResponse | None:
            nonlocal answer
            self.made += 1
            with recording() as footprint:
                answer = await followed(footprint, lambda: read(self))
            return None if not footprint.is_whole else made_of(answer, footprint)

        kept = self.responses.find(key) or await self.responses.look(key) or await self.responses.get(key, make)
        if kept is None:
            return await read(self) if answer is None else answer
        return content_of(kept)

    async def title(self, image_id: ImageId, *, scope: str = "") -> Any:  # noqa: ANN401  # JSON
        """The title of an image."""
        return await self.ask(f"title {image_id}", lambda process: titles(process, image_id), scope=scope)

    async def page(self) -> Any:  # noqa: ANN401  # as above
        """The titles of all images by their ids."""
        return await self.ask("page", page_of)

    async def album(self, album_id: AlbumId) -> Any:  # noqa: ANN401  # as above
        """The titles of the images of an album by their ids."""
        return await self.ask(f"album {album_id}", lambda process: album_of(process, album_id))

    async def until_ready(self) -> None:
        """Waits until answers come from memory."""
        await eventually(self.cache.valkey.listener.may_answer)


def made_of(answer: object, footprint: Footprint) -> MadeResponse:
    return MadeResponse(body=orjson.dumps(answer), tags=frozenset(footprint.tags))


def content_of(kept: KeptResponse) -> Any:  # noqa: ANN401  # as above
    return orjson.loads(kept.body)


async def titles(process: Process, image_id: ImageId) -> list[str]:
    return [image.title for image in (await process.images.get_many(VIEWER, [image_id])).values()]


async def page_of(process: Process) -> dict[str, str]:
    page = await process.images.list_page(VIEWER, ImageQuery())
    return {image.id.hex: image.title for image in page.items}


async def album_of(process: Process, album_id: AlbumId) -> dict[str, str]:
    pages = await process.images.pages_by_album(VIEWER, [album_id], PageRequest())
    return {image.id.hex: image.title for page in pages.values() for image in page.items}


@asynccontextmanager
async def process_on(settings: CacheSettings, gallery: MemoryGallery) -> AsyncIterator[Process]:
    """A process that has begun, but need not hear of others yet."""
    async with connect(settings) as cache:
        process = Process(cache, settings, gallery)
        yield process
        await process.responses.settle()
