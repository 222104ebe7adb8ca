"""Which reports of the storage are kept for those who watch over the gallery."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from gallery.domain.errors import UnavailableError
from gallery.domain.upload_ports import ListedObject
from gallery.services.abandoned_uploads import AbandonedUploads
from gallery.services.storage_comparison import StorageComparison
from gallery.services.storage_report import Depth, FindingKind, ReportSummary
from gallery.services.sweep import SweepService
from tests.entities import ADA, NOON, after
from tests.fakes.gallery import MemoryGallery
from tests.fakes.storage import MemoryObject, MemoryStorageInventory, MemoryStoragePaths

GRACE = timedelta(hours=1)
ORPHAN = "images/2026/05/orphan.jpg"


@pytest.fixture(autouse=True)
def _an_orphan_two_hours_old(gallery: MemoryGallery) -> None:
    gallery.storage.objects[ORPHAN] = MemoryObject(content=b"bytes", content_type="image/jpeg", modified_at=NOON)
    gallery.clock.advance(minutes=120)


def slow_sweep(gallery: MemoryGallery) -> SweepService:
    """A sweep that takes three minutes to list the bucket."""

    class SlowInventory(MemoryStorageInventory):
        async def objects(self) -> AsyncIterator[ListedObject]:
            gallery.clock.advance(minutes=3)
            async for listed in super().objects():
                yield listed

    inventory = SlowInventory(gallery.storage)
    return SweepService(
        comparison=StorageComparison(
            unit_of_work=gallery.unit_of_work,
            storage=gallery.storage,
            inventory=inventory,
            named_objects=gallery.named_objects,
            paths=MemoryStoragePaths(),
            clock=gallery.clock,
        ),
        abandoned=AbandonedUploads(
            unit_of_work=gallery.unit_of_work,
            staging=gallery.storage,
            inventory=inventory,
            named_objects=gallery.named_objects,
            paths=MemoryStoragePaths(),
            clock=gallery.clock,
        ),
        held_jobs=gallery.held_jobs,
        last_reports=gallery.last_reports,
        clock=gallery.clock,
    )


async def test_what_the_gallery_finds_by_itself_is_kept_with_its_time_and_duration(gallery: MemoryGallery) -> None:
    await slow_sweep(gallery).tidy(GRACE)

    (kept,) = await gallery.last_reports.all()
    assert kept == ReportSummary(
        depth=Depth.SIZES,
        checked_at=after(123),
        duration_seconds=180.0,
        objects=1,
        objects_bytes=5,
        counts={FindingKind.OBJECT_WITHOUT_ROW: 1},
    )


@pytest.mark.parametrize(("verify", "depth"), [(False, Depth.SIZES), (True, Depth.CHECKSUMS)])
async def test_a_report_that_somebody_asks_for_is_kept_by_its_depth(
    gallery: MemoryGallery, verify: bool, depth: Depth
) -> None:
    await gallery.sweep.report(ADA, GRACE, verify=verify)

    assert {one.depth: one.counts for one in await gallery.last_reports.all()} == {
        depth: {FindingKind.OBJECT_WITHOUT_ROW: 1}
    }


async def test_what_a_repair_puts_right_is_not_kept_as_wrong(gallery: MemoryGallery) -> None:
    report = await gallery.sweep.repair(ADA, GRACE)

    assert report.counts == {FindingKind.OBJECT_WITHOUT_ROW: 1}
    assert await gallery.last_reports.all() == ()


async def test_a_report_that_was_cut_short_is_not_kept(gallery: MemoryGallery) -> None:
    gallery.storage.broken = {"objects"}

    with pytest.raises(UnavailableError):
        await gallery.sweep.tidy(GRACE)
    assert await gallery.last_reports.all() == ()


async def test_a_report_is_given_even_if_it_cannot_be_kept(
    gallery: MemoryGallery, caplog: pytest.LogCaptureFixture
) -> None:
    gallery.last_reports.broken = True

    report = await gallery.sweep.report(ADA, GRACE)

    assert report.objects == 1
    assert caplog.messages == ["a report of the storage could not be kept"]
