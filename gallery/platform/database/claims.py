"""Idempotency keys in PostgreSQL, and the answers that were sent to those who used them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import LargeBinary, Text, Update, and_, bindparam, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.sql.dml import ReturningInsert

from gallery.domain.errors import ConflictError, ErrorCode
from gallery.domain.idempotency import MAX_ANSWERS_OF_KEY, Claim
from gallery.domain.ids import UserId
from gallery.platform.database.rows import CLAIM_COLUMNS, claim_from_row, claim_values
from gallery.platform.database.statements import Reading, Transaction, among_ids, ids
from gallery.platform.database.tables import ANSWERS, CLAIMS

_OF_KEY: Final = and_(CLAIMS.c.owner == bindparam("of_owner"), CLAIMS.c.key == bindparam("of_key"))
_FIND: Final = select(*CLAIM_COLUMNS).where(_OF_KEY)
_COUNT: Final = (
    select(func.count())
    .select_from(CLAIMS)
    .where(CLAIMS.c.owner == bindparam("of_owner"), CLAIMS.c.expires_at > bindparam("now"))
)
_RELEASE: Final = delete(CLAIMS).where(_OF_KEY, CLAIMS.c.holder == bindparam("holder"), CLAIMS.c.result_id.is_(None))
_FREE: Final = (
    select(CLAIMS.c.holder).where(among_ids(CLAIMS.c.holder)).with_for_update(key_share=True, skip_locked=True)
)
_TOUCH: Final = update(CLAIMS).where(CLAIMS.c.holder.in_(_FREE)).values(touched_at=bindparam("now"))
_EXPIRED: Final = (
    select(CLAIMS.c.owner, CLAIMS.c.key)
    .where(CLAIMS.c.expires_at <= bindparam("now"))
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
    .cte("expired")
)
_DELETE_EXPIRED: Final = delete(CLAIMS).where(CLAIMS.c.owner == _EXPIRED.c.owner, CLAIMS.c.key == _EXPIRED.c.key)

_ANSWERS_OF_KEY: Final = and_(ANSWERS.c.owner == bindparam("of_owner"), ANSWERS.c.key == bindparam("of_key"))
_ANSWERS_THERE: Final = select(func.count()).select_from(ANSWERS).where(_ANSWERS_OF_KEY).scalar_subquery()
_FORGET: Final = delete(ANSWERS).where(_ANSWERS_OF_KEY)
_ANSWER: Final = select(ANSWERS.c.body).where(_ANSWERS_OF_KEY, ANSWERS.c.request == bindparam("of_request"))
_KEEP: Final = (
    insert(ANSWERS)
    .from_select(
        ["owner", "key", "request", "body"],
        select(
            CLAIMS.c.owner,
            CLAIMS.c.key,
            bindparam("of_request", type_=Text),
            bindparam("answer", type_=LargeBinary),
        )
        .where(_OF_KEY, _ANSWERS_THERE < MAX_ANSWERS_OF_KEY)
        .with_for_update(read=True, key_share=True),  # a claim that goes at this moment takes no answer any more
    )
    .on_conflict_do_nothing()
    .returning(ANSWERS.c.body)
)


class SqlClaimRepository:
    """The idempotency keys, in a transaction."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def take(self, claim: Claim, *, abandoned_before: datetime, now: datetime) -> Claim:
        """As the port says. Until the transaction ends nobody else takes or completes the key."""
        if await self._transaction.rows(_taking(claim, abandoned_before, now)):
            await self._transaction.run(_FORGET, _key(claim.owner, claim.key))
            return claim
        (row,) = await self._transaction.rows(_FIND, _key(claim.owner, claim.key))  # locked by trying to take it
        return claim_from_row(row)

    async def find(self, owner: UserId, key: str) -> Claim | None:
        """As the port says."""
        rows = await self._transaction.rows(_FIND, _key(owner, key))
        return claim_from_row(rows[0]) if rows else None

    async def count(self, owner: UserId, now: datetime) -> int:
        """As the port says."""
        rows = await self._transaction.rows(_COUNT, {"of_owner": owner, "now": now})
        return int(rows[0][0])

    async def complete(self, claim: Claim) -> None:
        """As the port says."""
        if not await self._transaction.run(_completing(claim)):
            message = "Another request has taken over this idempotency key. Try again."
            raise ConflictError(ErrorCode.VERSION_CONFLICT, message)

    async def touch(self, holders: Collection[UUID], now: datetime) -> None:
        """As the port says. One that is locked is being changed and left out."""
        await self._transaction.run(_TOUCH, {"now": now, **ids(holders)})

    async def release(self, claim: Claim) -> None:
        """As the port says."""
        await self._transaction.run(_RELEASE, {**_key(claim.owner, claim.key), "holder": claim.holder})

    async def delete_expired(self, now: datetime, *, limit: int) -> int:
        """As the port says."""
        return await self._transaction.run(_DELETE_EXPIRED, {"now": now, "most": limit})


class SqlAnswerStore:
    """As the port says; in no transaction, since the answer is made after the commit."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._alone = Reading(engine)

    async def keep(self, owner: UserId, key: str, request: str, answer: bytes) -> bytes:
        """As the port says.

        Raises:
            UnavailableError: if the database does not answer.
        """
        parameters = {**_key(owner, key), "of_request": request}
        if await self._alone.rows(_KEEP, {**parameters, "answer": answer}):
            return answer
        there = await self._alone.rows(_ANSWER, parameters)
        return there[0].body if there else answer


def _taking(claim: Claim, abandoned_before: datetime, now: datetime) -> ReturningInsert[tuple[UUID]]:
    """Answers with a row if the claim is stored. One that does not give way is locked all the same."""
    values = claim_values(claim)
    gives_way = or_(
        CLAIMS.c.expires_at <= now,
        and_(CLAIMS.c.result_id.is_(None), CLAIMS.c.touched_at < abandoned_before),
    )
    return (
        insert(CLAIMS)
        .values(values)
        .on_conflict_do_update(index_elements=[CLAIMS.c.owner, CLAIMS.c.key], set_=values, where=gives_way)
        .returning(CLAIMS.c.holder)
    )


def _completing(claim: Claim) -> Update:
    held = (CLAIMS.c.owner == claim.owner, CLAIMS.c.key == claim.key, CLAIMS.c.holder == claim.holder)
    return update(CLAIMS).where(*held).values(claim_values(claim))


def _key(owner: UserId, key: str) -> dict[str, object]:
    return {"of_owner": owner, "of_key": key}
