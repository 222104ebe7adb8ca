"""Rows of the driver as the records of `gallery.domain.records`: nothing is made of them, and fields are looked up.

A shape says which columns are read of each thing, and what becomes of its rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, Generic, TypeVar, cast

import asyncpg

from gallery.domain.albums import Album
from gallery.domain.images import Image, Rendition
from gallery.domain.records import AlbumRecord, ImageRecord, RenditionRecord, TagRecord
from gallery.domain.tags import Tag
from gallery.platform.database.rows import (
    ALBUM_COLUMNS,
    IMAGE_COLUMNS,
    RENDITION_COLUMNS,
    TAG_COLUMNS,
    Columns,
    album_from_row,
    image_from_row,
    rendition_from_row,
    tag_from_row,
)

T = TypeVar("T")

_MOST: Final = 256
"""How many choices of fields are remembered."""


def _field(name: str) -> Any:  # noqa: ANN401  # whatever the column holds
    """An attribute that is read without a step in Python."""
    return property(itemgetter(name))


class ImageRow(asyncpg.Record):
    """An image."""

    __slots__ = ()
    id = _field("id")
    filename = _field("filename")
    original_filename = _field("original_filename")
    content_type = _field("content_type")
    file_size_bytes = _field("file_size_bytes")
    checksum = _field("checksum")
    width_px = _field("width_px")
    height_px = _field("height_px")
    title = _field("title")
    description = _field("description")
    processing = _field("processing")
    processing_error = _field("processing_error")
    uploaded_at = _field("uploaded_at")
    created_at = _field("created_at")
    updated_at = _field("updated_at")
    version = _field("version")


class RenditionRow(asyncpg.Record):
    """A rendition."""

    __slots__ = ()
    image_id = _field("image_id")
    size = _field("size")
    content_type = _field("content_type")
    width_px = _field("width_px")
    height_px = _field("height_px")
    file_size_bytes = _field("file_size_bytes")


class TagRow(asyncpg.Record):
    """A tag."""

    __slots__ = ()
    id = _field("id")
    name = _field("name")
    created_at = _field("created_at")


class AlbumRow(asyncpg.Record):
    """An album."""

    __slots__ = ()
    id = _field("id")
    title = _field("title")
    description = _field("description")
    created_at = _field("created_at")
    updated_at = _field("updated_at")


@dataclass(frozen=True, slots=True, eq=False)
class Shape(Generic[T]):
    """The columns to read of each thing, the class of its row, and what makes a thing of a row if the row is none."""

    columns: Columns
    row: type[asyncpg.Record]
    thing: Callable[[asyncpg.Record], T] | None = None

    def things(self, rows: Iterable[asyncpg.Record]) -> tuple[T, ...]:
        """What the rows stand for."""
        return cast("tuple[T, ...]", tuple(rows)) if self.thing is None else tuple(map(self.thing, rows))

    def by(self, column: str, rows: Sequence[asyncpg.Record]) -> dict[Any, tuple[T, ...]]:
        """The same by the values of a column, after which the rows are sorted."""
        groups = groupby(rows, itemgetter(column))
        if self.thing is None:
            return {value: cast("tuple[T, ...]", tuple(own)) for value, own in groups}
        return {value: tuple(map(self.thing, own)) for value, own in groups}


IMAGES_WHOLE: Final[Shape[Image]] = Shape(IMAGE_COLUMNS, asyncpg.Record, image_from_row)
RENDITIONS_WHOLE: Final[Shape[Rendition]] = Shape(RENDITION_COLUMNS, asyncpg.Record, rendition_from_row)
TAGS_WHOLE: Final[Shape[Tag]] = Shape(TAG_COLUMNS, asyncpg.Record, tag_from_row)
ALBUMS_WHOLE: Final[Shape[Album]] = Shape(ALBUM_COLUMNS, asyncpg.Record, album_from_row)


@lru_cache(_MOST)
def images_with(fields: frozenset[str]) -> Shape[ImageRecord]:
    """Images with these fields."""
    return Shape(_chosen(IMAGE_COLUMNS, fields | {"id"}), ImageRow)


@lru_cache(_MOST)
def renditions_with(fields: frozenset[str]) -> Shape[RenditionRecord]:
    """Renditions with these fields; what they are of, and their size, always comes with them."""
    return Shape(_chosen(RENDITION_COLUMNS, fields | {"image_id", "size"}), RenditionRow)


@lru_cache(_MOST)
def tags_with(fields: frozenset[str]) -> Shape[TagRecord]:
    """Tags with these fields."""
    return Shape(_chosen(TAG_COLUMNS, fields | {"id"}), TagRow)


@lru_cache(_MOST)
def albums_with(fields: frozenset[str]) -> Shape[AlbumRecord]:
    """Albums with these fields."""
    return Shape(_chosen(ALBUM_COLUMNS, fields | {"id"}), AlbumRow)


def _chosen(columns: Columns, names: frozenset[str]) -> Columns:
    return tuple(column for column in columns if column.name in names)
