"""With whom albums are shared, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from sqlalchemy import Row, bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert

from gallery.domain.ids import AlbumId, ImageId, UserId
from gallery.domain.shares import AlbumShare, ShareLevel
from gallery.platform.database.statements import Transaction, among_ids, ids
from gallery.platform.database.tables import ACCOUNTS, ALBUM_SHARES, IMAGES
from gallery.platform.database.visible import VIEWER, is_offered

SHARES: Final = (
    select(*ALBUM_SHARES.c, ACCOUNTS.c.name.label("account_name"))
    .join_from(ALBUM_SHARES, ACCOUNTS)
    .order_by(ALBUM_SHARES.c.album_id, ACCOUNTS.c.key)
)
OFFERED: Final = select(IMAGES.c.id).where(among_ids(IMAGES.c.id), is_offered())

_OF_ALBUM: Final = SHARES.where(ALBUM_SHARES.c.album_id == bindparam("album_id"))
_KEY: Final = (ALBUM_SHARES.c.album_id, ALBUM_SHARES.c.account_id)


class SqlShareRepository:
    """The shares of a transaction."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def offered(self, account_id: UserId, image_ids: Collection[ImageId]) -> set[ImageId]:
        """As the port says."""
        rows = await self._transaction.rows(OFFERED, {VIEWER: account_id, **ids(image_ids)})
        return {row.id for row in rows}

    async def level(self, album_id: AlbumId, account_id: UserId) -> ShareLevel | None:
        """As the port says."""
        found = select(ALBUM_SHARES.c.level).where(_KEY[0] == album_id, _KEY[1] == account_id)
        rows = await self._transaction.rows(found)
        return ShareLevel(rows[0].level) if rows else None

    async def of_album(self, album_id: AlbumId) -> tuple[AlbumShare, ...]:
        """As the port says."""
        return tuple(map(share_from_row, await self._transaction.rows(_OF_ALBUM, {"album_id": album_id})))

    async def save(self, share: AlbumShare) -> None:
        """As the port says."""
        values = {column.name: getattr(share, column.name) for column in ALBUM_SHARES.c}
        saving = insert(ALBUM_SHARES).values(values)
        await self._transaction.run(saving.on_conflict_do_update(index_elements=_KEY, set_=values))

    async def delete(self, album_id: AlbumId, account_id: UserId) -> bool:
        """As the port says."""
        gone = delete(ALBUM_SHARES).where(_KEY[0] == album_id, _KEY[1] == account_id)
        return await self._transaction.run(gone) > 0


def share_from_row(row: Row[Any]) -> AlbumShare:
    """The share of a row of `SHARES`."""
    return AlbumShare(
        album_id=row.album_id,
        account_id=row.account_id,
        account_name=row.account_name,
        level=ShareLevel(row.level),
        shared_by=row.shared_by,
        shared_at=row.shared_at,
    )
