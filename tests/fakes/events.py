"""The audit trail in memory."""

from __future__ import annotations

from gallery.domain.events import Event
from tests.fakes.database import Transaction


class MemoryEventLog:
    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self.appended: list[Event] = []
        """The events of this transaction."""

    async def begin(self, event: Event) -> None:
        await self.append(event)

    async def append(self, *events: Event) -> None:
        self.appended.extend(events)
        self._transaction.change(lambda tables: tables.events.extend(events))
