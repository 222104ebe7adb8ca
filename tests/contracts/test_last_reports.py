"""What every place that keeps the last reports of the storage must do."""

from __future__ import annotations

from dataclasses import replace

from gallery.services.storage_report import Depth, FindingKind, ReportSummary
from tests.contracts.under_test import Database
from tests.entities import after

SIZES = ReportSummary(
    depth=Depth.SIZES,
    checked_at=after(5),
    duration_seconds=1.25,
    objects=7,
    objects_bytes=2**40,
    counts={FindingKind.OBJECT_WITHOUT_ROW: 2, FindingKind.STUCK_UPLOAD: 1},
)
CHECKSUMS = replace(SIZES, depth=Depth.CHECKSUMS, checked_at=after(1), counts={FindingKind.ORIGINAL_DAMAGED: 3})


async def test_there_is_no_report_at_first(database: Database) -> None:
    assert await database.last_reports.all() == ()


async def test_the_last_report_of_each_depth_is_kept(database: Database) -> None:
    later = replace(SIZES, checked_at=after(65), counts={})
    for summary in (CHECKSUMS, SIZES, later):
        await database.last_reports.keep(summary)

    assert await database.last_reports.all() == (later, CHECKSUMS)


async def test_an_older_report_takes_no_place(database: Database) -> None:
    await database.last_reports.keep(SIZES)
    await database.last_reports.keep(replace(SIZES, checked_at=after(4), objects=1, counts={}))

    assert await database.last_reports.all() == (SIZES,)
