"""Jobs that were given up: which, why, and how they get another chance."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from gallery.platform.database.errors import translated_errors

_HELD = text("""
SELECT job.id, job.entrypoint, job.payload, job.created, job.updated,
    (SELECT log.traceback ->> 'exception_message'
     FROM pgqueuer_log AS log
     WHERE log.job_id = job.id AND log.status = 'failed'
     ORDER BY log.created DESC
     LIMIT 1) AS reason
FROM pgqueuer AS job
WHERE job.status = 'failed'
ORDER BY job.updated DESC, job.id DESC
LIMIT :limit
""")

_COUNT = text("SELECT count(*) FROM pgqueuer WHERE status = 'failed'")

_DROP_SUPERSEDED = text("""
DELETE FROM pgqueuer AS job
WHERE job.status = 'failed' AND EXISTS (
    SELECT FROM pgqueuer AS other
    WHERE other.dedupe_key = job.dedupe_key
      AND (other.status IN ('queued', 'picked') OR (other.status = 'failed' AND other.id > job.id))
)
""")
"""Sweeps that failed hour after hour: of those that wait or run, a unique index allows one."""

_REQUEUE = text("""
WITH requeued AS (
    UPDATE pgqueuer
    SET status = 'queued', execute_after = now(), updated = now(), attempts = 0, queue_manager_id = NULL
    WHERE status = 'failed'
    RETURNING id, entrypoint, priority
), logged AS (
    INSERT INTO pgqueuer_log (job_id, status, entrypoint, priority)
    SELECT id, 'queued', entrypoint, priority FROM requeued
)
SELECT count(*) FROM requeued
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldJob:
    """A job that is not tried any more. `payload` is the JSON that says what it is about."""

    id: int
    name: str
    payload: str
    queued_at: datetime
    held_at: datetime
    reason: str | None


async def held(engine: AsyncEngine, limit: int = 100) -> tuple[HeldJob, ...]:
    """The jobs that were given up, the last one first.

    Raises:
        UnavailableError: if the database does not answer.
    """
    with translated_errors():
        async with engine.connect() as connection:
            rows = (await connection.execute(_HELD, {"limit": limit})).all()
    return tuple(
        HeldJob(
            id=row.id,
            name=row.entrypoint,
            payload=(row.payload or b"").decode(errors="replace"),
            queued_at=row.created,
            held_at=row.updated,
            reason=row.reason,
        )
        for row in rows
    )


async def requeue_held(engine: AsyncEngine) -> int:
    """Gives every job that was given up as many attempts as a new one; answers with how many there are.

    Drops those that a later one of the same key stands for.

    Raises:
        UnavailableError: if the database does not answer.
    """
    with translated_errors():
        async with engine.begin() as connection:
            await connection.execute(_DROP_SUPERSEDED)
            count: int = (await connection.execute(_REQUEUE)).scalar_one()
    return count


class PgHeldJobs:
    """As the port says."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def count(self) -> int:
        """How many jobs were given up."""
        with translated_errors():
            async with self._engine.connect() as connection:
                count: int = (await connection.execute(_COUNT)).scalar_one()
        return count

    async def requeue(self) -> int:
        """As `requeue_held`."""
        return await requeue_held(self._engine)
