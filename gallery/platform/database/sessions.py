"""Passwords and sessions in PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, any_, bindparam, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, insert
from sqlalchemy.ext.asyncio import AsyncEngine

from gallery.domain.accounts import Account, account_key
from gallery.domain.ids import SessionId, UserId
from gallery.domain.sessions import Session
from gallery.platform.database.rows import (
    ACCOUNT_COLUMNS,
    SESSION_COLUMNS,
    account_from_row,
    session_from_row,
    session_values,
)
from gallery.platform.database.statements import Reading, Transaction, among_ids, ids
from gallery.platform.database.tables import ACCOUNTS, PASSWORDS, SESSIONS

_REMOVED_AT_ONCE: Final = 1000

_SESSIONS: Final = select(*SESSION_COLUMNS)
_NEWEST_FIRST: Final = SESSIONS.c.created_at.desc(), SESSIONS.c.id
_BY_DIGESTS: Final = (
    select(*SESSION_COLUMNS, *ACCOUNT_COLUMNS)
    .join_from(SESSIONS, ACCOUNTS)
    .where(SESSIONS.c.digest == any_(bindparam("digests", type_=ARRAY(BYTEA))))
)
_WITH_HASH: Final = select(*ACCOUNT_COLUMNS, PASSWORDS.c.hash).join_from(ACCOUNTS, PASSWORDS, isouter=True)
_HAVING_PASSWORD: Final = select(PASSWORDS.c.account_id).where(among_ids(PASSWORDS.c.account_id))
_TOUCH: Final = (
    update(SESSIONS)
    .where(SESSIONS.c.id == bindparam("of_id"), SESSIONS.c.last_used_at < bindparam("now"))
    .values(last_used_at=bindparam("now"))
)


class SqlPasswordRepository:
    """As the port says, in a transaction."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def find(self, account_id: UserId) -> str | None:
        """As the port says."""
        rows = await self._transaction.rows(select(PASSWORDS.c.hash).where(PASSWORDS.c.account_id == account_id))
        return str(rows[0][0]) if rows else None

    async def put(self, account_id: UserId, password_hash: str, now: datetime) -> None:
        """As the port says."""
        values = {"hash": password_hash, "changed_at": now}
        putting = insert(PASSWORDS).values(account_id=account_id, **values)
        await self._transaction.run(putting.on_conflict_do_update(index_elements=["account_id"], set_=values))


class SqlSessionRepository:
    """As the port says, in a transaction."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def find(self, session_id: SessionId) -> Session | None:
        """As the port says."""
        return await self._find(SESSIONS.c.id == session_id)

    async def find_by_digest(self, digest: bytes) -> Session | None:
        """As the port says."""
        return await self._find(SESSIONS.c.digest == digest)

    async def add(self, session: Session) -> None:
        """As the port says."""
        await self._transaction.run(insert(SESSIONS).values(session_values(session)))

    async def delete(self, session_ids: Collection[SessionId]) -> None:
        """As the port says."""
        await self._transaction.run(delete(SESSIONS).where(among_ids(SESSIONS.c.id)), ids(session_ids))

    async def delete_of(self, account_id: UserId, *, but: SessionId | None = None) -> int:
        """As the port says."""
        deleting = delete(SESSIONS).where(SESSIONS.c.account_id == account_id)
        return await self._transaction.run(deleting if but is None else deleting.where(SESSIONS.c.id != but))

    async def keep_newest(self, account_id: UserId, number: int) -> None:
        """As the port says."""
        older = select(SESSIONS.c.id).where(SESSIONS.c.account_id == account_id).order_by(*_NEWEST_FIRST).offset(number)
        await self._transaction.run(delete(SESSIONS).where(SESSIONS.c.id.in_(older)))

    async def delete_outdated(self, *, expired_at: datetime, unused_since: datetime) -> None:
        """As the port says. Those that somebody else has locked are left to the next time."""
        is_outdated = or_(SESSIONS.c.expires_at <= expired_at, SESSIONS.c.last_used_at <= unused_since)
        some = select(SESSIONS.c.id).where(is_outdated).limit(_REMOVED_AT_ONCE).with_for_update(skip_locked=True)
        await self._transaction.run(delete(SESSIONS).where(SESSIONS.c.id.in_(some)))

    async def touch(self, session_id: SessionId, now: datetime) -> None:
        """As the port says."""
        await self._transaction.run(_TOUCH, {"of_id": session_id, "now": now})

    async def _find(self, condition: ColumnElement[bool]) -> Session | None:
        rows = await self._transaction.rows(_SESSIONS.where(condition).with_for_update())
        return session_from_row(rows[0]) if rows else None


class SqlSessionReader:
    """As the port says."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._alone = Reading(engine)

    async def by_digest(self, digests: Collection[bytes]) -> dict[bytes, tuple[Session, Account]]:
        """As the port says."""
        rows = await self._alone.rows(_BY_DIGESTS, {"digests": list(digests)})
        found = ((session_from_row(row), account_from_row(row[len(SESSION_COLUMNS) :])) for row in rows)
        return {session.digest: (session, account) for session, account in found}

    async def sessions(self, account_id: UserId | None = None) -> tuple[Session, ...]:
        """As the port says."""
        reading = _SESSIONS.order_by(*_NEWEST_FIRST)
        if account_id is not None:
            reading = reading.where(SESSIONS.c.account_id == account_id)
        return tuple(map(session_from_row, await self._alone.rows(reading)))

    async def by_name(self, name: str) -> tuple[Account, str | None] | None:
        """As the port says."""
        rows = await self._alone.rows(_WITH_HASH.where(ACCOUNTS.c.key == account_key(name)))
        return (account_from_row(rows[0]), rows[0][-1]) if rows else None

    async def having_password(self, account_ids: Collection[UserId]) -> set[UserId]:
        """As the port says."""
        return {UserId(row[0]) for row in await self._alone.rows(_HAVING_PASSWORD, ids(account_ids))}

    async def accounts(self) -> tuple[Account, ...]:
        """As the port says."""
        rows = await self._alone.rows(select(*ACCOUNT_COLUMNS).order_by(func.lower(ACCOUNTS.c.name), ACCOUNTS.c.id))
        return tuple(map(account_from_row, rows))
