"""Albums in memory: the repository of a unit of work, and the reader."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from gallery.domain.access import Viewer
from gallery.domain.albums import Album
from gallery.domain.errors import NotFoundError
from gallery.domain.events import EntityKind
from gallery.domain.ids import AlbumId, ImageId
from gallery.domain.pages import AlbumQuery, AlbumSortField, Direction, Edge, Page, Position, SortValue
from tests.fakes.database import MemoryDatabase, Tables, Transaction
from tests.fakes.pages import contains, page_of


class MemoryAlbumRepository:
    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def get(self, album_id: AlbumId) -> Album:
        if album_id in self._transaction.tables.albums:
            await self._transaction.lock(album_id)
        album = self._transaction.tables.albums.get(album_id)
        if album is None:
            raise NotFoundError.of(EntityKind.ALBUM)
        return album

    async def add(self, album: Album) -> None:
        self._transaction.change(lambda tables: tables.albums.update({album.id: album}))

    async def save(self, album: Album) -> None:
        if album.id not in self._transaction.tables.albums:
            raise NotFoundError.of(EntityKind.ALBUM)
        self._transaction.change(lambda tables: tables.albums.update({album.id: album}))

    async def delete(self, album_id: AlbumId) -> tuple[ImageId, ...]:
        held = tuple(self._transaction.tables.members(album_id))

        def change(tables: Tables) -> None:
            tables.albums.pop(album_id, None)
            tables.album_images = {pair: place for pair, place in tables.album_images.items() if pair[0] != album_id}

        self._transaction.change(change)
        return held

    async def append(self, album_id: AlbumId, image_ids: Sequence[ImageId]) -> tuple[ImageId, ...]:
        tables = self._transaction.tables
        if album_id not in tables.albums:
            raise NotFoundError.of(EntityKind.ALBUM)
        if not set(image_ids) <= tables.living.keys():
            raise NotFoundError.of(EntityKind.IMAGE)
        members = tables.members(album_id)
        added = tuple(image_id for image_id in dict.fromkeys(image_ids) if image_id not in members)
        first_place = 1 + (tables.album_images[album_id, members[-1]] if members else 0)
        places = {(album_id, image_id): place for place, image_id in enumerate(added, start=first_place)}
        self._transaction.change(lambda tables: tables.album_images.update(places))
        return added

    async def remove(self, album_id: AlbumId, image_ids: Collection[ImageId]) -> tuple[ImageId, ...]:
        removed = tuple(image_id for image_id in self._transaction.tables.members(album_id) if image_id in image_ids)

        def change(tables: Tables) -> None:
            for image_id in removed:
                tables.album_images.pop((album_id, image_id), None)

        self._transaction.change(change)
        return removed

    async def members(self, album_id: AlbumId, image_ids: Collection[ImageId]) -> set[ImageId]:
        return set(self._transaction.tables.members(album_id)) & set(image_ids)

    async def holding(self, image_ids: Collection[ImageId]) -> tuple[AlbumId, ...]:
        pairs = self._transaction.tables.album_images
        return tuple(sorted({album_id for album_id, image_id in pairs if image_id in image_ids}))


class MemoryAlbumReader:
    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def get_many(self, viewer: Viewer, album_ids: Collection[AlbumId]) -> dict[AlbumId, Album]:
        albums = self._database.committed.albums
        return {album_id: albums[album_id] for album_id in album_ids if album_id in albums}

    async def list_page(self, viewer: Viewer, query: AlbumQuery) -> Page[Album]:
        found = [album for album in self._database.committed.albums.values() if contains(album.title, query.text)]
        edges = (Edge(album, Position(_sort_value(album, query.sort_field), album.id)) for album in found)
        return page_of(edges, query.page, descending=query.direction is Direction.DESC)

    async def count(self, viewer: Viewer, text: str | None) -> int:
        return sum(contains(album.title, text) for album in self._database.committed.albums.values())

    async def by_image(self, viewer: Viewer, image_ids: Collection[ImageId]) -> dict[ImageId, tuple[Album, ...]]:
        tables = self._database.committed
        found: dict[ImageId, list[Album]] = {}
        for album_id, image_id in tables.album_images:
            if image_id in image_ids:
                found.setdefault(image_id, []).append(tables.albums[album_id])
        return {
            image_id: tuple(sorted(albums, key=lambda album: (album.created_at, album.id)))
            for image_id, albums in found.items()
        }

    async def image_counts(self, viewer: Viewer, album_ids: Collection[AlbumId]) -> dict[AlbumId, int]:
        return dict(Counter(album for album, _ in self._database.committed.album_images if album in album_ids))

    async def cover_ids(self, viewer: Viewer, album_ids: Collection[AlbumId]) -> dict[AlbumId, ImageId]:
        tables = self._database.committed
        members = {album_id: tables.members(album_id) for album_id in album_ids if album_id in tables.albums}
        return {
            album_id: tables.albums[album_id].cover_id or image_ids[0]
            for album_id, image_ids in members.items()
            if image_ids
        }


def _sort_value(album: Album, field: AlbumSortField) -> SortValue:
    values: dict[AlbumSortField, SortValue] = {
        AlbumSortField.TITLE: album.title.lower(),
        AlbumSortField.CREATED_AT: album.created_at,
        AlbumSortField.UPDATED_AT: album.updated_at,
    }
    return values[field]
