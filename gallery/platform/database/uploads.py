"""Uploads under way in PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final

from sqlalchemy import (
    BigInteger,
    Executable,
    Text,
    Uuid,
    and_,
    bindparam,
    cast,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from gallery.domain.errors import NotFoundError
from gallery.domain.ids import UploadId, UserId
from gallery.domain.uploads import OpenUploads, Upload
from gallery.platform.database.rows import UPLOAD_COLUMNS, upload_from_row, upload_values
from gallery.platform.database.statements import Transaction, among_ids, ids
from gallery.platform.database.tables import UPLOADS, UPLOADS_STAGED, UPLOADS_STAGED_OPEN, UPLOADS_STREAMING

_FIND: Final = select(*UPLOAD_COLUMNS).where(UPLOADS.c.id == bindparam("id"), UPLOADS.c.owner == bindparam("owner"))
_LOCKED: Final = _FIND.with_for_update()
_OPEN_UPLOADS_LOCK: Final = 1
"""First key of the advisory locks on what an owner has open; the owner is the second. Others have a single key."""
_LOCK_OPEN: Final = select(
    func.pg_advisory_xact_lock(_OPEN_UPLOADS_LOCK, func.hashtext(cast(bindparam("owner", type_=Uuid), Text)))
)
_OPEN: Final = select(
    func.count().label("uploads"),
    func.coalesce(func.sum(cast(UPLOADS.c.announced["file_size_bytes"].astext, BigInteger)), 0).label("size_bytes"),
).where(UPLOADS_STAGED_OPEN, UPLOADS.c.owner == bindparam("owner"))
_TAKEN: Final = (
    delete(UPLOADS)
    .where(UPLOADS.c.id == bindparam("id"), UPLOADS.c.owner == bindparam("owner"))
    .returning(*UPLOAD_COLUMNS)
)
_FREE: Final = select(UPLOADS.c.id).where(among_ids(UPLOADS.c.id)).with_for_update(skip_locked=True)
_TOUCH: Final = update(UPLOADS).where(UPLOADS.c.id.in_(_FREE)).values(touched_at=bindparam("now"))
_STALE: Final = (
    select(*UPLOAD_COLUMNS)
    .where(
        or_(
            and_(UPLOADS_STREAMING, UPLOADS.c.touched_at < bindparam("untouched_since")),
            and_(UPLOADS_STAGED, UPLOADS.c.expires_at <= bindparam("now")),
        )
    )
    .order_by(UPLOADS.c.created_at, UPLOADS.c.id)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True)
)


class SqlUploadRepository:
    """The uploads under way, in a transaction."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def get(self, owner: UserId, upload_id: UploadId) -> Upload:
        """As the port says."""
        return await self._one(_LOCKED, owner, upload_id)

    async def find(self, owner: UserId, upload_id: UploadId) -> Upload | None:
        """As the port says."""
        rows = await self._transaction.rows(_FIND, {"id": upload_id, "owner": owner})
        return upload_from_row(rows[0]) if rows else None

    async def open_of(self, owner: UserId) -> OpenUploads:
        """As the port says. A lock of its own comes first: a statement sees what was committed before it began."""
        await self._transaction.rows(_LOCK_OPEN, {"owner": owner})
        [row] = await self._transaction.rows(_OPEN, {"owner": owner})
        return OpenUploads(count=row.uploads, size_bytes=int(row.size_bytes))

    async def add(self, upload: Upload) -> None:
        """As the port says."""
        await self._transaction.run(insert(UPLOADS), upload_values(upload))

    async def save(self, upload: Upload) -> None:
        """As the port says."""
        if not await self._transaction.run(update(UPLOADS).where(UPLOADS.c.id == upload.id), upload_values(upload)):
            raise _missing()

    async def take(self, owner: UserId, upload_id: UploadId) -> Upload:
        """As the port says."""
        return await self._one(_TAKEN, owner, upload_id)

    async def delete(self, upload_ids: Collection[UploadId]) -> None:
        """As the port says."""
        await self._transaction.run(delete(UPLOADS).where(among_ids(UPLOADS.c.id)), ids(upload_ids))

    async def touch(self, upload_ids: Collection[UploadId], now: datetime) -> None:
        """As the port says. One that is locked is left out, since waiting for it would hold up all the others.

        Whoever has locked it is changing it, so it lives for now.
        """
        await self._transaction.run(_TOUCH, {"now": now, **ids(upload_ids)})

    async def stale(self, *, untouched_since: datetime, now: datetime, limit: int) -> tuple[Upload, ...]:
        """As the port says."""
        parameters = {"untouched_since": untouched_since, "now": now, "limit": limit}
        return tuple(upload_from_row(row) for row in await self._transaction.rows(_STALE, parameters))

    async def _one(self, statement: Executable, owner: UserId, upload_id: UploadId) -> Upload:
        rows = await self._transaction.rows(statement, {"id": upload_id, "owner": owner})
        if not rows:
            raise _missing()
        return upload_from_row(rows[0])


def _missing() -> NotFoundError:
    return NotFoundError("There is no such upload. It may have expired.")
