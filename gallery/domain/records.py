"""What is shown of images, tags and albums: records with the fields that somebody asked for, and who reads them.

An entity is a record that has all fields. A reader of records may leave out what nobody looks at: that makes a page
cheaper to read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from gallery.domain.access import Viewer, Visibility
from gallery.domain.ids import AlbumId, ImageId, TagId
from gallery.domain.images import ContentType, ProcessingState, RenditionSize
from gallery.domain.pages import AlbumQuery, ImageQuery, Page, PageRequest, TagQuery

# ruff: noqa: D102  # the fields are those of the entities


class ImageRecord(Protocol):
    """An image, or as much of it as was asked for; words may be plain strings, equal to the members of enums."""

    @property
    def id(self) -> ImageId: ...
    @property
    def filename(self) -> str: ...
    @property
    def original_filename(self) -> str: ...
    @property
    def content_type(self) -> ContentType | str: ...
    @property
    def file_size_bytes(self) -> int: ...
    @property
    def checksum(self) -> str: ...
    @property
    def width_px(self) -> int: ...
    @property
    def height_px(self) -> int: ...
    @property
    def title(self) -> str: ...
    @property
    def description(self) -> str | None: ...
    @property
    def processing(self) -> ProcessingState | str: ...
    @property
    def processing_error(self) -> str | None: ...
    @property
    def uploaded_at(self) -> datetime: ...
    @property
    def created_at(self) -> datetime: ...
    @property
    def updated_at(self) -> datetime: ...
    @property
    def version(self) -> int: ...
    @property
    def visibility(self) -> Visibility | str: ...


class RenditionRecord(Protocol):
    """A rendition, or as much of it as was asked for."""

    @property
    def image_id(self) -> ImageId: ...
    @property
    def size(self) -> RenditionSize | str: ...
    @property
    def content_type(self) -> str: ...
    @property
    def width_px(self) -> int: ...
    @property
    def height_px(self) -> int: ...
    @property
    def file_size_bytes(self) -> int: ...


class TagRecord(Protocol):
    """A tag, or as much of it as was asked for."""

    @property
    def id(self) -> TagId: ...
    @property
    def name(self) -> str: ...
    @property
    def created_at(self) -> datetime: ...


class AlbumRecord(Protocol):
    """An album, or as much of it as was asked for."""

    @property
    def id(self) -> AlbumId: ...
    @property
    def title(self) -> str: ...
    @property
    def description(self) -> str | None: ...
    @property
    def created_at(self) -> datetime: ...
    @property
    def updated_at(self) -> datetime: ...
    @property
    def visibility(self) -> Visibility | str: ...


class ImageRecords(Protocol):
    """Reads images; an `ImageReader` is one. Each method is as that of the reader."""

    async def get_many(self, viewer: Viewer, image_ids: Collection[ImageId]) -> Mapping[ImageId, ImageRecord]: ...
    async def list_page(self, viewer: Viewer, query: ImageQuery) -> Page[ImageRecord]: ...
    async def renditions(
        self, viewer: Viewer, image_ids: Collection[ImageId]
    ) -> Mapping[ImageId, tuple[RenditionRecord, ...]]: ...
    async def pages_by_album(
        self, viewer: Viewer, album_ids: Collection[AlbumId], page: PageRequest
    ) -> Mapping[AlbumId, Page[ImageRecord]]: ...
    async def pages_by_tag(
        self, viewer: Viewer, tag_ids: Collection[TagId], page: PageRequest
    ) -> Mapping[TagId, Page[ImageRecord]]: ...


class TagRecords(Protocol):
    """Reads tags; a `TagReader` is one. Each method is as that of the reader."""

    async def get_many(self, viewer: Viewer, tag_ids: Collection[TagId]) -> Mapping[TagId, TagRecord]: ...
    async def list_page(self, viewer: Viewer, query: TagQuery) -> Page[TagRecord]: ...
    async def by_image(
        self, viewer: Viewer, image_ids: Collection[ImageId]
    ) -> Mapping[ImageId, tuple[TagRecord, ...]]: ...


class AlbumRecords(Protocol):
    """Reads albums; an `AlbumReader` is one. Each method is as that of the reader."""

    async def get_many(self, viewer: Viewer, album_ids: Collection[AlbumId]) -> Mapping[AlbumId, AlbumRecord]: ...
    async def list_page(self, viewer: Viewer, query: AlbumQuery) -> Page[AlbumRecord]: ...
    async def by_image(
        self, viewer: Viewer, image_ids: Collection[ImageId]
    ) -> Mapping[ImageId, tuple[AlbumRecord, ...]]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """The names of the fields that somebody will look at, of each kind of record. Ids are always there."""

    images: frozenset[str]
    renditions: frozenset[str]
    tags: frozenset[str]
    albums: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """Who reads records."""

    images: ImageRecords
    tags: TagRecords
    albums: AlbumRecords


RecordsOf = Callable[[Fields | None], Records]
"""Who reads records with these fields, or with all."""
