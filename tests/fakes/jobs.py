"""A job queue in memory."""

from __future__ import annotations

from gallery.domain.jobs import Job
from tests.fakes.database import Transaction


class MemoryJobQueue:
    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def enqueue(self, *jobs: Job) -> None:
        self._transaction.change(lambda tables: tables.jobs.extend(jobs))
