"""With whom albums are shared, in memory."""

from __future__ import annotations

from collections.abc import Collection

from gallery.domain.errors import NotFoundError
from gallery.domain.events import EntityKind
from gallery.domain.ids import AlbumId, ImageId, UserId
from gallery.domain.shares import AlbumShare, ShareLevel
from tests.fakes.albums import shares_of
from tests.fakes.database import Tables, Transaction


class MemoryShareRepository:
    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def offered(self, account_id: UserId, image_ids: Collection[ImageId]) -> set[ImageId]:
        return self._transaction.tables.offered_to(account_id) & set(image_ids)

    async def level(self, album_id: AlbumId, account_id: UserId) -> ShareLevel | None:
        share = self._transaction.tables.shares.get((album_id, account_id))
        return None if share is None else share.level

    async def of_album(self, album_id: AlbumId) -> tuple[AlbumShare, ...]:
        return shares_of(self._transaction.tables, album_id)

    async def save(self, share: AlbumShare) -> None:
        tables = self._transaction.tables
        if share.album_id not in tables.albums:
            raise NotFoundError.of(EntityKind.ALBUM)
        if share.account_id not in tables.accounts:
            raise NotFoundError.of(EntityKind.ACCOUNT)
        self._transaction.change(lambda tables: tables.shares.update({(share.album_id, share.account_id): share}))

    async def delete(self, album_id: AlbumId, account_id: UserId) -> bool:
        is_there = (album_id, account_id) in self._transaction.tables.shares

        def change(tables: Tables) -> None:
            tables.shares.pop((album_id, account_id), None)

        self._transaction.change(change)
        return is_there
