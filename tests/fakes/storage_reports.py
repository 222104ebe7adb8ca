"""The last reports of the storage in memory."""

from __future__ import annotations

from gallery.domain.errors import UnavailableError
from gallery.services.storage_report import Depth, ReportSummary


class MemoryLastReports:
    """Fails as a database that is gone does while it is `broken`."""

    def __init__(self) -> None:
        self.summaries: dict[Depth, ReportSummary] = {}
        self.broken = False

    async def keep(self, summary: ReportSummary) -> None:
        if self.broken:
            raise UnavailableError(type(self).__name__)
        last = self.summaries.get(summary.depth)
        if last is None or last.checked_at <= summary.checked_at:
            self.summaries[summary.depth] = summary

    async def all(self) -> tuple[ReportSummary, ...]:
        if self.broken:
            raise UnavailableError(type(self).__name__)
        return tuple(self.summaries[depth] for depth in Depth if depth in self.summaries)
