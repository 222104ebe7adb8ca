"""The storage report as the schema shows it."""

from __future__ import annotations

from gallery.services import storage_report
from gallery.services.storage_report import Finding, FindingKind
from gallery.web.graphql.storage_report import StorageReport
from tests.entities import NOON

LOST = Finding(kind=FindingKind.ORIGINAL_LOST, what="images/2024/05/1.jpg", since=NOON)
STRAY = Finding(kind=FindingKind.OBJECT_WITHOUT_ROW, what="images/2024/05/2.jpg", since=NOON)


def test_what_is_wrong_is_counted_by_kind_and_shown_by_examples() -> None:
    shown = StorageReport.of(
        storage_report.StorageReport(
            checked_at=NOON,
            objects=70,
            objects_bytes=2**40,
            counts={FindingKind.ORIGINAL_LOST: 1, FindingKind.OBJECT_WITHOUT_ROW: 3, FindingKind.STUCK_UPLOAD: 0},
            examples=(LOST, STRAY),
            held_jobs=2,
        )
    )

    assert (shown.checked_at, shown.object_count, shown.total_size, shown.held_job_count) == (NOON, 70, 2**40, 2)
    assert [(finding.kind, finding.count) for finding in shown.findings] == [
        (FindingKind.OBJECT_WITHOUT_ROW, 3),
        (FindingKind.ORIGINAL_LOST, 1),
    ]
    assert [(example.kind, example.what, example.since) for example in shown.examples] == [
        (FindingKind.ORIGINAL_LOST, "images/2024/05/1.jpg", NOON),
        (FindingKind.OBJECT_WITHOUT_ROW, "images/2024/05/2.jpg", NOON),
    ]
