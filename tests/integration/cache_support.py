"""A small gallery in memory, readers of it that remember what they were asked, and servers that misbehave."""

# ruff: noqa: ARG002  # readers take what the ports say

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar
from uuid import UUID

from pydantic import SecretStr
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gallery.domain.access import Viewer
from gallery.domain.albums import Album
from gallery.domain.events import Event, EventKind, JsonValue
from gallery.domain.ids import AlbumId, ImageId, TagId, UserId, new_album_id, new_image_id, new_tag_id
from gallery.domain.images import ContentType, Image, ProcessingState, Rendition, RenditionSize
from gallery.domain.pages import (
    AlbumQuery,
    ContentTypeStats,
    Edge,
    GalleryStats,
    ImageFilter,
    ImageQuery,
    Page,
    PageRequest,
    Position,
    SortValue,
    TagQuery,
)
from gallery.domain.shares import AlbumShare
from gallery.domain.tags import Tag
from gallery.platform.embedded.binaries import find_valkey
from gallery.settings import CacheSettings

OWNER = UserId(UUID("00000000-0000-7000-8000-00000000000a"))
NOON = datetime(2024, 5, 17, 12, 0, 0, 123456, tzinfo=UTC)

I = TypeVar("I", bound=UUID)  # noqa: E741  # an id
T = TypeVar("T")


def cache_settings(url: str, **changes: object) -> CacheSettings:
    """Settings for tests: a machine that is busy with other tests is no reason to call Valkey slow."""
    return CacheSettings.model_validate({"url": SecretStr(url), "timeout_seconds": 2.0, **changes})


def an_image(title: str = "Harbour", *, minutes: int = 0) -> Image:
    id_ = new_image_id()
    return Image(
        id=id_,
        owner=OWNER,
        filename=f"{id_}.jpg",
        original_filename="Häfen 港.jpg",
        content_type=ContentType.JPEG,
        file_size_bytes=3_000_000_000,
        storage_path=f"images/2024/05/{id_}.jpg",
        checksum="0f" * 32,
        width_px=6000,
        height_px=4000,
        title=title,
        description=None,
        processing=ProcessingState.READY,
        processing_error=None,
        uploaded_at=NOON + timedelta(minutes=minutes),
        created_at=NOON,
        updated_at=NOON,
    )


def an_album(title: str = "Summer") -> Album:
    return Album(
        id=new_album_id(),
        owner=OWNER,
        title=title,
        description="“Best of”",
        cover_id=None,
        created_at=NOON,
        updated_at=NOON,
    )


def a_tag(name: str) -> Tag:
    return Tag(id=new_tag_id(), owner=OWNER, name=name, created_at=NOON)


def a_rendition(image_id: ImageId, size: RenditionSize = RenditionSize.SMALL) -> Rendition:
    return Rendition(
        image_id=image_id,
        size=size,
        content_type="image/webp",
        width_px=320,
        height_px=213,
        file_size_bytes=20_000,
        checksum="ab" * 32,
        storage_path=f"thumbnails/{size}/{image_id}.webp",
    )


def an_event(kind: EventKind, entity_id: UUID, **payload: JsonValue) -> Event:
    return Event(kind=kind, entity_id=entity_id, actor=OWNER, occurred_at=NOON, payload=payload)


class Pause:
    """Holds a read up when it has read and before it answers."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.end = asyncio.Event()

    async def hold(self) -> None:
        self.reached.set()
        await self.end.wait()


@dataclass
class MemoryGallery:
    """What is in the gallery, and every read of it: the method and the ids, or what else was asked."""

    images: dict[ImageId, Image] = field(default_factory=dict)
    tags: dict[TagId, Tag] = field(default_factory=dict)
    albums: dict[AlbumId, Album] = field(default_factory=dict)
    image_tags: dict[ImageId, list[TagId]] = field(default_factory=dict)
    album_images: dict[AlbumId, list[ImageId]] = field(default_factory=dict)
    rendition_lists: dict[ImageId, tuple[Rendition, ...]] = field(default_factory=dict)
    offered: set[ImageId] = field(default_factory=set)
    shared: set[AlbumId] = field(default_factory=set)
    reads: list[tuple[str, object]] = field(default_factory=list)
    pause: Pause | None = None
    failure: Exception | None = None

    def add(self, *images: Image) -> None:
        self.images |= {image.id: image for image in images}

    def retitle(self, image_id: ImageId, title: str) -> Image:
        image = replace(self.images[image_id], title=title, version=self.images[image_id].version + 1)
        self.images[image_id] = image
        return image

    def tagged(self, tag_id: TagId) -> list[Image]:
        return [image for image in self.images.values() if tag_id in self.image_tags.get(image.id, ())]

    async def read(self, method: str, asked: object, answer: T) -> T:
        self.reads.append((method, asked))
        if self.pause is not None:
            await self.pause.hold()
        if self.failure is not None:
            raise self.failure
        return answer


def some(items: Mapping[I, T], ids: Collection[I]) -> dict[I, T]:
    return {id_: items[id_] for id_ in ids if id_ in items}


def a_page(items: Iterable[tuple[SortValue, T]], ids: Iterable[UUID]) -> Page[T]:
    edges = tuple(Edge(item, Position(value, id_)) for (value, item), id_ in zip(items, ids, strict=True))
    return Page.of(edges, has_next=True, has_previous=False)


class MemoryImageReader:
    def __init__(self, gallery: MemoryGallery) -> None:
        self._gallery = gallery

    async def get_many(self, viewer: Viewer, image_ids: Collection[ImageId]) -> dict[ImageId, Image]:
        return await self._gallery.read("images", list(image_ids), some(self._gallery.images, image_ids))

    async def list_page(self, viewer: Viewer, query: ImageQuery) -> Page[Image]:
        images = sorted(self._gallery.images.values(), key=lambda image: image.uploaded_at, reverse=True)
        page = a_page([(image.uploaded_at, image) for image in images], [image.id for image in images])
        return await self._gallery.read("page of images", query, page)

    async def count(self, viewer: Viewer, image_filter: ImageFilter) -> int:
        return await self._gallery.read("count of images", image_filter, len(self._gallery.images))

    async def offered(self, viewer: Viewer, image_ids: Collection[ImageId]) -> set[ImageId]:
        return await self._gallery.read("offered images", list(image_ids), self._gallery.offered & set(image_ids))

    async def known_checksums(self, viewer: Viewer, checksums: Collection[str]) -> dict[str, ImageId]:
        known = {image.checksum: image.id for image in self._gallery.images.values() if image.checksum in checksums}
        return await self._gallery.read("checksums", list(checksums), known)

    async def renditions(self, viewer: Viewer, image_ids: Collection[ImageId]) -> dict[ImageId, tuple[Rendition, ...]]:
        return await self._gallery.read("renditions", list(image_ids), some(self._gallery.rendition_lists, image_ids))

    async def pages_by_album(
        self, viewer: Viewer, album_ids: Collection[AlbumId], page: PageRequest
    ) -> dict[AlbumId, Page[Image]]:
        pages: dict[AlbumId, Page[Image]] = {}
        for album_id in album_ids:
            ids = self._gallery.album_images.get(album_id, [])
            pages[album_id] = a_page(enumerate(self._gallery.images[id_] for id_ in ids), ids)
        return await self._gallery.read("pages by album", list(album_ids), pages)

    async def pages_by_tag(
        self, viewer: Viewer, tag_ids: Collection[TagId], page: PageRequest
    ) -> dict[TagId, Page[Image]]:
        pages: dict[TagId, Page[Image]] = {}
        for tag_id in tag_ids:
            images = self._gallery.tagged(tag_id)
            pages[tag_id] = a_page([(image.uploaded_at, image) for image in images], [image.id for image in images])
        return await self._gallery.read("pages by tag", list(tag_ids), pages)

    async def stats(self, viewer: Viewer) -> GalleryStats:
        share = ContentTypeStats(content_type=ContentType.JPEG, image_count=len(self._gallery.images), size_bytes=7)
        stats = GalleryStats(
            image_count=len(self._gallery.images),
            tag_count=len(self._gallery.tags),
            album_count=len(self._gallery.albums),
            size_bytes=7,
            content_types=(share,),
        )
        return await self._gallery.read("stats", None, stats)


class MemoryTagReader:
    def __init__(self, gallery: MemoryGallery) -> None:
        self._gallery = gallery

    async def get_many(self, viewer: Viewer, tag_ids: Collection[TagId]) -> dict[TagId, Tag]:
        return await self._gallery.read("tags", list(tag_ids), some(self._gallery.tags, tag_ids))

    async def list_page(self, viewer: Viewer, query: TagQuery) -> Page[Tag]:
        tags = sorted(self._gallery.tags.values(), key=lambda tag: tag.name)
        page = a_page([(tag.name, tag) for tag in tags], [tag.id for tag in tags])
        return await self._gallery.read("page of tags", query, page)

    async def count(self, viewer: Viewer, text: str | None) -> int:
        return await self._gallery.read("count of tags", text, len(self._gallery.tags))

    async def by_image(self, viewer: Viewer, image_ids: Collection[ImageId]) -> dict[ImageId, tuple[Tag, ...]]:
        tags = {
            id_: tuple(self._gallery.tags[tag] for tag in tags)
            for id_, tags in some(self._gallery.image_tags, image_ids).items()
        }
        return await self._gallery.read("tags by image", list(image_ids), tags)

    async def image_counts(self, viewer: Viewer, tag_ids: Collection[TagId]) -> dict[TagId, int]:
        counts = {id_: count for id_ in tag_ids if (count := len(self._gallery.tagged(id_)))}
        return await self._gallery.read("image counts by tag", list(tag_ids), counts)


class MemoryAlbumReader:
    def __init__(self, gallery: MemoryGallery) -> None:
        self._gallery = gallery

    async def get_many(self, viewer: Viewer, album_ids: Collection[AlbumId]) -> dict[AlbumId, Album]:
        return await self._gallery.read("albums", list(album_ids), some(self._gallery.albums, album_ids))

    async def list_page(self, viewer: Viewer, query: AlbumQuery) -> Page[Album]:
        albums = list(self._gallery.albums.values())
        page = a_page([(album.created_at, album) for album in albums], [album.id for album in albums])
        return await self._gallery.read("page of albums", query, page)

    async def count(self, viewer: Viewer, text: str | None) -> int:
        return await self._gallery.read("count of albums", text, len(self._gallery.albums))

    async def by_image(self, viewer: Viewer, image_ids: Collection[ImageId]) -> dict[ImageId, tuple[Album, ...]]:
        albums = {
            image_id: tuple(
                self._gallery.albums[id_] for id_, ids in self._gallery.album_images.items() if image_id in ids
            )
            for image_id in image_ids
        }
        answer = {id_: found for id_, found in albums.items() if found}
        return await self._gallery.read("albums by image", list(image_ids), answer)

    async def image_counts(self, viewer: Viewer, album_ids: Collection[AlbumId]) -> dict[AlbumId, int]:
        counts = {id_: len(ids) for id_, ids in some(self._gallery.album_images, album_ids).items() if ids}
        return await self._gallery.read("image counts by album", list(album_ids), counts)

    async def shared(self, viewer: Viewer, album_ids: Collection[AlbumId]) -> set[AlbumId]:
        return await self._gallery.read("shared albums", list(album_ids), self._gallery.shared & set(album_ids))

    async def shares(self, viewer: Viewer, album_ids: Collection[AlbumId]) -> dict[AlbumId, tuple[AlbumShare, ...]]:
        return await self._gallery.read("shares", list(album_ids), {})

    async def cover_ids(self, viewer: Viewer, album_ids: Collection[AlbumId]) -> dict[AlbumId, ImageId]:
        covers = {id_: ids[0] for id_, ids in some(self._gallery.album_images, album_ids).items() if ids}
        return await self._gallery.read("covers", list(album_ids), covers)


async def eventually(holds: Callable[[], bool]) -> None:
    """Waits until something holds, for as long as a busy machine may need."""
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110  # whatever it is, it has no event
            await asyncio.sleep(0.005)


class ValkeyProcess:
    """A Valkey of one's own, to be killed or frozen."""

    def __init__(self, folder: Path) -> None:
        self._socket = folder / "valkey.sock"
        self._process: asyncio.subprocess.Process | None = None
        self.url = f"unix://{self._socket}"

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            find_valkey(),
            *("--port", "0", "--unixsocket", str(self._socket), "--save", ""),
            cwd=self._socket.parent,
            stdout=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(20), Redis.from_url(self.url) as client:
            while True:
                with suppress(RedisError):
                    await client.ping()
                    return
                await asyncio.sleep(0.02)

    async def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            await self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """From now on it takes connections and commands, and answers nothing: a black hole."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


@asynccontextmanager
async def listening(answer: bytes | None) -> AsyncIterator[tuple[str, list[bytes]]]:
    """The address of a server that answers everything with the same bytes, or never, and what it was sent."""
    received: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while sent := await reader.read(65536):
                received.append(sent)
                if answer is not None:
                    writer.write(answer)
                    await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    try:
        yield f"redis://{host}:{port}", received
    finally:
        server.close()
        await server.wait_closed()
