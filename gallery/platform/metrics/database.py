"""What only the database knows: jobs, and the last reports of the storage, whichever process made them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from gallery.platform.jobs.counts import JobState
from gallery.services.storage_report import ReportSummary

TIMEOUT_SECONDS: Final = 2.0
"""How long the page waits for the database. Prometheus waits for the page for ten by default."""
LIFETIME_SECONDS: Final = 1.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseFigures:
    """Jobs by name and state, and reports."""

    jobs: Mapping[tuple[str, JobState], int]
    reports: tuple[ReportSummary, ...]


class ReadFigures(Protocol):
    """Reads them from the database."""

    async def __call__(self) -> DatabaseFigures:
        """Raises whatever is wrong with the database."""
        ...


class DatabaseState:
    """The figures, asked for in bounded time and at most once a second, however many ask."""

    def __init__(
        self,
        read: ReadFigures,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._timeout_seconds = timeout_seconds
        self._clock = clock
        self._figures: DatabaseFigures | None = None
        self._expires_at = -1.0
        self._reading = asyncio.Lock()
        self._failing = False

    async def figures(self) -> DatabaseFigures | None:
        """The figures; None if the database does not answer in time."""
        async with self._reading:
            if self._clock() >= self._expires_at:
                self._figures = await self._read_in_time()
                self._expires_at = self._clock() + LIFETIME_SECONDS
            return self._figures

    async def _read_in_time(self) -> DatabaseFigures | None:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                figures = await self._read()
        except Exception:
            if not self._failing:
                log.warning("the metrics lack what the database knows", exc_info=True)
            self._failing = True
            return None
        self._failing = False
        return figures
