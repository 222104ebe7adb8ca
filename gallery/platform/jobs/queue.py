"""Puts jobs into the queue."""

from __future__ import annotations

from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from sqlalchemy.ext.asyncio import AsyncConnection

from gallery.domain.jobs import Job
from gallery.platform.database.engine import driver_connection
from gallery.platform.database.errors import translated_errors
from gallery.platform.jobs.messages import encode
from gallery.platform.jobs.queries import QueueQueries


class PgJobQueue:
    """The queue as a transaction sees it: what it adds is there when it commits, and never if it does not."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def enqueue(self, *jobs: Job) -> None:
        """Asks for work, in one statement; workers are woken by the commit.

        Raises:
            UnavailableError: if the database does not answer.
        """
        if not jobs:
            return
        names, payloads = zip(*(encode(job) for job in jobs), strict=True)
        with translated_errors():
            if not self._connection.in_transaction():
                await self._connection.begin()  # jobs must not outlive a rollback
            connection = await driver_connection(self._connection)
            await QueueQueries(AsyncpgDriver(connection)).enqueue(list(names), list(payloads), [0] * len(jobs))
