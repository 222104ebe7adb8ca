"""Has the sweep run once an hour, however many workers there are."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import Final

from pgqueuer.ports.driver import Driver

from gallery.domain.errors import UnavailableError
from gallery.domain.jobs import Sweep
from gallery.platform.database.errors import translated
from gallery.platform.jobs.messages import SWEEP, encode
from gallery.platform.jobs.queries import QueueQueries, WatchedDriver

EVERY: Final = timedelta(hours=1)
_FIRST_LOOK_SECONDS: Final = 60.0
_LOOK_EVERY_SECONDS: Final = 600.0

_IS_DUE = """
SELECT NOT EXISTS (SELECT FROM pgqueuer WHERE entrypoint = $1 AND status IN ('queued', 'picked'))
   AND NOT EXISTS (SELECT FROM pgqueuer_log WHERE entrypoint = $1 AND created > now() - $2::interval) AS due
"""

log = logging.getLogger(__name__)


async def ask_for_sweep(driver: WatchedDriver) -> bool:
    """Asks for a sweep unless one waits, runs, or ran within the hour; tells whether it did."""
    if not await _is_due(driver):
        return False
    name, payload = encode(Sweep())
    queued = await QueueQueries(driver).enqueue([name], [payload], [0], dedupe_key=[SWEEP], on_conflict="skip")
    return queued != [None]  # unless another worker was faster


async def ask_forever(driver: WatchedDriver) -> None:
    """Looks every few minutes whether a sweep is due, until cancelled; not at once, since starts are busy enough."""
    await asyncio.sleep(_FIRST_LOOK_SECONDS)
    while True:
        try:
            await ask_for_sweep(driver)
        except Exception as error:
            if isinstance(translated(error), UnavailableError):
                return  # the worker sees to that
            log.warning("the sweep could not be asked for", exc_info=error)
        await asyncio.sleep(_LOOK_EVERY_SECONDS)


async def _is_due(driver: Driver) -> bool:
    (row,) = await driver.fetch(_IS_DUE, SWEEP, EVERY)
    return row["due"] is True
