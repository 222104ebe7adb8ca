"""The last reports of the storage in PostgreSQL, where all processes see them."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Row, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from gallery.platform.database.statements import Reading
from gallery.platform.database.tables import STORAGE_REPORTS
from gallery.services.storage_report import Depth, FindingKind, ReportSummary

_INSERT: Final = insert(STORAGE_REPORTS)
_KEEP: Final = _INSERT.on_conflict_do_update(
    index_elements=[STORAGE_REPORTS.c.depth],
    set_={column.name: _INSERT.excluded[column.name] for column in STORAGE_REPORTS.c if not column.primary_key},
    where=STORAGE_REPORTS.c.checked_at <= _INSERT.excluded.checked_at,
).returning(STORAGE_REPORTS.c.depth)
_ALL: Final = select(STORAGE_REPORTS)
_DEPTHS: Final = tuple(Depth)


class SqlLastReports:
    """As the port says."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._alone = Reading(engine)

    async def keep(self, summary: ReportSummary) -> None:
        """As the port says."""
        values = {
            "depth": summary.depth.value,
            "checked_at": summary.checked_at,
            "duration_seconds": summary.duration_seconds,
            "objects": summary.objects,
            "objects_bytes": summary.objects_bytes,
            "counts": {kind.value: count for kind, count in summary.counts.items()},
        }
        await self._alone.rows(_KEEP, values)

    async def all(self) -> tuple[ReportSummary, ...]:
        """As the port says. What another version has found and this one does not know is left out."""
        known = [row for row in await self._alone.rows(_ALL) if row.depth in _DEPTHS]
        return tuple(map(_summary, sorted(known, key=lambda row: _DEPTHS.index(row.depth))))


def _summary(row: Row[Any]) -> ReportSummary:
    return ReportSummary(
        depth=Depth(row.depth),
        checked_at=row.checked_at,
        duration_seconds=row.duration_seconds,
        objects=row.objects,
        objects_bytes=row.objects_bytes,
        counts={kind: row.counts[kind.value] for kind in FindingKind if kind.value in row.counts},
    )
