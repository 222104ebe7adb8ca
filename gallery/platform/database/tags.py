"""Tags, and which images have them, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

from sqlalchemy import Select, any_, bindparam, delete, func, select, true
from sqlalchemy.dialects.postgresql import ARRAY, TEXT, insert
from sqlalchemy.ext.asyncio import AsyncEngine

from gallery.domain.access import Sight, Viewer
from gallery.domain.errors import ConflictError, ErrorCode, NotFoundError
from gallery.domain.events import EntityKind
from gallery.domain.ids import ImageId, TagId
from gallery.domain.pages import Page, TagQuery
from gallery.domain.tags import Tag, tag_key
from gallery.platform.database.image_lists import LIVING
from gallery.platform.database.keyset import Keyset
from gallery.platform.database.records import TAGS_WHOLE, Shape, second_by_first
from gallery.platform.database.rendered import Rendered, Renderings, render
from gallery.platform.database.rows import TAG_COLUMNS, tag_from_row, tag_values
from gallery.platform.database.statements import LeanReading, Transaction, among_ids, containing, ids, unnested, uuids
from gallery.platform.database.tables import IMAGE_TAGS, IMAGES, TAGS
from gallery.platform.database.visible import listed_images, visible_tags, visible_to

T = TypeVar("T")

_ATTEMPTS = 3
_MOST_SHAPES: Final = 256
_LISTS: Final = Renderings()
_KEYS: Final = bindparam("keys", type_=ARRAY(TEXT))
_IS_AMONG_IDS: Final = among_ids(TAGS.c.id)
_LOCKED: Final = select(*TAG_COLUMNS).where(_IS_AMONG_IDS).with_for_update()
_BY_KEYS: Final = select(*TAG_COLUMNS, TAGS.c.key).where(TAGS.c.key == any_(_KEYS))
_KEPT_BY_KEYS: Final = _BY_KEYS.order_by(TAGS.c.key).with_for_update(read=True, key_share=True)
_ADD: Final = insert(TAGS).on_conflict_do_nothing(index_elements=[TAGS.c.key])
_PAIR: Final = (IMAGE_TAGS.c.image_id, IMAGE_TAGS.c.tag_id)
_DETACH: Final = (
    delete(IMAGE_TAGS)
    .where(among_ids(IMAGE_TAGS.c.image_id, "image_ids"), among_ids(IMAGE_TAGS.c.tag_id, "tag_ids"))
    .returning(*_PAIR)
)
_COUNTED: Final = unnested(uuids(), "tag_id")


def _attach() -> Select[tuple[UUID, UUID | None]]:
    """All images that are there, each with the tags that are new to it, or with none.

    Pairs are stored in a fixed order, for whoever stores the same ones waits for the other.
    """
    living = (
        select(IMAGES.c.id, IMAGES.c.uploaded_at)
        .where(among_ids(IMAGES.c.id, "image_ids"), LIVING)
        .order_by(IMAGES.c.id)
        .with_for_update(read=True)
        .cte("living")
    )
    wanted = unnested(uuids("tag_ids"), "tag_id")
    pairs = select(living.c.id, wanted.c.tag_id, living.c.uploaded_at).join_from(living, wanted, true())
    added = (
        insert(IMAGE_TAGS)
        .from_select(["image_id", "tag_id", "uploaded_at"], pairs.order_by(living.c.id, wanted.c.tag_id))
        .on_conflict_do_nothing()
        .returning(*_PAIR)
        .cte("added")
    )
    return select(living.c.id, added.c.tag_id).join_from(living, added, living.c.id == added.c.image_id, isouter=True)


_ATTACH: Final = _attach()


class SqlTagRepository:
    """The tags of a transaction."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def get(self, tag_id: TagId) -> Tag:
        """As the port says."""
        rows = await self._transaction.rows(_LOCKED, ids([tag_id]))
        if not rows:
            raise NotFoundError.of(EntityKind.TAG)
        return tag_from_row(rows[0])

    async def find_by_names(self, names: Collection[str]) -> dict[str, Tag]:
        """As the port says."""
        rows = await self._transaction.rows(_BY_KEYS, _keys(names))
        return {row.key: tag_from_row(row) for row in rows}

    async def add_missing(self, tags: Sequence[Tag]) -> dict[str, Tag]:
        """As the port says. Until the transaction ends nobody deletes them.

        Raises:
            ConflictError: VERSION_CONFLICT if others delete them faster than they are stored.
        """
        if not tags:
            return {}
        keys = _keys([tag.name for tag in tags])
        rows = sorted((tag_values(tag) for tag in tags), key=itemgetter("key"))  # others add in the same order
        for _ in range(_ATTEMPTS):
            await self._transaction.run(_ADD, rows)
            stored = {row.key: tag_from_row(row) for row in await self._transaction.rows(_KEPT_BY_KEYS, keys)}
            if len(stored) == len(keys["keys"]):
                return stored
        message = "Somebody else deleted one of the tags at the same moment. Try again."
        raise ConflictError(ErrorCode.VERSION_CONFLICT, message)

    async def is_seen(self, viewer: Viewer, tag_id: TagId) -> bool:
        """As the port says."""
        seen = select(TAGS.c.id).where(TAGS.c.id == tag_id, *visible_tags(viewer.sight))
        return bool(await self._transaction.rows(seen, visible_to(viewer)))

    async def delete(self, tag_id: TagId) -> tuple[ImageId, ...]:
        """As the port says."""
        taken = delete(IMAGE_TAGS).where(IMAGE_TAGS.c.tag_id == tag_id).returning(IMAGE_TAGS.c.image_id)
        rows = await self._transaction.rows(taken)
        await self._transaction.run(delete(TAGS).where(TAGS.c.id == tag_id))
        return tuple(sorted(row.image_id for row in rows))

    async def attach(self, image_ids: Collection[ImageId], tag_ids: Collection[TagId]) -> set[tuple[ImageId, TagId]]:
        """As the port says.

        Raises:
            NotFoundError: if one of the images or tags is not there.
        """
        rows = await self._transaction.rows(_ATTACH, _pairs(image_ids, tag_ids))
        if len({row.id for row in rows}) < len(set(image_ids)):
            raise NotFoundError.of(EntityKind.IMAGE)
        return {(row.id, row.tag_id) for row in rows if row.tag_id is not None}

    async def detach(self, image_ids: Collection[ImageId], tag_ids: Collection[TagId]) -> set[tuple[ImageId, TagId]]:
        """As the port says."""
        rows = await self._transaction.rows(_DETACH, _pairs(image_ids, tag_ids))
        return {(row.image_id, row.tag_id) for row in rows}


class SqlTagRecords(Generic[T]):
    """Tags as viewers may see them, as much of them as their shape says."""

    def __init__(self, engine: AsyncEngine, shape: Shape[T]) -> None:
        self._reading = LeanReading(engine)
        self._shape = shape

    async def get_many(self, viewer: Viewer, tag_ids: Collection[TagId]) -> dict[TagId, T]:
        """As the port says."""
        shape = self._shape
        statement, values = _by_ids(shape, viewer.sight), visible_to(viewer)
        return await self._reading.by_ids(statement, tag_ids, shape.by_id, shape.row, values)

    async def list_page(self, viewer: Viewer, query: TagQuery) -> Page[T]:
        """As the port says."""
        shape = self._shape
        keyset = Keyset(value=TAGS.c.key, id=TAGS.c.id, descending=False, request=query.page)
        statement = _LISTS.get(
            (shape, viewer.sight, bool(query.text), keyset.form),
            lambda: keyset.cut(_named(select(*shape.columns).where(*visible_tags(viewer.sight)), query.text)),
        )
        values = {**_pattern(query.text), **keyset.values, **visible_to(viewer)}
        rows = await self._reading.rows(statement, values, shape.row)
        return keyset.page(rows, shape.things)

    async def by_image(self, viewer: Viewer, image_ids: Collection[ImageId]) -> dict[ImageId, tuple[T, ...]]:
        """As the port says."""
        shape = self._shape
        return await self._reading.by_ids(_by_image(shape), image_ids, shape.by_image, shape.row)


class SqlTagReader(SqlTagRecords[Tag]):
    """Whole tags as viewers may see them."""

    def __init__(self, engine: AsyncEngine) -> None:
        super().__init__(engine, TAGS_WHOLE)

    async def count(self, viewer: Viewer, text: str | None) -> int:
        """As the port says."""
        statement = _LISTS.get(
            ("count", viewer.sight, bool(text)),
            lambda: _named(select(func.count()).select_from(TAGS).where(*visible_tags(viewer.sight)), text),
        )
        return await self._reading.count(statement, _pattern(text) | visible_to(viewer))

    async def image_counts(self, viewer: Viewer, tag_ids: Collection[TagId]) -> dict[TagId, int]:
        """As the port says."""
        statement, values = _image_counts(viewer.sight), visible_to(viewer)
        return await self._reading.by_ids(statement, tag_ids, second_by_first, values=values)


@lru_cache
def _image_counts(sight: Sight) -> Rendered:
    """Each from its own range of the index: for many common tags together PostgreSQL would read the whole table."""
    images = select(func.count().label("images")).where(IMAGE_TAGS.c.tag_id == _COUNTED.c.tag_id)
    if listed := listed_images(sight):
        images = images.join_from(IMAGE_TAGS, IMAGES, IMAGES.c.id == IMAGE_TAGS.c.image_id).where(*listed)
    count = images.lateral("counted")
    return render(select(_COUNTED.c.tag_id, count.c.images).join_from(_COUNTED, count, true()))


@lru_cache(_MOST_SHAPES)
def _by_ids(shape: Shape[Any], sight: Sight) -> Rendered:
    return render(select(*shape.columns).where(_IS_AMONG_IDS, *visible_tags(sight)))


@lru_cache(_MOST_SHAPES)
def _by_image(shape: Shape[Any]) -> Rendered:
    return render(
        select(*shape.columns, IMAGE_TAGS.c.image_id)
        .join_from(IMAGE_TAGS, TAGS, IMAGE_TAGS.c.tag_id == TAGS.c.id)
        .where(among_ids(IMAGE_TAGS.c.image_id))
        .order_by(IMAGE_TAGS.c.image_id, TAGS.c.key)
    )


def _keys(names: Collection[str]) -> dict[str, list[str]]:
    return {"keys": sorted({tag_key(name) for name in names})}


def _pairs(image_ids: Collection[ImageId], tag_ids: Collection[TagId]) -> dict[str, list[UUID]]:
    return {"image_ids": list(image_ids), "tag_ids": list(tag_ids)}


def _named(statement: Select[Any], text: str | None) -> Select[Any]:
    return statement.where(TAGS.c.key.like(bindparam("pattern"))) if text else statement


def _pattern(text: str | None) -> dict[str, str]:
    return {"pattern": containing(tag_key(text))} if text else {}
