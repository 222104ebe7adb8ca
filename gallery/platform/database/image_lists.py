"""Statements for lists of images: what a filter leaves, how it is sorted, and the pages of many albums or tags."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, Text, Uuid, any_, literal, or_, select, true
from sqlalchemy.dialects.postgresql import ARRAY

from gallery.domain.images import Image
from gallery.domain.pages import Direction, ImageFilter, ImageQuery, ImageSortField, Page, PageRequest, TagMode
from gallery.domain.tags import tag_key
from gallery.platform.database.keyset import SORT_VALUE, Keyset
from gallery.platform.database.rows import IMAGE_COLUMNS, image_from_row
from gallery.platform.database.statements import containing, unnested
from gallery.platform.database.tables import ALBUM_IMAGES, IMAGE_TAGS, IMAGES, TAGS

P = TypeVar("P", bound=UUID)

LIVING: Final = IMAGES.c.deleted_at.is_(None)
"""What is true of every image that anybody may see."""

_SORT_COLUMNS: Final = {
    ImageSortField.UPLOADED_AT: IMAGES.c.uploaded_at,
    ImageSortField.TITLE: IMAGES.c.sort_title,
    ImageSortField.FILE_SIZE: IMAGES.c.file_size_bytes,
}


def keyset_of(query: ImageQuery) -> Keyset:
    """How the page of a query is cut."""
    return Keyset(
        value=_SORT_COLUMNS[query.sort_field],
        id=IMAGES.c.id,
        descending=query.direction is Direction.DESC,
        request=query.page,
    )


def filtered(statement: Select[Any], image_filter: ImageFilter) -> Select[Any]:
    """The statement, of `IMAGES`, with what the filter leaves of its rows."""
    return statement.where(LIVING, *_conditions(image_filter))


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
        select(parents.c.parent_id, *page.c)
        .join_from(parents, page, true())
        .order_by(parents.c.parent_id, *keyset.order(page.c[SORT_VALUE], page.c.id))
    )


def pages_by_parent(keyset: Keyset, parent_ids: Collection[P], rows: Sequence[Row[Any]]) -> dict[P, Page[Image]]:
    """The pages that the rows of `pages_of_parents` make; a parent without images has an empty one."""
    by_parent: dict[P, list[Row[Any]]] = {id_: [] for id_ in parent_ids}
    for row in rows:
        by_parent[row.parent_id].append(row)
    return {id_: keyset.page(own, image_from_row) for id_, own in by_parent.items()}


def _conditions(image_filter: ImageFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if image_filter.text:
        pattern = containing(image_filter.text)
        conditions.append(or_(IMAGES.c.title.ilike(pattern), IMAGES.c.original_filename.ilike(pattern)))
    if image_filter.content_types:
        conditions.append(_is_one_of(IMAGES.c.content_type, image_filter.content_types))
    if image_filter.uploaded_from is not None:
        conditions.append(IMAGES.c.uploaded_at >= image_filter.uploaded_from)
    if image_filter.uploaded_to is not None:
        conditions.append(IMAGES.c.uploaded_at < image_filter.uploaded_to)
    if image_filter.album_id is not None:
        conditions.append(
            select(1)
            .where(ALBUM_IMAGES.c.album_id == image_filter.album_id, ALBUM_IMAGES.c.image_id == IMAGES.c.id)
            .exists()
        )
    return conditions + _tag_conditions(image_filter)


def _tag_conditions(image_filter: ImageFilter) -> list[ColumnElement[bool]]:
    keys = sorted({tag_key(name) for name in image_filter.tag_names})
    if not keys:
        return []
    if image_filter.tag_mode is TagMode.ANY:
        return [_has_tag(keys)]
    return [_has_tag([key]) for key in keys]


def _has_tag(keys: Sequence[str]) -> ColumnElement[bool]:
    return (
        select(1)
        .join_from(IMAGE_TAGS, TAGS, IMAGE_TAGS.c.tag_id == TAGS.c.id)
        .where(IMAGE_TAGS.c.image_id == IMAGES.c.id, _is_one_of(TAGS.c.key, keys))
        .exists()
    )


def _is_one_of(column_: ColumnElement[str], values: Sequence[str]) -> ColumnElement[bool]:
    """One value is compared with `=`, for which an index gives the order of what follows too."""
    if len(values) == 1:
        return column_ == values[0]
    return column_ == any_(literal(list(values), ARRAY(Text)))
