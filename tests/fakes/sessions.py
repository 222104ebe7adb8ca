"""Passwords and sessions in memory, and a hash that takes no time."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime

from gallery.domain.accounts import Account, account_key
from gallery.domain.errors import UnavailableError
from gallery.domain.ids import SessionId, UserId
from gallery.domain.sessions import Session
from tests.fakes.database import MemoryDatabase, Tables, Transaction


class MemoryPasswordRepository:
    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def find(self, account_id: UserId) -> str | None:
        return self._transaction.tables.passwords.get(account_id)

    async def put(self, account_id: UserId, password_hash: str, now: datetime) -> None:
        self._transaction.change(lambda tables: tables.passwords.update({account_id: password_hash}))


class MemorySessionRepository:
    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def find(self, session_id: SessionId) -> Session | None:
        if session_id not in self._transaction.tables.sessions:
            return None
        await self._transaction.lock(session_id)
        return self._transaction.tables.sessions.get(session_id)

    async def find_by_digest(self, digest: bytes) -> Session | None:
        found = [session.id for session in self._transaction.tables.sessions.values() if session.digest == digest]
        return await self.find(found[0]) if found else None

    async def add(self, session: Session) -> None:
        self._transaction.change(lambda tables: tables.sessions.update({session.id: session}))

    async def delete(self, session_ids: Collection[SessionId]) -> None:
        def change(tables: Tables) -> None:
            for session_id in session_ids:
                tables.sessions.pop(session_id, None)

        self._transaction.change(change)

    async def delete_of(self, account_id: UserId, *, but: SessionId | None = None) -> int:
        ended = [session.id for session in self._of(account_id) if session.id != but]
        await self.delete(ended)
        return len(ended)

    async def keep_newest(self, account_id: UserId, number: int) -> None:
        await self.delete([session.id for session in self._of(account_id)[number:]])

    async def delete_outdated(self, *, expired_at: datetime, unused_since: datetime) -> None:
        sessions = self._transaction.tables.sessions.values()
        await self.delete(
            [
                session.id
                for session in sessions
                if session.expires_at <= expired_at or session.last_used_at <= unused_since
            ]
        )

    async def touch(self, session_id: SessionId, now: datetime) -> None:
        def change(tables: Tables) -> None:
            session = tables.sessions.get(session_id)
            if session is not None and session.last_used_at < now:
                tables.sessions[session_id] = replace(session, last_used_at=now)

        self._transaction.change(change)

    def _of(self, account_id: UserId) -> list[Session]:
        return _newest_first(
            session for session in self._transaction.tables.sessions.values() if session.account_id == account_id
        )


class MemorySessionReader:
    """Counts what it is asked."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self.reads = 0

    async def by_digest(self, digests: Collection[bytes]) -> dict[bytes, tuple[Session, Account]]:
        tables = self._tables
        return {
            session.digest: (session, tables.accounts[session.account_id])
            for session in tables.sessions.values()
            if session.digest in digests
        }

    async def sessions(self, account_id: UserId | None = None) -> tuple[Session, ...]:
        sessions = self._tables.sessions.values()
        return tuple(_newest_first(session for session in sessions if account_id in {None, session.account_id}))

    async def by_name(self, name: str) -> tuple[Account, str | None] | None:
        tables = self._tables
        for account in tables.accounts.values():
            if account_key(account.name) == account_key(name):
                return account, tables.passwords.get(account.id)
        return None

    async def having_password(self, account_ids: Collection[UserId]) -> set[UserId]:
        return self._tables.passwords.keys() & set(account_ids)

    async def accounts(self) -> tuple[Account, ...]:
        accounts = self._tables.accounts.values()
        return tuple(sorted(accounts, key=lambda account: (account.name.lower(), account.id)))

    @property
    def _tables(self) -> Tables:
        self.reads += 1
        if self._database.unavailable:
            service = "database"
            raise UnavailableError(service)
        return self._database.committed


class PlainHasher:
    """Hashes that say what they are of, and with which parameters. Counts what it is asked."""

    def __init__(self) -> None:
        self.parameters = "1"
        self.looked: list[tuple[str | None, str]] = []
        self.is_busy = False

    async def hash(self, password: str) -> str:
        self._take_turn()
        return f"{self.parameters}:{password}"

    async def is_of(self, password_hash: str | None, password: str) -> bool:
        self._take_turn()
        self.looked.append((password_hash, password))
        return password_hash is not None and password_hash.partition(":")[2] == password

    def is_outdated(self, password_hash: str) -> bool:
        return not password_hash.startswith(f"{self.parameters}:")

    def _take_turn(self) -> None:
        if self.is_busy:
            service = "check of passwords"
            raise UnavailableError(service)


def _newest_first(sessions: Iterable[Session]) -> list[Session]:
    return sorted(sessions, key=lambda session: (-session.created_at.timestamp(), session.id))
