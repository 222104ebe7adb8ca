"""Keeps PgQueuer's record of what it did short: it writes three rows a job and removes none."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import Final

from pgqueuer.ports.driver import Driver

from gallery.domain.errors import UnavailableError
from gallery.platform.database.errors import translated

KEPT: Final = timedelta(days=1)
_EVERY_SECONDS: Final = 3600.0
_ROWS_AT_ONCE: Final = 5000

_PRUNE = """
WITH old AS (
    SELECT log.id
    FROM pgqueuer_log AS log
    WHERE log.created < now() - $1::interval
      AND NOT EXISTS (SELECT FROM pgqueuer AS job WHERE job.id = log.job_id)
    ORDER BY log.created
    LIMIT $2
    FOR UPDATE OF log SKIP LOCKED
), pruned AS (
    DELETE FROM pgqueuer_log USING old WHERE pgqueuer_log.id = old.id RETURNING pgqueuer_log.id
)
SELECT count(*) AS rows FROM pruned
"""

log = logging.getLogger(__name__)


async def prune(driver: Driver, kept: timedelta = KEPT) -> int:
    """Removes what is older than that about jobs that are no longer in the queue; answers with how many rows."""
    total = 0
    while True:
        (row,) = await driver.fetch(_PRUNE, kept, _ROWS_AT_ONCE)
        rows = row["rows"]
        if not isinstance(rows, int) or rows == 0:
            return total
        total += rows


async def prune_forever(driver: Driver) -> None:
    """Prunes now and every hour, until cancelled."""
    while True:
        try:
            await prune(driver)
        except Exception as error:  # jobs matter more than their history
            if isinstance(translated(error), UnavailableError):
                return  # the worker sees to that
            log.warning("old entries of the job queue's log could not be removed", exc_info=error)
        await asyncio.sleep(_EVERY_SECONDS)
