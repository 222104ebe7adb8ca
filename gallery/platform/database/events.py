"""The audit trail in PostgreSQL: a chain of events for each entity, which `first_broken_event` checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, bindparam, func, insert, select, true
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncEngine

from gallery.domain.events import Event
from gallery.domain.ids import EventId
from gallery.platform.database.event_chain import HASHED_FIELDS, chain_hash
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
        if events:
            await self._append(events, await self._last_hashes({event.entity_id for event in events}))

    async def begin(self, event: Event) -> None:
        """As the port says. There is no chain to lock: what nobody can see, nobody records events of."""
        await self._append([event], {})

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
        keys = sorted({entity_id.int & ((1 << _LOCK_KEY_BITS) - 1) for entity_id in entity_ids})
        await self._transaction.rows(_LOCK, {"keys": keys})
        rows = await self._transaction.rows(_LAST_HASHES, {"ids": list(entity_ids)})
        return {row.entity_id: row.hash for row in rows}


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
