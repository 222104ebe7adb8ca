"""How many jobs wait, run and are held."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from enum import StrEnum, unique
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from gallery.platform.database.engine import single_statements
from gallery.platform.database.errors import translated_errors
from gallery.platform.jobs.messages import JOB_NAMES

OTHER: Final = "other"
"""Stands for jobs that only another version of the gallery knows."""

_COUNTS = text("SELECT entrypoint, status::text AS status, count(*) AS jobs FROM pgqueuer GROUP BY entrypoint, status")


@unique
class JobState(StrEnum):
    """What is to be said of a job in the queue."""

    QUEUED = "queued"
    RUNNING = "running"
    HELD = "held"


_STATES: Final = {"queued": JobState.QUEUED, "picked": JobState.RUNNING, "failed": JobState.HELD}
"""By PgQueuer's names."""


async def job_counts(engine: AsyncEngine) -> Mapping[tuple[str, JobState], int]:
    """How many jobs of each name there are in each state, zeros included.

    Raises:
        UnavailableError: if the database does not answer.
    """
    with translated_errors():
        async with single_statements(engine).connect() as connection:
            rows = (await connection.execute(_COUNTS)).all()
    counts = Counter({(name, state): 0 for name in JOB_NAMES for state in JobState})
    for row in rows:
        if row.status in _STATES:
            counts[row.entrypoint if row.entrypoint in JOB_NAMES else OTHER, _STATES[row.status]] += row.jobs
    return counts
