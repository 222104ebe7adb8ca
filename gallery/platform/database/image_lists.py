"""Statements for lists of images: what a filter leaves, how it is sorted, and the pages of many albums or tags."""

from __future__ import annotations

import operator
import re
from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, Final, TypeVar
from uuid import UUID

import asyncpg
from sqlalchemy import (
    ColumnElement,
    Select,
    Table,
    Text,
    any_,
    bindparam,
    exists,
    func,
    literal_column,
    null,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY

from gallery.domain.access import Sight, Viewer
from gallery.domain.images import ContentType
from gallery.domain.pages import Direction, ImageFilter, ImageQuery, ImageSortField, Page, PageRequest, TagMode
from gallery.platform.database.keyset import SORT_VALUE, Keyset
from gallery.platform.database.records import Shape
from gallery.platform.database.rows import Columns
from gallery.platform.database.statements import containing, unnested, uuids
from gallery.platform.database.tables import ALBUM_IMAGES, ALBUMS, IMAGE_CHARACTERS, IMAGE_TAGS, IMAGES
from gallery.platform.database.visible import (
    Conditions,
    found_albums,
    overlapping_parts_of_listed_images,
    parts_of_listed_images,
    visible_to,
)

P = TypeVar("P", bound=UUID)
T = TypeVar("T")

LIVING: Final = IMAGES.c.deleted_at.is_(None)
"""What is true of every image that anybody may see."""

NO_TAG: Final = UUID(int=0)
"""An id that no tag has: it stands for a tag that does not exist."""

_INDEXED: Final[dict[ImageSortField, ColumnElement[Any]]] = {
    ImageSortField.TITLE: IMAGES.c.sort_title,
    ImageSortField.FILE_SIZE: IMAGES.c.file_size_bytes,
}
_UNINDEXED: Final[dict[ImageSortField, ColumnElement[Any]]] = {
    ImageSortField.TITLE: IMAGES.c.sort_title + "",
    ImageSortField.FILE_SIZE: IMAGES.c.file_size_bytes + 0,
}
"""The same values, in a form of which PostgreSQL sees no order.

It takes the images of an album for scattered over all others. They are not, and if they are to be narrowed down as
well, it would look for the few that are left through all images there are, in their order.
"""
_CHARACTERS: Final = literal_column(IMAGE_CHARACTERS.text, ARRAY(Text))
_TRIGRAM: Final = 3
_NOT_IN_TRIGRAMS: Final = re.compile(r"[\W_]+")
_PARENT_IDS: Final = "parent_ids"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSelection:
    """The images that a filter leaves to a viewer. `tag_ids` are the tags that it names, looked up before.

    PostgreSQL knows how common a tag is by its id, not by its name, and reads a rare one's images rather than all in
    their order. An album, or else a tag that every image must have, is joined: it has its images in the order of their
    upload, so that a page of the newest is one range of an index.

    Selections of the same `form` have the same statements; they differ in the `values` of parameters.
    """

    filter: ImageFilter
    tag_ids: Sequence[UUID]
    viewer: Viewer

    @property
    def form(self) -> Hashable:
        """What tells the statements of selections apart."""
        wanted, text = self.filter, self.filter.text
        return (
            self.viewer.sight,
            text and (_has_trigram(text), text.isascii()),
            wanted.tag_mode if self.tag_ids else None,
            len(self.tag_ids) if wanted.tag_mode is TagMode.ALL else min(len(self.tag_ids), 2),
            wanted.album_id is None,
            min(len(wanted.content_types), 2),
            wanted.uploaded_from is None,
            wanted.uploaded_to is None,
        )

    @property
    def values(self) -> dict[str, Any]:
        """The values of the parameters. There may be more of them than a statement has."""
        wanted = self.filter
        values: dict[str, Any] = {
            "pattern": containing(wanted.text or ""),
            "text": wanted.text,
            "album_id": wanted.album_id,
            "content_type": wanted.content_types[0] if wanted.content_types else None,
            "content_types": list(wanted.content_types),
            "uploaded_from": wanted.uploaded_from,
            "uploaded_to": wanted.uploaded_to,
            _one_of(0): list(self.tag_ids),
            **visible_to(self.viewer),
        }
        if self._demands_every_tag:
            values.update({_one_of(place): [tag_id] for place, tag_id in enumerate(self.tag_ids)})
        if self.tag_ids:
            values["tag_id"] = self.tag_ids[0]
        return values

    def page(self, keyset: Keyset, columns: Columns) -> Select[Any]:
        """A statement for the rows of a page."""
        if not self._hides:
            return keyset.cut(self._selected(*columns, shown=()))
        parts = overlapping_parts_of_listed_images(self.viewer.sight)
        return keyset.merged([keyset.cut(self._selected(*columns, shown=(part,))) for part in parts])

    def count(self) -> Select[Any]:
        """A statement that counts the images.

        Where an album or tags say it all, nothing else is read: deleted images are in no album and have no tags.
        """
        members = self._members
        if self._hides:
            parts = parts_of_listed_images(self.viewer.sight)
            counts = (self._selected(func.count(), shown=(part,), sparing=True).scalar_subquery() for part in parts)
            return select(reduce(operator.add, counts))
        if self._concerns_images or (members is None and not self.tag_ids):
            return self._selected(func.count(), shown=(), sparing=True)
        if members is not None:
            return select(func.count()).select_from(members).where(*self._conditions(members))
        return select(func.count(IMAGE_TAGS.c.image_id.distinct())).where(
            IMAGE_TAGS.c.tag_id == any_(uuids(_one_of(0))), *self._period(IMAGE_TAGS)
        )

    def keyset(self, query: ImageQuery) -> Keyset:
        """How the page of a query is cut."""
        members = self._members
        value: ColumnElement[Any] = (IMAGES if members is None else members).c.uploaded_at
        id_ = IMAGES.c.id if members is None else members.c.image_id
        if query.sort_field is not ImageSortField.UPLOADED_AT:
            value = (_UNINDEXED if self._is_part_of_album else _INDEXED)[query.sort_field]
            id_ = IMAGES.c.id
        return Keyset(value=value, id=id_, descending=query.direction is Direction.DESC, request=query.page)

    def _selected(self, *columns: ColumnElement[Any], shown: Conditions, sparing: bool = False) -> Select[Any]:
        members = self._members
        statement = select(*columns).select_from(IMAGES if members is None else members)
        if members is not None:
            statement = statement.join(IMAGES, IMAGES.c.id == members.c.image_id)
        return statement.where(
            LIVING,
            *self._conditions(members),
            *self._conditions_of_images(sparing=sparing),
            *shown,
            *self._conditions_of_album(),
        )

    def _conditions_of_album(self) -> Conditions:
        """Of an album that the viewer does not see, lists have nothing."""
        if not self._hides or self.filter.album_id is None:
            return ()
        return (exists().where(ALBUMS.c.id == bindparam("album_id"), *found_albums(self.viewer.sight)),)

    @property
    def _hides(self) -> bool:
        """Whether there may be images that the viewer is not shown."""
        return self.viewer.sight is not Sight.EVERYTHING

    @property
    def _concerns_images(self) -> bool:
        """Whether something is demanded that only the images themselves can tell."""
        return bool(self.filter.text or self.filter.content_types)

    @property
    def _demands_every_tag(self) -> bool:
        return self.filter.tag_mode is TagMode.ALL

    @property
    def _is_part_of_album(self) -> bool:
        wanted = self.filter
        narrowed = self._concerns_images or self.tag_ids or wanted.uploaded_from or wanted.uploaded_to
        return wanted.album_id is not None and bool(narrowed)

    @property
    def _members(self) -> Table | None:
        """The table whose rows each stand for an image that may be wanted; None if all images may."""
        if self.filter.album_id is not None:
            return ALBUM_IMAGES
        joins_tag = len(self.tag_ids) == 1 or (bool(self.tag_ids) and self._demands_every_tag)
        return IMAGE_TAGS if joins_tag else None

    def _conditions(self, members: Table | None) -> list[ColumnElement[bool]]:
        """What album, tags and time demand."""
        groups = range(len(self.tag_ids) if self._demands_every_tag else min(len(self.tag_ids), 1))
        conditions = self._period(IMAGES if members is None else members)
        if members is ALBUM_IMAGES:
            conditions.append(ALBUM_IMAGES.c.album_id == bindparam("album_id"))
        elif members is IMAGE_TAGS:
            conditions.append(IMAGE_TAGS.c.tag_id == bindparam("tag_id"))
            groups = groups[1:]
        image_id = IMAGES.c.id if members is None else members.c.image_id
        return [*conditions, *(_has_one_of(image_id, place) for place in groups)]

    def _period(self, table: Table) -> list[ColumnElement[bool]]:
        wanted, uploaded_at = self.filter, table.c.uploaded_at
        conditions: list[ColumnElement[bool]] = []
        if wanted.uploaded_from is not None:
            conditions.append(uploaded_at >= bindparam("uploaded_from"))
        if wanted.uploaded_to is not None:
            conditions.append(uploaded_at < bindparam("uploaded_to"))
        return conditions

    def _conditions_of_images(self, *, sparing: bool) -> list[ColumnElement[bool]]:
        """What only the images themselves can tell; if `sparing`, without what is likely to be true of most."""
        wanted = self.filter
        conditions: list[ColumnElement[bool]] = []
        if wanted.text:
            pattern = bindparam("pattern", type_=Text)
            conditions.append(or_(IMAGES.c.title.ilike(pattern), IMAGES.c.original_filename.ilike(pattern)))
            if not (_has_trigram(wanted.text) or (sparing and wanted.text.isascii())):
                conditions.append(_has_characters())
        if wanted.content_types:
            conditions.append(_is_one_of(wanted.content_types))
        return conditions


def album_keyset(request: PageRequest) -> Keyset:
    """How a page of an album is cut: by the place in the album."""
    return Keyset(value=ALBUM_IMAGES.c.position, id=ALBUM_IMAGES.c.image_id, descending=False, request=request)


def tag_keyset(request: PageRequest) -> Keyset:
    """How a page of a tag is cut: newest upload first."""
    return Keyset(value=IMAGE_TAGS.c.uploaded_at, id=IMAGE_TAGS.c.image_id, descending=True, request=request)


def pages_of_parents(keyset: Keyset, parent: ColumnElement[UUID], columns: Columns, listed: Conditions) -> Select[Any]:
    """The same page of the images of many albums or tags, with these columns; see `values_of_parents`.

    Each costs as much as if it were read alone, since the index is read up to the limit and no further.
    """
    parents = unnested(uuids(_PARENT_IDS), "parent_id")
    page = keyset.cut(
        select(*columns)
        .join_from(keyset.id.table, IMAGES, keyset.id == IMAGES.c.id)
        .where(parent == parents.c.parent_id, *listed)
    ).lateral()
    return (
        select(*page.c, parents.c.parent_id)
        .join_from(parents, page, true())
        .order_by(parents.c.parent_id, *keyset.order(page.c[SORT_VALUE], page.c.id))
    )


def values_of_parents(keyset: Keyset, parent_ids: Collection[UUID]) -> dict[str, Any]:
    """The values of the parameters of `pages_of_parents`."""
    return {_PARENT_IDS: list(set(parent_ids)), **keyset.values}


def pages_by_parent(
    keyset: Keyset, parent_ids: Collection[P], rows: Sequence[asyncpg.Record], shape: Shape[T]
) -> dict[P, Page[T]]:
    """The pages that the rows of `pages_of_parents` make; a parent without images has an empty one."""
    by_parent: dict[P, list[asyncpg.Record]] = {id_: [] for id_ in parent_ids}
    for row in rows:
        by_parent[row["parent_id"]].append(row)
    return {id_: keyset.page(own, shape.things) for id_, own in by_parent.items()}


def _has_one_of(image_id: ColumnElement[UUID], place: int) -> ColumnElement[bool]:
    pair = IMAGE_TAGS.alias()  # the table itself may be joined
    return select(1).where(pair.c.image_id == image_id, pair.c.tag_id == any_(uuids(_one_of(place)))).exists()


def _one_of(place: int) -> str:
    """The name of the parameter for tags of which an image must have one."""
    return f"tag_ids_{place}"


def _has_trigram(text: str) -> bool:
    """Whether an index of trigrams can find the text: three letters or digits in a row."""
    return any(len(word) >= _TRIGRAM for word in _NOT_IN_TRIGRAMS.split(text))


def _has_characters() -> ColumnElement[bool]:
    """Whether the names of an image have the characters of the text, in whatever order: what an index can tell."""
    text = bindparam("text", type_=Text)
    return _CHARACTERS.op("@>", is_comparison=True)(func.string_to_array(func.lower(text), null()))


def _is_one_of(content_types: Sequence[ContentType]) -> ColumnElement[bool]:
    """One type is compared with `=`, for which an index gives the order of what follows too."""
    if len(content_types) == 1:
        return IMAGES.c.content_type == bindparam("content_type")
    return IMAGES.c.content_type == any_(bindparam("content_types", type_=ARRAY(Text)))
