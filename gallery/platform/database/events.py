"""The audit trail in PostgreSQL: a chain of events for each entity, which `first_broken_event` checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    LargeBinary,
    Uuid,
    bindparam,
    func,
    insert,
    literal_column,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncEngine

from gallery.domain.events import Event
from gallery.domain.ids import EventId
from gallery.platform.database.event_chain import HASHED_FIELDS, chain_hash, chain_head
from gallery.platform.database.rendered import render
from gallery.platform.database.statements import Reading, Transaction, unnested, uuids
from gallery.platform.database.tables import EVENTS

_LOCK_KEY_BITS = 63

_LOCK: Final = select(func.pg_advisory_xact_lock(func.unnest(bindparam("keys", type_=ARRAY(BigInteger)))))
_ENTITIES: Final = unnested(uuids(), "entity_id")
_LAST: Final = (
    select(EVENTS.c.hash)
    .where(EVENTS.c.entity_id == _ENTITIES.c.entity_id)
    .order_by(EVENTS.c.sequence.desc())
    .limit(1)
    .lateral("last")
)
_LAST_HASHES: Final = select(_ENTITIES.c.entity_id, _LAST.c.hash).join_from(_ENTITIES, _LAST, true())
_LOCK_ONE: Final = render(select(func.pg_advisory_xact_lock(bindparam("key", type_=BigInteger))))
_BEFORE: Final = select(
    select(EVENTS.c.hash)
    .where(EVENTS.c.entity_id == bindparam("entity_id", type_=Uuid))
    .order_by(EVENTS.c.sequence.desc())
    .limit(literal_column("1"))
    .scalar_subquery()
    .label("hash")
).subquery("before")
_ADDED: Final = ("id", "entity", "entity_id", "kind", "actor", "occurred_at", "payload")
_QUOTE: Final[ColumnElement[str]] = literal_column("'\"'")
_PREVIOUS: Final = func.coalesce(
    _QUOTE.op("||")(func.encode(_BEFORE.c.hash, literal_column("'hex'"))).op("||")(_QUOTE), literal_column("'null'")
)
_APPEND: Final = render(
    insert(EVENTS).from_select(
        [*_ADDED, "previous_hash", "hash"],
        select(
            *(bindparam(name, type_=EVENTS.c[name].type) for name in _ADDED),
            _BEFORE.c.hash,
            func.sha256(
                bindparam("head", type_=LargeBinary).op("||")(
                    func.convert_to(_PREVIOUS.op("||")(literal_column("'}'")), literal_column("'UTF8'"))
                )
            ),
        ),
    )
)
_CHAIN: Final = (
    select(*(EVENTS.c[name] for name in HASHED_FIELDS), EVENTS.c.previous_hash, EVENTS.c.hash)
    .where(EVENTS.c.entity_id == bindparam("entity_id"))
    .order_by(EVENTS.c.sequence)
)


class SqlEventLog:
    """The audit trail of a transaction; `appended` is what the transaction has recorded."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self.appended: list[Event] = []

    async def append(self, *events: Event) -> None:
        """As the port says. Until the transaction ends nobody else records events of the same entities."""
        if len(events) == 1:
            (event,) = events
            await lock_chain(self._transaction, event.entity_id)
            await self._append_one(event)
        elif events:
            await self._append(events, await self._last_hashes({event.entity_id for event in events}))

    async def begin(self, event: Event) -> None:
        """As the port says. There is no chain to lock: what nobody can see, nobody records events of."""
        await self._append_one(event)

    async def _append_one(self, event: Event) -> None:
        """Adds an event to its chain, whose end PostgreSQL looks up; `chain_hash` is what it computes."""
        values = _values(event)
        payload = orjson.dumps(values["payload"]).decode()
        await self._transaction.fetch(_APPEND, {**values, "payload": payload, "head": chain_head(values)})
        self.appended.append(event)

    async def _append(self, events: Sequence[Event], last: dict[UUID, bytes]) -> None:
        """Adds events to the chains that end with the hashes in `last`."""
        rows = []
        for event in events:
            values = _values(event)
            previous_hash = last.get(event.entity_id)
            hash_ = last[event.entity_id] = chain_hash(values, previous_hash)
            rows.append({**values, "previous_hash": previous_hash, "hash": hash_})
        await self._transaction.run(insert(EVENTS), rows)
        self.appended.extend(events)

    async def _last_hashes(self, entity_ids: set[UUID]) -> dict[UUID, bytes]:
        """The end of each chain, read after its lock is held: a statement sees only what was there when it began."""
        keys = sorted(map(lock_key, entity_ids))
        await self._transaction.rows(_LOCK, {"keys": keys})
        rows = await self._transaction.rows(_LAST_HASHES, {"ids": list(entity_ids)})
        return {row.entity_id: row.hash for row in rows}


def lock_key(entity_id: UUID) -> int:
    """What the lock of an entity's chain is called."""
    return entity_id.int & ((1 << _LOCK_KEY_BITS) - 1)


async def lock_chain(transaction: Transaction, entity_id: UUID) -> None:
    """Takes the lock of a chain, unless the transaction has it."""
    key = lock_key(entity_id)
    if key not in transaction.locks:
        await transaction.fetch(_LOCK_ONE, {"key": key})
        transaction.locks.add(key)


async def first_broken_event(engine: AsyncEngine, entity_id: UUID) -> EventId | None:
    """The first event of an entity that is not as it was recorded, or that does not follow the one before it.

    None if the chain is whole. What a chain shows and what not is said in `event_chain.py`.
    """
    previous_hash: bytes | None = None
    for row in await Reading(engine).rows(_CHAIN, {"entity_id": entity_id}):
        values = {name: getattr(row, name) for name in HASHED_FIELDS}
        if row.previous_hash != previous_hash or row.hash != chain_hash(values, previous_hash):
            return EventId(row.id)
        previous_hash = row.hash
    return None


def _values(event: Event) -> Mapping[str, Any]:
    return {
        "id": event.id,
        "entity": event.kind.entity.value,
        "entity_id": event.entity_id,
        "kind": event.kind.value,
        "actor": event.actor,
        "occurred_at": event.occurred_at,
        "payload": dict(event.payload),
    }
