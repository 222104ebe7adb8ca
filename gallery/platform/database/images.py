"""Images and their renditions in PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    and_,
    any_,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import ARRAY, TEXT, distinct_on
from sqlalchemy.ext.asyncio import AsyncEngine

from gallery.domain.access import Sight, Viewer
from gallery.domain.errors import NotFoundError
from gallery.domain.events import EntityKind
from gallery.domain.ids import AlbumId, ImageId, TagId, UserId
from gallery.domain.images import ContentType, Image, Rendition, RenditionSize
from gallery.domain.pages import ContentTypeStats, GalleryStats, ImageFilter, ImageQuery, Page, PageRequest
from gallery.domain.tags import tag_key
from gallery.platform.database.events import lock_key
from gallery.platform.database.image_lists import (
    LIVING,
    NO_TAG,
    ImageSelection,
    album_keyset,
    pages_by_parent,
    pages_of_parents,
    tag_keyset,
    values_of_parents,
)
from gallery.platform.database.keyset import Keyset
from gallery.platform.database.records import IMAGES_WHOLE, RENDITIONS_WHOLE, Shape
from gallery.platform.database.rendered import Rendered, Renderings, render
from gallery.platform.database.rows import (
    IMAGE_COLUMNS,
    RENDITION_COLUMNS,
    Columns,
    image_from_row,
    image_values,
    rendition_from_row,
    rendition_values,
)
from gallery.platform.database.shares import OFFERED
from gallery.platform.database.statements import LeanReading, Transaction, among_ids, ids
from gallery.platform.database.tables import ALBUM_IMAGES, ALBUMS, IMAGE_TAGS, IMAGES, RENDITIONS, TAGS
from gallery.platform.database.visible import found_images, listed_albums, listed_images, visible_tags, visible_to

I = TypeVar("I")  # noqa: E741  # an image
R = TypeVar("R")
P = TypeVar("P", bound=UUID)

_MOST_SHAPES: Final = 256
_LISTS: Final = Renderings()
_IS_AMONG_IDS: Final = among_ids(IMAGES.c.id)
_LOCKED_BY_IDS: Final = render(
    select(*IMAGE_COLUMNS).where(_IS_AMONG_IDS, LIVING).order_by(IMAGES.c.id).with_for_update(key_share=True)
)
_SAVED: Final = (
    update(IMAGES)
    .where(IMAGES.c.id == bindparam("saved_id", type_=IMAGES.c.id.type), LIVING)
    .values(
        {
            column: bindparam(f"new_{column.name}", type_=column.type)
            for column in IMAGE_COLUMNS
            if column is not IMAGES.c.id
        }
    )
    .returning(IMAGES.c.id)
)
_SAVE: Final = render(_SAVED)
_SAVE_AND_LOCK_CHAIN: Final = render(
    select(func.pg_advisory_xact_lock(bindparam("chain", type_=BigInteger))).select_from(_SAVED.cte("saved"))
)
_FIRST_OF_THE_SAME: Final = (IMAGES.c.is_copy, IMAGES.c.uploaded_at, IMAGES.c.id)
"""Sorts images of the same bytes: the one that is no copy, then copies by age."""
_BY_CHECKSUM: Final = (
    select(*IMAGE_COLUMNS)
    .where(IMAGES.c.owner == bindparam("owner"), IMAGES.c.checksum == bindparam("checksum"), LIVING)
    .order_by(*_FIRST_OF_THE_SAME)
    .limit(1)
    .with_for_update(read=True)
)
_IS_THERE: Final = exists().where(
    IMAGES.c.owner == bindparam("owner"), IMAGES.c.checksum == bindparam("checksum"), LIVING
)
_ADD_UNLESS_THERE: Final = (
    postgresql.insert(IMAGES)
    .from_select(
        [column.name for column in IMAGE_COLUMNS],
        select(*(bindparam(column.name, type_=column.type) for column in IMAGE_COLUMNS)).where(~_IS_THERE),
    )
    .on_conflict_do_nothing(
        index_elements=[IMAGES.c.owner, IMAGES.c.checksum], index_where=and_(LIVING, ~IMAGES.c.is_copy)
    )
)
_CHECKSUMS: Final = render(
    select(IMAGES.c.checksum, IMAGES.c.id)
    .where(
        IMAGES.c.owner == bindparam("owner"),
        IMAGES.c.checksum == any_(bindparam("checksums", type_=ARRAY(TEXT))),
        LIVING,
    )
    .ext(distinct_on(IMAGES.c.checksum))
    .order_by(IMAGES.c.checksum, *_FIRST_OF_THE_SAME)
)
_SMALLEST_FIRST: Final = case({size.value: place for place, size in enumerate(RenditionSize)}, value=RENDITIONS.c.size)
_LEAVE: Final = (  # albums come first, as everybody who takes images out of albums locks them before the places
    update(ALBUMS).where(among_ids(ALBUMS.c.cover_id)).values(cover_id=None),
    delete(ALBUM_IMAGES).where(among_ids(ALBUM_IMAGES.c.image_id)),
    delete(IMAGE_TAGS).where(among_ids(IMAGE_TAGS.c.image_id)),
    delete(RENDITIONS).where(among_ids(RENDITIONS.c.image_id)),
)
_TAGS_BY_KEYS: Final = render(
    select(TAGS.c.key, TAGS.c.id).where(TAGS.c.key == any_(bindparam("keys", type_=ARRAY(TEXT))))
)
_OFFERED: Final = render(OFFERED)


def _renditions_with(columns: Columns) -> Select[Any]:
    return select(*columns).where(among_ids(RENDITIONS.c.image_id)).order_by(RENDITIONS.c.image_id, _SMALLEST_FIRST)


_RENDITIONS: Final = _renditions_with(RENDITION_COLUMNS)


class SqlImageRepository:
    """The images of a transaction."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def get(self, image_id: ImageId) -> Image:
        """As the port says."""
        found = await self.get_many([image_id])
        if image_id not in found:
            raise NotFoundError.of(EntityKind.IMAGE)
        return found[image_id]

    async def get_many(self, image_ids: Collection[ImageId]) -> dict[ImageId, Image]:
        """As the port says. Others may still refer to the images and read them."""
        rows = await self._transaction.fetch(_LOCKED_BY_IDS, ids(image_ids))
        return {row["id"]: image_from_row(row) for row in rows}

    async def find_by_checksum(self, owner: UserId, checksum: str) -> Image | None:
        """As the port says. Until the transaction ends nobody changes or deletes the image; others may find it too."""
        rows = await self._transaction.rows(_BY_CHECKSUM, {"owner": owner, "checksum": checksum})
        return image_from_row(rows[0]) if rows else None

    async def add(self, image: Image) -> None:
        """As the port says."""
        await self._transaction.run(insert(IMAGES), image_values(image))

    async def add_unless_there(self, image: Image) -> bool:
        """As the port says. One that somebody else is adding is waited for."""
        return await self._transaction.run(_ADD_UNLESS_THERE, image_values(image)) > 0

    async def save(self, image: Image) -> None:
        """As the port says. The renditions of a deleted image go too.

        Raises:
            NotFoundError: if there is no such image.
        """
        values = {f"new_{name}": value for name, value in image_values(image).items()} | {"saved_id": image.id}
        if image.deleted_at is None:
            await self._save_what_lives(image.id, values)
        elif not await self._transaction.fetch(_SAVE, values):
            raise NotFoundError.of(EntityKind.IMAGE)
        else:
            for leave in _LEAVE:
                await self._transaction.run(leave, ids([image.id]))

    async def _save_what_lives(self, image_id: ImageId, values: dict[str, Any]) -> None:
        """Locks the chain of the image's events, too: whoever saves an image records why, and spares a round trip."""
        chain = lock_key(image_id)
        if not await self._transaction.fetch(_SAVE_AND_LOCK_CHAIN, {**values, "chain": chain}):
            raise NotFoundError.of(EntityKind.IMAGE)
        self._transaction.locks.add(chain)

    async def replace_renditions(self, image_id: ImageId, renditions: Sequence[Rendition]) -> None:
        """As the port says.

        Raises:
            NotFoundError: if there is no such image.
        """
        await self._transaction.run(delete(RENDITIONS).where(RENDITIONS.c.image_id == image_id))
        if renditions:
            await self._transaction.run(insert(RENDITIONS), [rendition_values(one) for one in renditions])

    async def renditions(self, image_id: ImageId) -> tuple[Rendition, ...]:
        """As the port says."""
        rows = await self._transaction.rows(_RENDITIONS, ids([image_id]))
        return tuple(rendition_from_row(row) for row in rows)


class SqlImageRecords(Generic[I, R]):
    """Images as viewers may see them, and their renditions, as much of them as their shapes say."""

    def __init__(self, engine: AsyncEngine, image: Shape[I], rendition: Shape[R]) -> None:
        self._reading = LeanReading(engine)
        self._image = image
        self._rendition = rendition

    async def get_many(self, viewer: Viewer, image_ids: Collection[ImageId]) -> dict[ImageId, I]:
        """As the port says."""
        shape = self._image
        statement, values = _by_ids(shape, viewer.sight), visible_to(viewer)
        return await self._reading.by_ids(statement, image_ids, shape.by_id, shape.row, values)

    async def list_page(self, viewer: Viewer, query: ImageQuery) -> Page[I]:
        """As the port says."""
        image, selection = self._image, await self._selection(viewer, query.filter)
        keyset = selection.keyset(query)
        statement = _LISTS.get(
            (image, selection.form, query.sort_field, keyset.form),
            lambda: selection.page(keyset, image.columns),
        )
        rows = await self._reading.rows(statement, {**selection.values, **keyset.values}, image.row)
        return keyset.page(rows, image.things)

    async def renditions(self, viewer: Viewer, image_ids: Collection[ImageId]) -> dict[ImageId, tuple[R, ...]]:
        """As the port says."""
        shape = self._rendition
        return await self._reading.by_ids(_renditions(shape), image_ids, shape.by_image, shape.row)

    async def pages_by_album(
        self, viewer: Viewer, album_ids: Collection[AlbumId], page: PageRequest
    ) -> dict[AlbumId, Page[I]]:
        """As the port says; an album that is empty or not there has an empty page."""
        return await self._pages(viewer, album_keyset(page), ALBUM_IMAGES.c.album_id, album_ids)

    async def pages_by_tag(self, viewer: Viewer, tag_ids: Collection[TagId], page: PageRequest) -> dict[TagId, Page[I]]:
        """As the port says; a tag that no image has, or that is not there, has an empty page."""
        return await self._pages(viewer, tag_keyset(page), IMAGE_TAGS.c.tag_id, tag_ids)

    async def _pages(
        self, viewer: Viewer, keyset: Keyset, parent: ColumnElement[UUID], parent_ids: Collection[P]
    ) -> dict[P, Page[I]]:
        image = self._image
        statement = _LISTS.get(
            (image, viewer.sight, parent.key, keyset.form),
            lambda: pages_of_parents(keyset, parent, image.columns, listed_images(viewer.sight)),
        )
        values = values_of_parents(keyset, parent_ids) | visible_to(viewer)
        rows = await self._reading.rows(statement, values, image.row)
        return pages_by_parent(keyset, parent_ids, rows, image)

    async def _selection(self, viewer: Viewer, image_filter: ImageFilter) -> ImageSelection:
        keys = sorted({tag_key(name) for name in image_filter.tag_names})
        rows = await self._reading.rows(_TAGS_BY_KEYS, {"keys": keys}) if keys else []
        by_key = {row["key"]: row["id"] for row in rows}
        tag_ids = [by_key.get(key, NO_TAG) for key in keys]
        return ImageSelection(filter=image_filter, tag_ids=tag_ids, viewer=viewer)


class SqlImageReader(SqlImageRecords[Image, Rendition]):
    """Whole images as viewers may see them."""

    def __init__(self, engine: AsyncEngine) -> None:
        super().__init__(engine, IMAGES_WHOLE, RENDITIONS_WHOLE)

    async def count(self, viewer: Viewer, image_filter: ImageFilter) -> int:
        """As the port says."""
        selection = await self._selection(viewer, image_filter)
        return await self._reading.count(_LISTS.get(("count", selection.form), selection.count), selection.values)

    async def offered(self, viewer: Viewer, image_ids: Collection[ImageId]) -> set[ImageId]:
        """As the port says."""
        return {row["id"] for row in await self._reading.rows(_OFFERED, ids(image_ids) | visible_to(viewer))}

    async def known_checksums(self, viewer: Viewer, checksums: Collection[str]) -> dict[str, ImageId]:
        """As the port says."""
        rows = await self._reading.rows(_CHECKSUMS, {"owner": viewer.id, "checksums": list(checksums)})
        return {row["checksum"]: row["id"] for row in rows}

    async def stats(self, viewer: Viewer) -> GalleryStats:
        """As the port says, from two statements, between which somebody may add something."""
        sight, values = viewer.sight, visible_to(viewer)
        (counts,) = await self._reading.rows(_counts(sight), values)
        content_types = tuple(
            ContentTypeStats(
                content_type=ContentType(row["content_type"]),
                image_count=row["image_count"],
                size_bytes=int(row["size_bytes"]),
            )
            for row in await self._reading.rows(_by_content_type(sight), values)
        )
        return GalleryStats(
            image_count=sum(one.image_count for one in content_types),
            tag_count=counts["tags"],
            album_count=counts["albums"],
            size_bytes=sum(one.size_bytes for one in content_types),
            content_types=content_types,
        )


@lru_cache
def _counts(sight: Sight) -> Rendered:
    tags = select(func.count()).select_from(TAGS).where(*visible_tags(sight))
    albums = select(func.count()).select_from(ALBUMS).where(*listed_albums(sight))
    return render(select(tags.scalar_subquery().label("tags"), albums.scalar_subquery().label("albums")))


@lru_cache
def _by_content_type(sight: Sight) -> Rendered:
    return render(
        select(
            IMAGES.c.content_type,
            func.count().label("image_count"),
            func.sum(IMAGES.c.file_size_bytes).label("size_bytes"),
        )
        .where(LIVING, *listed_images(sight))
        .group_by(IMAGES.c.content_type)
        .order_by(func.count().desc(), IMAGES.c.content_type)
    )


@lru_cache(_MOST_SHAPES)
def _by_ids(shape: Shape[Any], sight: Sight) -> Rendered:
    return render(select(*shape.columns).where(_IS_AMONG_IDS, LIVING, *found_images(sight)))


@lru_cache(_MOST_SHAPES)
def _renditions(shape: Shape[Any]) -> Rendered:
    return render(_renditions_with(shape.columns))
