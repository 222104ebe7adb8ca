"""PgQueuer's statements with the names of our tables, on a connection of asyncpg."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

import asyncpg
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.adapters.persistence.qb import (
    QueryBuilderEnvironment,
    QueryQueueBuilder,
    QuerySchedulerBuilder,
)
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.domain.models import Job as Message
from pgqueuer.domain.models import TracebackRecord
from pgqueuer.domain.settings import DBSettings, Durability
from pgqueuer.domain.types import JOB_STATUS, Channel, JobId

from gallery.domain.errors import UnavailableError
from gallery.platform.database.errors import translated


def table_names() -> DBSettings:
    """What PgQueuer's tables are called in the gallery's migrations.

    All of it is said here, since PgQueuer takes what is left out from environment variables with names as common as
    CHANNEL and FUNCTION.
    """
    return DBSettings(
        prefix="",
        db_schema=None,
        channel=Channel("ch_pgqueuer"),
        function="fn_pgqueuer_changed",
        statistics_table="pgqueuer_statistics",
        queue_status_type="pgqueuer_status",
        queue_table="pgqueuer",
        queue_table_log="pgqueuer_log",
        trigger="tg_pgqueuer_changed",
        schedules_table="pgqueuer_schedules",
        durability=Durability.durable,
        widen_id=True,
    )


NAMES: Final = table_names()


class QueueQueries(Queries):
    """PgQueuer's statements on one connection."""

    def __init__(self, driver: AsyncpgDriver) -> None:
        super().__init__(
            driver=driver,
            qbe=QueryBuilderEnvironment(NAMES),
            qbq=QueryQueueBuilder(NAMES),
            qbs=QuerySchedulerBuilder(NAMES),
        )


class WatchedDriver(AsyncpgDriver):
    """A connection that tells when it is lost: closed, silent for too long, or out of step with the server.

    Its owner sets `lost` as well when asyncpg says that the connection ended. That alone would not do: if a statement
    is sent between the last words of a server that shuts down and the end of the stream, asyncpg says nothing.
    """

    def __init__(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        super().__init__(connection)
        self.lost = asyncio.Event()

    async def fetch(self, query: str, *args: object) -> list[dict[str, object]]:
        """Runs a statement; answers with its rows."""
        with self._watched():
            return await super().fetch(query, *args)

    async def execute(self, query: str, *args: object) -> str:
        """Runs a statement; answers with what PostgreSQL says that it did."""
        with self._watched():
            return await super().execute(query, *args)

    async def notify(self, channel: str, payload: str) -> None:
        """Wakes those who listen."""
        with self._watched():
            await super().notify(channel, payload)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            if not isinstance(error, asyncpg.PostgresError) or isinstance(translated(error), UnavailableError):
                self.lost.set()
            raise


class WorkerQueries(QueueQueries):
    """What a worker tells the queue about its jobs, as long as there is a queue.

    When the database goes away PgQueuer would repeat itself ten times a second, each time with a traceback, and hold
    jobs that only failed to be queued again. There is no need to: a job about which nothing was told has an old
    heartbeat, and the next worker takes it over.
    """

    def __init__(self, driver: WatchedDriver) -> None:
        super().__init__(driver)
        self._lost = driver.lost

    async def log_jobs(self, job_status: list[tuple[Message, JOB_STATUS, TracebackRecord | None]]) -> None:
        """Tells how jobs ended."""
        with self._unless_lost():
            await super().log_jobs(job_status)

    async def retry_job(self, job: Message, delay: timedelta, traceback_record: TracebackRecord | None) -> None:
        """Puts a job back into the queue."""
        with self._unless_lost():
            await super().retry_job(job, delay, traceback_record)

    async def update_heartbeat(self, job_ids: list[JobId]) -> None:
        """Tells that jobs are being worked on."""
        with self._unless_lost():
            await super().update_heartbeat(job_ids)

    @contextmanager
    def _unless_lost(self) -> Iterator[None]:
        try:
            yield
        except Exception:
            if not self._lost.is_set():
                raise
