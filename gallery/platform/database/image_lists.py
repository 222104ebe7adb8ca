"""Statements for lists of images: what a filter leaves, how it is sorted, and the pages of many albums or tags."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from uuid import UUID

from sqlalchemy import Column, ColumnElement, Row, Select, Text, Uuid, and_, any_, literal, or_, select, true
from sqlalchemy.dialects.postgresql import ARRAY

from gallery.domain.images import ContentType, Image
from gallery.domain.pages import Direction, ImageFilter, ImageQuery, ImageSortField, Page, PageRequest, TagMode
from gallery.platform.database.keyset import SORT_VALUE, Keyset
from gallery.platform.database.rows import IMAGE_COLUMNS, image_from_row
from gallery.platform.database.statements import containing, unnested
from gallery.platform.database.tables import ALBUM_IMAGES, IMAGE_TAGS, IMAGES

P = TypeVar("P", bound=UUID)

LIVING: Final = IMAGES.c.deleted_at.is_(None)
"""What is true of every image that anybody may see."""

NO_TAG: Final = UUID(int=0)
"""An id that no tag has: it stands for a tag that does not exist."""

_SORT_COLUMNS: Final = {
    ImageSortField.TITLE: IMAGES.c.sort_title,
    ImageSortField.FILE_SIZE: IMAGES.c.file_size_bytes,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSelection:
    """The images that a filter leaves. `tag_ids` are the tags that it names, looked up before.

    PostgreSQL knows how common a tag is by its id, not by its name, and reads a rare one's images rather than all in
    their order. A tag that every image must have is joined: a page of its newest images is one range of its index.
    """

    filter: ImageFilter
    tag_ids: Sequence[UUID]

    def select(self, *columns: ColumnElement[Any]) -> Select[Any]:
        """A statement that answers with these columns of the images."""
        statement = select(*columns).select_from(IMAGES).where(LIVING, *self._conditions())
        if self._joins_tag:
            has_tag = and_(IMAGE_TAGS.c.image_id == IMAGES.c.id, IMAGE_TAGS.c.tag_id == self.tag_ids[0])
            statement = statement.join(IMAGE_TAGS, has_tag)
        return statement.where(*self._tag_conditions())

    def keyset(self, query: ImageQuery) -> Keyset:
        """How the page of a query is cut."""
        by_upload = query.sort_field is ImageSortField.UPLOADED_AT
        return Keyset(
            value=self._uploaded_at if by_upload else _SORT_COLUMNS[query.sort_field],
            id=IMAGE_TAGS.c.image_id if by_upload and self._joins_tag else IMAGES.c.id,
            descending=query.direction is Direction.DESC,
            request=query.page,
        )

    @property
    def _joins_tag(self) -> bool:
        return len(self.tag_ids) == 1 or (bool(self.tag_ids) and self.filter.tag_mode is TagMode.ALL)

    @property
    def _uploaded_at(self) -> Column[Any]:
        return (IMAGE_TAGS if self._joins_tag else IMAGES).c.uploaded_at

    def _conditions(self) -> list[ColumnElement[bool]]:
        wanted = self.filter
        conditions: list[ColumnElement[bool]] = []
        if wanted.text:
            pattern = containing(wanted.text)
            conditions.append(or_(IMAGES.c.title.ilike(pattern), IMAGES.c.original_filename.ilike(pattern)))
        if wanted.content_types:
            conditions.append(_is_one_of(wanted.content_types))
        if wanted.uploaded_from is not None:
            conditions.append(self._uploaded_at >= wanted.uploaded_from)
        if wanted.uploaded_to is not None:
            conditions.append(self._uploaded_at < wanted.uploaded_to)
        if wanted.album_id is not None:
            is_member = and_(ALBUM_IMAGES.c.album_id == wanted.album_id, ALBUM_IMAGES.c.image_id == IMAGES.c.id)
            conditions.append(select(1).where(is_member).exists())
        return conditions

    def _tag_conditions(self) -> list[ColumnElement[bool]]:
        if self._joins_tag:
            return [_has_one_of([tag_id]) for tag_id in self.tag_ids[1:]]
        return [_has_one_of(self.tag_ids)] if self.tag_ids else []


def album_keyset(request: PageRequest) -> Keyset:
    """How a page of an album is cut: by the place in the album."""
    return Keyset(value=ALBUM_IMAGES.c.position, id=ALBUM_IMAGES.c.image_id, descending=False, request=request)


def tag_keyset(request: PageRequest) -> Keyset:
    """How a page of a tag is cut: newest upload first."""
    return Keyset(value=IMAGE_TAGS.c.uploaded_at, id=IMAGE_TAGS.c.image_id, descending=True, request=request)


def pages_of_parents(keyset: Keyset, parent: ColumnElement[UUID], parent_ids: Collection[UUID]) -> Select[Any]:
    """The same page of the images of many albums or tags.

    Each costs as much as if it were read alone, since the index is read up to the limit and no further.
    """
    parents = unnested(literal(list(set(parent_ids)), ARRAY(Uuid)), "parent_id")
    page = keyset.cut(
        select(*IMAGE_COLUMNS)
        .join_from(keyset.id.table, IMAGES, keyset.id == IMAGES.c.id)
        .where(parent == parents.c.parent_id)
    ).lateral()
    return (
        select(*page.c, parents.c.parent_id)
        .join_from(parents, page, true())
        .order_by(parents.c.parent_id, *keyset.order(page.c[SORT_VALUE], page.c.id))
    )


def pages_by_parent(keyset: Keyset, parent_ids: Collection[P], rows: Sequence[Row[Any]]) -> dict[P, Page[Image]]:
    """The pages that the rows of `pages_of_parents` make; a parent without images has an empty one."""
    by_parent: dict[P, list[Row[Any]]] = {id_: [] for id_ in parent_ids}
    for row in rows:
        by_parent[row.parent_id].append(row)
    return {id_: keyset.page(own, image_from_row) for id_, own in by_parent.items()}


def _has_one_of(tag_ids: Sequence[UUID]) -> ColumnElement[bool]:
    pair = IMAGE_TAGS.alias()  # the table itself may be joined
    return (
        select(1)
        .where(pair.c.image_id == IMAGES.c.id, pair.c.tag_id == any_(literal(list(tag_ids), ARRAY(Uuid))))
        .exists()
    )


def _is_one_of(content_types: Sequence[ContentType]) -> ColumnElement[bool]:
    """One type is compared with `=`, for which an index gives the order of what follows too."""
    if len(content_types) == 1:
        return IMAGES.c.content_type == content_types[0]
    return IMAGES.c.content_type == any_(literal(list(content_types), ARRAY(Text)))
