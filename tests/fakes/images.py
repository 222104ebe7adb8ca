"""Images in memory: the repository of a unit of work, and the reader."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from gallery.domain.access import Viewer
from gallery.domain.errors import ConflictError, ErrorCode, NotFoundError
from gallery.domain.events import EntityKind
from gallery.domain.ids import AlbumId, ImageId, TagId, UserId
from gallery.domain.images import Image, Rendition, RenditionSize
from gallery.domain.pages import (
    ContentTypeStats,
    Direction,
    Edge,
    GalleryStats,
    ImageFilter,
    ImageQuery,
    ImageSortField,
    Page,
    PageRequest,
    Position,
    SortValue,
    TagMode,
)
from gallery.domain.tags import tag_key
from tests.fakes.database import MemoryDatabase, Tables, Transaction
from tests.fakes.pages import contains, page_of

_SMALLEST_FIRST = list(RenditionSize)


class MemoryImageRepository:
    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def get(self, image_id: ImageId) -> Image:
        image = (await self.get_many([image_id])).get(image_id)
        if image is None:
            raise NotFoundError.of(EntityKind.IMAGE)
        return image

    async def get_many(self, image_ids: Collection[ImageId]) -> dict[ImageId, Image]:
        there = sorted(set(image_ids) & self._transaction.tables.living.keys())
        for image_id in there:
            await self._transaction.lock(image_id)
        living = self._transaction.tables.living
        return {image_id: living[image_id] for image_id in there if image_id in living}

    async def find_by_checksum(self, owner: UserId, checksum: str) -> Image | None:
        while (found := self._with_checksum(owner, checksum)) is not None:
            locked = await self.get_many([found.id])
            if found.id in locked:
                return locked[found.id]
        return None

    async def add(self, image: Image) -> None:
        await self._transaction.lock((image.owner, image.checksum))
        existing = self._with_checksum(image.owner, image.checksum)
        if not image.is_copy and existing is not None and not existing.is_copy:
            message = "The owner has an image with these bytes already."
            raise ConflictError(ErrorCode.VERSION_CONFLICT, message)
        self._transaction.change(lambda tables: tables.images.update({image.id: image}))

    async def add_unless_there(self, image: Image) -> bool:
        await self._transaction.lock((image.owner, image.checksum))
        if self._with_checksum(image.owner, image.checksum) is not None:
            return False
        self._transaction.change(lambda tables: tables.images.update({image.id: image}))
        return True

    async def save(self, image: Image) -> None:
        if image.id not in self._transaction.tables.living:
            raise NotFoundError.of(EntityKind.IMAGE)

        def change(tables: Tables) -> None:
            tables.images[image.id] = image
            if image.deleted_at is not None:
                _remove_from_everything(tables, image.id)

        self._transaction.change(change)

    async def replace_renditions(self, image_id: ImageId, renditions: Sequence[Rendition]) -> None:
        stored = tuple(sorted(renditions, key=lambda rendition: _SMALLEST_FIRST.index(rendition.size)))
        self._transaction.change(lambda tables: tables.renditions.update({image_id: stored}))

    async def renditions(self, image_id: ImageId) -> tuple[Rendition, ...]:
        return self._transaction.tables.renditions.get(image_id, ())

    def _with_checksum(self, owner: UserId, checksum: str) -> Image | None:
        images = self._transaction.tables.living.values()
        found = [image for image in images if (image.owner, image.checksum) == (owner, checksum)]
        return min(found, key=_first_of_the_same, default=None)


class MemoryImageReader:
    """Counts how often renditions are read."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self.rendition_reads = 0

    async def get_many(self, viewer: Viewer, image_ids: Collection[ImageId]) -> dict[ImageId, Image]:
        tables = self._database.committed
        living = tables.living
        found = {image_id: living[image_id] for image_id in image_ids if image_id in living}
        return {image_id: image for image_id, image in found.items() if tables.sees_image(viewer, image)}

    async def offered(self, viewer: Viewer, image_ids: Collection[ImageId]) -> set[ImageId]:
        return self._database.committed.offered_to(viewer.id) & set(image_ids)

    async def list_page(self, viewer: Viewer, query: ImageQuery) -> Page[Image]:
        images = _filtered(self._database.committed, viewer, query.filter)
        edges = (Edge(image, Position(_sort_value(image, query.sort_field), image.id)) for image in images)
        return page_of(edges, query.page, descending=query.direction is Direction.DESC)

    async def count(self, viewer: Viewer, image_filter: ImageFilter) -> int:
        return len(_filtered(self._database.committed, viewer, image_filter))

    async def known_checksums(self, viewer: Viewer, checksums: Collection[str]) -> dict[str, ImageId]:
        images = [image for image in self._database.committed.living.values() if image.owner == viewer.id]
        first_last = sorted(images, key=_first_of_the_same, reverse=True)
        return {image.checksum: image.id for image in first_last if image.checksum in checksums}

    async def renditions(self, viewer: Viewer, image_ids: Collection[ImageId]) -> dict[ImageId, tuple[Rendition, ...]]:
        self.rendition_reads += 1
        tables = self._database.committed
        return {image_id: tables.renditions[image_id] for image_id in image_ids if tables.renditions.get(image_id)}

    async def pages_by_album(
        self, viewer: Viewer, album_ids: Collection[AlbumId], page: PageRequest
    ) -> dict[AlbumId, Page[Image]]:
        tables = self._database.committed
        return {
            album_id: page_of(
                (
                    Edge(tables.images[image_id], Position(tables.album_images[album_id, image_id], image_id))
                    for image_id in tables.listed_members(viewer, album_id)
                ),
                page,
            )
            for album_id in album_ids
        }

    async def pages_by_tag(
        self, viewer: Viewer, tag_ids: Collection[TagId], page: PageRequest
    ) -> dict[TagId, Page[Image]]:
        tables = self._database.committed
        return {
            tag_id: page_of(
                (
                    Edge(tables.images[image_id], Position(tables.images[image_id].uploaded_at, image_id))
                    for image_id, attached in tables.image_tags
                    if attached == tag_id and tables.lists_image(viewer, tables.images[image_id])
                ),
                page,
                descending=True,
            )
            for tag_id in tag_ids
        }

    async def stats(self, viewer: Viewer) -> GalleryStats:
        tables = self._database.committed
        images = [image for image in tables.living.values() if tables.lists_image(viewer, image)]
        counts = Counter(image.content_type for image in images)
        return GalleryStats(
            image_count=len(images),
            tag_count=sum(tables.sees_tag(viewer, tag) for tag in tables.tags.values()),
            album_count=sum(tables.lists_album(viewer, album) for album in tables.albums.values()),
            size_bytes=_total_bytes(images),
            content_types=tuple(
                ContentTypeStats(
                    content_type=content_type,
                    image_count=count,
                    size_bytes=_total_bytes(image for image in images if image.content_type is content_type),
                )
                for content_type, count in counts.most_common()
            ),
        )


def _first_of_the_same(image: Image) -> tuple[bool, datetime, ImageId]:
    """Sorts images of the same bytes: the one that is no copy, then copies by age."""
    return image.is_copy, image.uploaded_at, image.id


def _remove_from_everything(tables: Tables, image_id: ImageId) -> None:
    tables.renditions.pop(image_id, None)
    tables.image_tags = {pair for pair in tables.image_tags if pair[0] != image_id}
    tables.album_images = {pair: place for pair, place in tables.album_images.items() if pair[1] != image_id}
    tables.offered = {pair for pair in tables.offered if pair[1] != image_id}
    for album in tables.albums.values():
        if album.cover_id == image_id:
            tables.albums[album.id] = replace(album, cover_id=None)


def _filtered(tables: Tables, viewer: Viewer, wanted: ImageFilter) -> list[Image]:
    album = None if wanted.album_id is None else tables.albums.get(wanted.album_id)
    if album is not None and not tables.sees_album(viewer, album):
        return []
    listed = [image for image in tables.living.values() if tables.lists_image(viewer, image)]
    return [image for image in listed if _matches(tables, image, wanted)]


def _matches(tables: Tables, image: Image, wanted: ImageFilter) -> bool:
    return (
        (contains(image.title, wanted.text) or contains(image.original_filename, wanted.text))
        and _has_tags(tables, image.id, wanted)
        and (wanted.album_id is None or (wanted.album_id, image.id) in tables.album_images)
        and (not wanted.content_types or image.content_type in wanted.content_types)
        and (wanted.uploaded_from is None or wanted.uploaded_from <= image.uploaded_at)
        and (wanted.uploaded_to is None or image.uploaded_at < wanted.uploaded_to)
    )


def _has_tags(tables: Tables, image_id: ImageId, wanted: ImageFilter) -> bool:
    if not wanted.tag_names:
        return True
    keys = {tag_key(name) for name in wanted.tag_names}
    has = {tag_key(tables.tags[tag].name) for image, tag in tables.image_tags if image == image_id}
    return keys <= has if wanted.tag_mode is TagMode.ALL else bool(keys & has)


def _sort_value(image: Image, field: ImageSortField) -> SortValue:
    values: dict[ImageSortField, SortValue] = {
        ImageSortField.UPLOADED_AT: image.uploaded_at,
        ImageSortField.TITLE: image.title.lower(),
        ImageSortField.FILE_SIZE: image.file_size_bytes,
    }
    return values[field]


def _total_bytes(images: Iterable[Image]) -> int:
    return sum(image.file_size_bytes for image in images)
