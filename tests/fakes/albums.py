"""Albums in memory: the repository of a unit of work, and the reader."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace

from gallery.domain.access import Viewer, has
from gallery.domain.accounts import account_key
from gallery.domain.albums import Album
from gallery.domain.errors import NotFoundError
from gallery.domain.events import EntityKind
from gallery.domain.ids import AlbumId, ImageId, UserId
from gallery.domain.pages import AlbumQuery, AlbumSortField, Direction, Edge, Page, Position, SortValue
from gallery.domain.shares import AlbumShare
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
            tables.offered = {pair for pair in tables.offered if pair[0] != album_id}
            tables.shares = {pair: share for pair, share in tables.shares.items() if pair[0] != album_id}

        self._transaction.change(change)
        return held

    async def append(
        self, album_id: AlbumId, image_ids: Sequence[ImageId], *, offered_by: Collection[UserId] = ()
    ) -> tuple[ImageId, ...]:
        tables = self._transaction.tables
        if album_id not in tables.albums:
            raise NotFoundError.of(EntityKind.ALBUM)
        if not set(image_ids) <= tables.living.keys():
            raise NotFoundError.of(EntityKind.IMAGE)
        members = tables.members(album_id)
        added = tuple(image_id for image_id in dict.fromkeys(image_ids) if image_id not in members)
        owned = {image_id for image_id in image_ids if tables.images[image_id].owner in offered_by}
        shown = {image_id for image_id in owned if (album_id, image_id) not in tables.offered}
        first_place = 1 + (tables.album_images[album_id, members[-1]] if members else 0)

        def change(tables: Tables) -> None:
            for place, image_id in enumerate(added, start=first_place):
                tables.place(album_id, image_id, place)
            tables.offered.update((album_id, image_id) for image_id in shown)

        self._transaction.change(change)
        return tuple(image_id for image_id in dict.fromkeys(image_ids) if image_id in added or image_id in shown)

    async def remove(self, album_id: AlbumId, image_ids: Collection[ImageId]) -> tuple[ImageId, ...]:
        removed = tuple(image_id for image_id in self._transaction.tables.members(album_id) if image_id in image_ids)

        def change(tables: Tables) -> None:
            for image_id in removed:
                tables.album_images.pop((album_id, image_id), None)
                tables.offered.discard((album_id, image_id))

        self._transaction.change(change)
        return removed

    async def withdraw(self, album_id: AlbumId, owner: UserId) -> None:
        images = self._transaction.tables.images
        kept = {image_id for image_id, image in images.items() if image.owner != owner}

        def change(tables: Tables) -> None:
            tables.offered = {pair for pair in tables.offered if pair[0] != album_id or pair[1] in kept}

        self._transaction.change(change)

    async def members(self, album_id: AlbumId, image_ids: Collection[ImageId]) -> set[ImageId]:
        return set(self._transaction.tables.members(album_id)) & set(image_ids)

    async def holding(self, image_ids: Collection[ImageId]) -> tuple[AlbumId, ...]:
        pairs = self._transaction.tables.album_images
        return tuple(sorted({album_id for album_id, image_id in pairs if image_id in image_ids}))


class MemoryAlbumReader:
    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def get_many(self, viewer: Viewer, album_ids: Collection[AlbumId]) -> dict[AlbumId, Album]:
        tables = self._database.committed
        found = {album_id: tables.albums[album_id] for album_id in album_ids if album_id in tables.albums}
        return {album_id: album for album_id, album in found.items() if tables.sees_album(viewer, album)}

    async def shared(self, viewer: Viewer, album_ids: Collection[AlbumId]) -> set[AlbumId]:
        return {album for album, account in self._database.committed.shares if account == viewer.id} & set(album_ids)

    async def shares(self, viewer: Viewer, album_ids: Collection[AlbumId]) -> dict[AlbumId, tuple[AlbumShare, ...]]:
        tables = self._database.committed
        albums = [album for id_, album in tables.albums.items() if id_ in album_ids and has(viewer, album)]
        found = {album.id: shares_of(tables, album.id) for album in albums}
        return {album_id: shares for album_id, shares in found.items() if shares}

    async def list_page(self, viewer: Viewer, query: AlbumQuery) -> Page[Album]:
        found = [album for album in self._listed(viewer) if contains(album.title, query.text)]
        edges = (Edge(album, Position(_sort_value(album, query.sort_field), album.id)) for album in found)
        return page_of(edges, query.page, descending=query.direction is Direction.DESC)

    async def count(self, viewer: Viewer, text: str | None) -> int:
        return sum(contains(album.title, text) for album in self._listed(viewer))

    async def by_image(self, viewer: Viewer, image_ids: Collection[ImageId]) -> dict[ImageId, tuple[Album, ...]]:
        tables = self._database.committed
        found: dict[ImageId, list[Album]] = {}
        for album_id, image_id in tables.album_images:
            if image_id in image_ids and tables.lists_album(viewer, tables.albums[album_id]):
                found.setdefault(image_id, []).append(tables.albums[album_id])
        return {
            image_id: tuple(sorted(albums, key=lambda album: (album.created_at, album.id)))
            for image_id, albums in found.items()
        }

    async def image_counts(self, viewer: Viewer, album_ids: Collection[AlbumId]) -> dict[AlbumId, int]:
        tables = self._database.committed
        return dict(
            Counter(
                album
                for album, image in tables.album_images
                if album in album_ids and tables.lists_image(viewer, tables.images[image])
            )
        )

    async def cover_ids(self, viewer: Viewer, album_ids: Collection[AlbumId]) -> dict[AlbumId, ImageId]:
        tables = self._database.committed
        members = {
            album_id: tables.listed_members(viewer, album_id) for album_id in album_ids if album_id in tables.albums
        }
        chosen = {album_id: tables.albums[album_id].cover_id for album_id in members}
        return {
            album_id: cover_id if (cover_id := chosen[album_id]) is not None and cover_id in image_ids else image_ids[0]
            for album_id, image_ids in members.items()
            if image_ids
        }

    def _listed(self, viewer: Viewer) -> list[Album]:
        tables = self._database.committed
        return [album for album in tables.albums.values() if tables.lists_album(viewer, album)]


def shares_of(tables: Tables, album_id: AlbumId) -> tuple[AlbumShare, ...]:
    """With whom an album is shared, by name."""
    shares = (share for share in tables.shares.values() if share.album_id == album_id)
    named = (replace(share, account_name=tables.accounts[share.account_id].name) for share in shares)
    return tuple(sorted(named, key=lambda share: account_key(share.account_name)))


def _sort_value(album: Album, field: AlbumSortField) -> SortValue:
    values: dict[AlbumSortField, SortValue] = {
        AlbumSortField.TITLE: album.title.lower(),
        AlbumSortField.CREATED_AT: album.created_at,
        AlbumSortField.UPDATED_AT: album.updated_at,
    }
    return values[field]
