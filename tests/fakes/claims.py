"""Idempotency keys in memory: the repository of a unit of work, and the answers that were sent."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from gallery.domain.errors import ConflictError, ErrorCode, UnavailableError
from gallery.domain.idempotency import MAX_ANSWERS_OF_KEY, Claim
from gallery.domain.ids import UserId
from tests.fakes.database import MemoryDatabase, Tables, Transaction, holds_transaction

Key = tuple[UserId, str]


class MemoryClaimRepository:
    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def take(self, claim: Claim, *, abandoned_before: datetime, now: datetime) -> Claim:
        key = await self._locked(claim)
        stored = self._transaction.tables.claims.get(key)
        if stored is not None and not _gives_way(stored, abandoned_before, now):
            return stored

        def change(tables: Tables) -> None:
            _remove(tables, {key})
            tables.claims[key] = claim

        self._transaction.change(change)
        return claim

    async def find(self, owner: UserId, key: str) -> Claim | None:
        return self._transaction.tables.claims.get((owner, key))

    async def count(self, owner: UserId, now: datetime) -> int:
        claims = self._transaction.tables.claims.values()
        return sum(claim.owner == owner and claim.expires_at > now for claim in claims)

    async def complete(self, claim: Claim) -> None:
        key = await self._locked(claim)
        if not self._is_held(claim):
            message = "Another request has taken over this idempotency key. Try again."
            raise ConflictError(ErrorCode.VERSION_CONFLICT, message)
        self._transaction.change(lambda tables: tables.claims.update({key: claim}))

    async def touch(self, holders: Collection[UUID], now: datetime) -> None:
        free = [
            key
            for key, claim in self._transaction.tables.claims.items()
            if claim.holder in holders and self._transaction.is_free(_row(key))
        ]
        for key in free:
            await self._transaction.lock(_row(key))

        def change(tables: Tables) -> None:
            for key in free:
                tables.claims[key] = replace(tables.claims[key], touched_at=now)

        self._transaction.change(change)

    async def release(self, claim: Claim) -> None:
        key = await self._locked(claim)
        if self._is_held(claim) and self._transaction.tables.claims[key].result_id is None:
            self._transaction.change(lambda tables: _remove(tables, {key}))

    async def delete_expired(self, now: datetime, *, limit: int) -> int:
        free = [key for key, claim in self._transaction.tables.claims.items() if self._is_expired(claim, now)]
        expired = set(free[:limit])
        for key in expired:
            await self._transaction.lock(_row(key))
        self._transaction.change(lambda tables: _remove(tables, expired))
        return len(expired)

    def _is_expired(self, claim: Claim, now: datetime) -> bool:
        return claim.expires_at <= now and self._transaction.is_free(_row((claim.owner, claim.key)))

    async def _locked(self, claim: Claim) -> Key:
        """The key of a claim, which nobody else changes until the transaction ends."""
        key = claim.owner, claim.key
        await self._transaction.lock(_row(key))
        return key

    def _is_held(self, claim: Claim) -> bool:
        stored = self._transaction.tables.claims.get((claim.owner, claim.key))
        return stored is not None and stored.holder == claim.holder


class MemoryAnswerStore:
    """Answers by owner, key and request. Refuses to work for a task that holds a transaction open."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def keep(self, owner: UserId, key: str, request: str, answer: bytes) -> bytes:
        assert not holds_transaction(), "an answer is kept after the commit"
        if self._database.unavailable:
            service = "database"
            raise UnavailableError(service)
        tables = self._database.committed
        if (owner, key) not in tables.claims:
            return answer
        there = [answered for answered in tables.answers if answered[:2] == (owner, key)]
        if len(there) == MAX_ANSWERS_OF_KEY:
            return tables.answers.get((owner, key, request), answer)
        return tables.answers.setdefault((owner, key, request), answer)


def _gives_way(claim: Claim, abandoned_before: datetime, now: datetime) -> bool:
    return claim.expires_at <= now or (claim.result_id is None and claim.touched_at < abandoned_before)


def _remove(tables: Tables, keys: set[Key]) -> None:
    """Claims, and the answers that live as long as they do."""
    tables.claims = {key: claim for key, claim in tables.claims.items() if key not in keys}
    tables.answers = {
        (owner, key, request): answer
        for (owner, key, request), answer in tables.answers.items()
        if (owner, key) not in keys
    }


def _row(key: Key) -> tuple[str, Key]:
    return "claim", key
