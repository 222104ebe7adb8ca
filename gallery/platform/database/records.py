"""Rows of the driver as the records of `gallery.domain.records`: nothing is made of them, and fields are looked up.

What a row has is found by its place among the columns: looking for its name takes half as long again, a thousand times
for a page.

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


@dataclass(frozen=True, slots=True, eq=False)
class Shape(Generic[T]):
    """The columns to read of each thing, the class of its row, and what makes a thing of a row if the row is none.

    Whatever else a statement reads comes after these columns.
    """

    columns: Columns
    row: type[asyncpg.Record]
    thing: Callable[[asyncpg.Record], T] | None = None

    def things(self, rows: Iterable[asyncpg.Record]) -> tuple[T, ...]:
        """What the rows stand for."""
        return cast("tuple[T, ...]", tuple(rows)) if self.thing is None else tuple(map(self.thing, rows))

    def by_id(self, rows: Sequence[asyncpg.Record]) -> dict[Any, T]:
        """The same by their ids, the column `id`."""
        return {row["id"]: thing for row, thing in zip(rows, self.things(rows), strict=True)}

    def by(self, column: str, rows: Sequence[asyncpg.Record]) -> dict[Any, tuple[T, ...]]:
        """The same by the values of a column, after which the rows are sorted: one of these, or the next after them."""
        names = [each.name for each in self.columns]
        place = names.index(column) if column in names else len(names)
        groups = groupby(rows, itemgetter(place))
        if self.thing is None:
            return {value: cast("tuple[T, ...]", tuple(own)) for value, own in groups}
        return {value: tuple(map(self.thing, own)) for value, own in groups}

    def by_image(self, rows: Sequence[asyncpg.Record]) -> dict[Any, tuple[T, ...]]:
        """The same by the images that they belong to."""
        return self.by("image_id", rows)


IMAGES_WHOLE: Final[Shape[Image]] = Shape(IMAGE_COLUMNS, asyncpg.Record, image_from_row)
RENDITIONS_WHOLE: Final[Shape[Rendition]] = Shape(RENDITION_COLUMNS, asyncpg.Record, rendition_from_row)
TAGS_WHOLE: Final[Shape[Tag]] = Shape(TAG_COLUMNS, asyncpg.Record, tag_from_row)
ALBUMS_WHOLE: Final[Shape[Album]] = Shape(ALBUM_COLUMNS, asyncpg.Record, album_from_row)


@lru_cache(_MOST)
def images_with(fields: frozenset[str]) -> Shape[ImageRecord]:
    """Images with these fields."""
    return _shape("ImageRow", IMAGE_COLUMNS, fields | {"id"})


@lru_cache(_MOST)
def renditions_with(fields: frozenset[str]) -> Shape[RenditionRecord]:
    """Renditions with these fields; what they are of, and their size, always comes with them."""
    return _shape("RenditionRow", RENDITION_COLUMNS, fields | {"image_id", "size"})


@lru_cache(_MOST)
def tags_with(fields: frozenset[str]) -> Shape[TagRecord]:
    """Tags with these fields."""
    return _shape("TagRow", TAG_COLUMNS, fields | {"id"})


@lru_cache(_MOST)
def albums_with(fields: frozenset[str]) -> Shape[AlbumRecord]:
    """Albums with these fields."""
    return _shape("AlbumRow", ALBUM_COLUMNS, fields | {"id"})


def second_by_first(rows: Iterable[asyncpg.Record]) -> dict[Any, Any]:
    """The second column of rows by their first, but for those in which it is null or zero."""
    return {first: second for first, second in rows if second}


def _shape(name: str, columns: Columns, fields: frozenset[str]) -> Shape[Any]:
    """Rows of the columns that are fields; each is an attribute that is read without a step in Python."""
    chosen = tuple(column for column in columns if column.name in fields)
    attributes = {column.name: property(itemgetter(place)) for place, column in enumerate(chosen)}
    return Shape(chosen, type(name, (asyncpg.Record,), {"__slots__": (), **attributes}))
