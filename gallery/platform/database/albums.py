"""Albums, and which images they hold, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from itertools import groupby
from operator import attrgetter
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, bindparam, case, delete, exists, func, not_, select, update
from sqlalchemy import insert as plain_insert
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from gallery.domain.access import Sight, Viewer
from gallery.domain.albums import Album
from gallery.domain.errors import NotFoundError
from gallery.domain.events import EntityKind
from gallery.domain.ids import AlbumId, ImageId, UserId
from gallery.domain.pages import AlbumQuery, AlbumSortField, Direction, Page
from gallery.domain.shares import AlbumShare
from gallery.platform.database.image_lists import LIVING
from gallery.platform.database.keyset import Keyset
from gallery.platform.database.records import ALBUMS_WHOLE, Shape, second_by_first
from gallery.platform.database.rendered import Rendered, Renderings, render
from gallery.platform.database.rows import ALBUM_COLUMNS, album_from_row, album_values
from gallery.platform.database.shares import SHARES, share_from_row
from gallery.platform.database.statements import (
    LeanReading,
    Reading,
    Transaction,
    among_ids,
    containing,
    ids,
    unnested,
    uuids,
)
from gallery.platform.database.tables import ALBUM_IMAGES, ALBUM_SHARES, ALBUMS, IMAGES
from gallery.platform.database.visible import (
    VIEWER,
    Conditions,
    found_albums,
    is_shared,
    listed_albums,
    listed_images,
    visible_to,
)

T = TypeVar("T")

_MOST_SHAPES: Final = 256
_LISTS: Final = Renderings()
_SORT_COLUMNS: Final = {
    AlbumSortField.TITLE: ALBUMS.c.sort_title,
    AlbumSortField.CREATED_AT: ALBUMS.c.created_at,
    AlbumSortField.UPDATED_AT: ALBUMS.c.updated_at,
}
_IN_ALBUM: Final = ALBUM_IMAGES.c.album_id == bindparam("album_id")
_IS_AMONG_IDS: Final = among_ids(ALBUMS.c.id)
_LOCKED: Final = select(*ALBUM_COLUMNS).where(_IS_AMONG_IDS).with_for_update()
_EMPTY: Final = delete(ALBUM_IMAGES).where(_IN_ALBUM).returning(ALBUM_IMAGES.c.image_id, ALBUM_IMAGES.c.position)
_REMOVE: Final = (
    delete(ALBUM_IMAGES).where(_IN_ALBUM, among_ids(ALBUM_IMAGES.c.image_id)).returning(ALBUM_IMAGES.c.image_id)
)
_MEMBERS: Final = select(ALBUM_IMAGES.c.image_id).where(_IN_ALBUM, among_ids(ALBUM_IMAGES.c.image_id))
_HOLDING: Final = (
    select(ALBUM_IMAGES.c.album_id)
    .where(among_ids(ALBUM_IMAGES.c.image_id))
    .distinct()
    .order_by(ALBUM_IMAGES.c.album_id)
)
_SHARED: Final = render(select(ALBUMS.c.id).where(_IS_AMONG_IDS, is_shared()))
_SHARES: Final = SHARES.where(among_ids(ALBUM_SHARES.c.album_id))
_OWN_SHARES: Final = _SHARES.join(ALBUMS, ALBUMS.c.id == ALBUM_SHARES.c.album_id).where(
    ALBUMS.c.owner == bindparam(VIEWER)
)


def _append() -> Select[tuple[UUID, int | None]]:
    """All images that are there, in the order given, each with its place in the album if that is new or offered now."""
    wanted = unnested(uuids(), "id", place="place")
    living = (
        select(IMAGES.c.id, IMAGES.c.owner, IMAGES.c.uploaded_at, wanted.c.place)
        .join_from(wanted, IMAGES, wanted.c.id == IMAGES.c.id)
        .where(LIVING)
        .order_by(IMAGES.c.id)
        .with_for_update(read=True, of=IMAGES)
        .cte("living")
    )
    last = select(func.coalesce(func.max(ALBUM_IMAGES.c.position), 0)).where(_IN_ALBUM).scalar_subquery()
    album_id = bindparam("album_id", type_=ALBUMS.c.id.type)
    is_offered = among_ids(living.c.owner, "offered_by")
    places = select(album_id, living.c.id, last + living.c.place, living.c.uploaded_at, is_offered)
    adding = insert(ALBUM_IMAGES).from_select(["album_id", "image_id", "position", "uploaded_at", "is_offered"], places)
    added = (
        adding.on_conflict_do_update(
            index_elements=[ALBUM_IMAGES.c.album_id, ALBUM_IMAGES.c.image_id],
            set_={"is_offered": adding.excluded.is_offered},
            where=and_(adding.excluded.is_offered, not_(ALBUM_IMAGES.c.is_offered)),
        )
        .returning(ALBUM_IMAGES.c.image_id, ALBUM_IMAGES.c.position)
        .cte("added")
    )
    return (
        select(living.c.id, added.c.position)
        .join_from(living, added, living.c.id == added.c.image_id, isouter=True)
        .order_by(living.c.place)
    )


_APPEND: Final = _append()


class SqlAlbumRepository:
    """The albums of a transaction."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def get(self, album_id: AlbumId) -> Album:
        """As the port says."""
        rows = await self._transaction.rows(_LOCKED, ids([album_id]))
        if not rows:
            raise NotFoundError.of(EntityKind.ALBUM)
        return album_from_row(rows[0])

    async def add(self, album: Album) -> None:
        """As the port says."""
        await self._transaction.run(plain_insert(ALBUMS), album_values(album))

    async def save(self, album: Album) -> None:
        """As the port says.

        Raises:
            NotFoundError: if there is no such album, or no such image as its cover.
        """
        if not await self._transaction.run(update(ALBUMS).where(ALBUMS.c.id == album.id), album_values(album)):
            raise NotFoundError.of(EntityKind.ALBUM)

    async def delete(self, album_id: AlbumId) -> tuple[ImageId, ...]:
        """As the port says, in the order of the album."""
        rows = await self._transaction.rows(_EMPTY, {"album_id": album_id})
        await self._transaction.run(delete(ALBUMS).where(ALBUMS.c.id == album_id))
        return tuple(row.image_id for row in sorted(rows, key=attrgetter("position")))

    async def append(
        self, album_id: AlbumId, image_ids: Sequence[ImageId], *, offered_by: Collection[UserId] = ()
    ) -> tuple[ImageId, ...]:
        """As the port says. Places count on from the last one, with gaps.

        Raises:
            NotFoundError: if the album or one of the images is not there.
            ConflictError: VERSION_CONFLICT if the album is not locked and others append to it.
        """
        distinct = list(dict.fromkeys(image_ids))
        values = {"album_id": album_id, "offered_by": list(offered_by), **ids(distinct)}
        rows = await self._transaction.rows(_APPEND, values)
        if len(rows) < len(distinct):
            raise NotFoundError.of(EntityKind.IMAGE)
        return tuple(row.id for row in rows if row.position is not None)

    async def remove(self, album_id: AlbumId, image_ids: Collection[ImageId]) -> tuple[ImageId, ...]:
        """As the port says, in the order given."""
        rows = await self._transaction.rows(_REMOVE, {"album_id": album_id, **ids(image_ids)})
        removed = {row.image_id for row in rows}
        return tuple(id_ for id_ in dict.fromkeys(image_ids) if id_ in removed)

    async def withdraw(self, album_id: AlbumId, owner: UserId) -> None:
        """As the port says."""
        is_theirs = exists().where(IMAGES.c.id == ALBUM_IMAGES.c.image_id, IMAGES.c.owner == owner)
        theirs = update(ALBUM_IMAGES).where(ALBUM_IMAGES.c.album_id == album_id, ALBUM_IMAGES.c.is_offered, is_theirs)
        await self._transaction.run(theirs.values(is_offered=False))

    async def members(self, album_id: AlbumId, image_ids: Collection[ImageId]) -> set[ImageId]:
        """As the port says."""
        rows = await self._transaction.rows(_MEMBERS, {"album_id": album_id, **ids(image_ids)})
        return {row.image_id for row in rows}

    async def holding(self, image_ids: Collection[ImageId]) -> tuple[AlbumId, ...]:
        """As the port says, in the order of their ids."""
        return tuple(row.album_id for row in await self._transaction.rows(_HOLDING, ids(image_ids)))


class SqlAlbumRecords(Generic[T]):
    """Albums as viewers may see them, as much of them as their shape says."""

    def __init__(self, engine: AsyncEngine, shape: Shape[T]) -> None:
        self._reading = LeanReading(engine)
        self._shape = shape

    async def get_many(self, viewer: Viewer, album_ids: Collection[AlbumId]) -> dict[AlbumId, T]:
        """As the port says."""
        shape = self._shape
        statement, values = _by_ids(shape, viewer.sight), visible_to(viewer)
        return await self._reading.by_ids(statement, album_ids, shape.by_id, shape.row, values)

    async def list_page(self, viewer: Viewer, query: AlbumQuery) -> Page[T]:
        """As the port says."""
        shape = self._shape
        keyset = Keyset(
            value=_SORT_COLUMNS[query.sort_field],
            id=ALBUMS.c.id,
            descending=query.direction is Direction.DESC,
            request=query.page,
        )
        statement = _LISTS.get(
            (shape, viewer.sight, bool(query.text), query.sort_field, keyset.form),
            lambda: keyset.cut(_titled(select(*shape.columns).where(*listed_albums(viewer.sight)), query.text)),
        )
        values = {**_pattern(query.text), **keyset.values, **visible_to(viewer)}
        rows = await self._reading.rows(statement, values, shape.row)
        return keyset.page(rows, shape.things)

    async def by_image(self, viewer: Viewer, image_ids: Collection[ImageId]) -> dict[ImageId, tuple[T, ...]]:
        """As the port says."""
        shape = self._shape
        statement, values = _by_image(shape, viewer.sight), visible_to(viewer)
        return await self._reading.by_ids(statement, image_ids, shape.by_image, shape.row, values)


class SqlAlbumReader(SqlAlbumRecords[Album]):
    """Whole albums as viewers may see them."""

    def __init__(self, engine: AsyncEngine) -> None:
        super().__init__(engine, ALBUMS_WHOLE)
        self._alone = Reading(engine)

    async def count(self, viewer: Viewer, text: str | None) -> int:
        """As the port says."""
        statement = _LISTS.get(
            ("count", viewer.sight, bool(text)),
            lambda: _titled(select(func.count()).select_from(ALBUMS).where(*listed_albums(viewer.sight)), text),
        )
        return await self._reading.count(statement, _pattern(text) | visible_to(viewer))

    async def image_counts(self, viewer: Viewer, album_ids: Collection[AlbumId]) -> dict[AlbumId, int]:
        """As the port says."""
        statement, values = _image_counts(viewer.sight), visible_to(viewer)
        return await self._reading.by_ids(statement, album_ids, second_by_first, values=values)

    async def cover_ids(self, viewer: Viewer, album_ids: Collection[AlbumId]) -> dict[AlbumId, ImageId]:
        """As the port says."""
        return await self._reading.by_ids(_covers(viewer.sight), album_ids, second_by_first, values=visible_to(viewer))

    async def shared(self, viewer: Viewer, album_ids: Collection[AlbumId]) -> set[AlbumId]:
        """As the port says."""
        return {row["id"] for row in await self._reading.rows(_SHARED, ids(album_ids) | visible_to(viewer))}

    async def shares(self, viewer: Viewer, album_ids: Collection[AlbumId]) -> dict[AlbumId, tuple[AlbumShare, ...]]:
        """As the port says."""
        if viewer.sight is Sight.EVERYTHING:
            rows = await self._alone.rows(_SHARES, ids(album_ids))
        else:
            rows = await self._alone.rows(_OWN_SHARES, ids(album_ids) | visible_to(viewer))
        return {id_: tuple(own) for id_, own in groupby(map(share_from_row, rows), attrgetter("album_id"))}


@lru_cache
def _image_counts(sight: Sight) -> Rendered:
    return render(
        select(ALBUM_IMAGES.c.album_id, func.count().label("images"))
        .where(among_ids(ALBUM_IMAGES.c.album_id), *_has_listed(listed_images(sight)))
        .group_by(ALBUM_IMAGES.c.album_id)
    )


@lru_cache
def _covers(sight: Sight) -> Rendered:
    first = (
        select(ALBUM_IMAGES.c.image_id)
        .where(ALBUM_IMAGES.c.album_id == ALBUMS.c.id, *_has_listed(listed_images(sight)))
        .order_by(ALBUM_IMAGES.c.position)
        .limit(1)
        .scalar_subquery()
    )
    chosen: ColumnElement[Any] = ALBUMS.c.cover_id
    if listed := listed_images(sight):
        chosen = case((exists().where(IMAGES.c.id == ALBUMS.c.cover_id, *listed), ALBUMS.c.cover_id))
    return render(select(ALBUMS.c.id, func.coalesce(chosen, first).label("image_id")).where(_IS_AMONG_IDS))


def _has_listed(listed: Conditions) -> Conditions:
    """Whether lists have the image of a place in an album; not asked if they have all."""
    return (exists().where(IMAGES.c.id == ALBUM_IMAGES.c.image_id, *listed),) if listed else ()


@lru_cache(_MOST_SHAPES)
def _by_ids(shape: Shape[Any], sight: Sight) -> Rendered:
    return render(select(*shape.columns).where(_IS_AMONG_IDS, *found_albums(sight)))


@lru_cache(_MOST_SHAPES)
def _by_image(shape: Shape[Any], sight: Sight) -> Rendered:
    return render(
        select(*shape.columns, ALBUM_IMAGES.c.image_id)
        .join_from(ALBUM_IMAGES, ALBUMS, ALBUM_IMAGES.c.album_id == ALBUMS.c.id)
        .where(among_ids(ALBUM_IMAGES.c.image_id), *listed_albums(sight))
        .order_by(ALBUM_IMAGES.c.image_id, ALBUMS.c.created_at, ALBUMS.c.id)
    )


def _titled(statement: Select[Any], text: str | None) -> Select[Any]:
    return statement.where(ALBUMS.c.title.ilike(bindparam("pattern"))) if text else statement


def _pattern(text: str | None) -> dict[str, str]:
    return {"pattern": containing(text)} if text else {}
