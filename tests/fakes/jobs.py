"""A job queue in memory."""

from __future__ import annotations

from gallery.domain.jobs import Job
from tests.fakes.database import Transaction


class MemoryJobQueue:
    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def enqueue(self, *jobs: Job) -> None:
        self._transaction.change(lambda tables: tables.jobs.extend(jobs))


class MemoryHeldJobs:
    """`held` jobs were given up; asked for again they are `requeued`."""

    def __init__(self) -> None:
        self.held = 0
        self.requeued = 0

    async def count(self) -> int:
        return self.held

    async def requeue(self) -> int:
        count, self.held = self.held, 0
        self.requeued += count
        return count
