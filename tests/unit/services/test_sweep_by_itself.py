"""What the gallery does by itself once an hour: it tells, and repairs only if it is set to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from gallery.domain.images import ProcessingState
from gallery.domain.jobs import RenderImage
from gallery.services.background import BackgroundWork
from gallery.services.storage_comparison import LOST
from gallery.services.storage_report import FindingKind
from tests.entities import after, an_image, an_upload
from tests.fakes.gallery import MemoryGallery
from tests.unit.services.test_sweep import (
    GRACE,
    ORPHAN,
    a_sound_image,
    begins,
    rendition_path,
    stores,
)


@pytest.fixture(autouse=True)
def _two_hours_later(gallery: MemoryGallery) -> None:
    gallery.clock.advance(minutes=120)


def repairing(gallery: MemoryGallery) -> BackgroundWork:
    return BackgroundWork(gallery.renditions, gallery.sweep, grace=GRACE, repair=True)


async def test_by_itself_the_gallery_ends_uploads_and_only_tells_the_rest(
    gallery: MemoryGallery, caplog: pytest.LogCaptureFixture
) -> None:
    work = BackgroundWork(gallery.renditions, gallery.sweep, grace=GRACE)
    stuck = an_upload()
    gallery.tables.uploads[stuck.id] = stuck
    stores(gallery, ORPHAN)

    await work.sweep()

    assert gallery.tables.uploads == {}
    assert set(gallery.storage.objects) == {ORPHAN}
    assert caplog.messages == ["the sweep has found 1 OBJECT_WITHOUT_ROW, 1 STUCK_UPLOAD; `gallery doctor` tells more"]


@pytest.mark.parametrize(("others", "left"), [(100, 0), (101, 1)], ids=["its own bucket", "the bucket of another"])
async def test_by_itself_the_gallery_throws_away_no_parts_of_another(
    gallery: MemoryGallery, others: int, left: int
) -> None:
    for number in range(others):
        stores(gallery, f"images/2026/05/{number}.jpg")
    begins(gallery, ORPHAN)

    await gallery.sweep.tidy(GRACE)

    assert len(gallery.storage.multipart_uploads) == left
    assert len(gallery.storage.objects) == others


async def test_where_all_is_well_the_gallery_says_nothing(
    gallery: MemoryGallery, caplog: pytest.LogCaptureFixture
) -> None:
    a_sound_image(gallery)

    await gallery.sweep.tidy(GRACE)

    assert caplog.messages == []


async def test_set_to_repair_the_gallery_does_by_itself_what_the_doctor_would(
    gallery: MemoryGallery, caplog: pytest.LogCaptureFixture
) -> None:
    lost, blurred, stuck = a_sound_image(gallery), a_sound_image(gallery), an_upload()
    del gallery.storage.objects[lost.storage_path]
    del gallery.storage.objects[rendition_path(gallery, blurred)]
    stores(gallery, ORPHAN)
    begins(gallery, ORPHAN)
    gallery.tables.uploads[stuck.id] = stuck
    gallery.held_jobs.held = 3

    await repairing(gallery).sweep()

    assert gallery.tables.images[lost.id] == lost.failed(LOST, after(120))
    assert gallery.tables.images[blurred.id].processing is ProcessingState.PENDING
    assert RenderImage(blurred.id) in gallery.jobs
    assert set(gallery.storage.objects) == {rendition_path(gallery, lost), blurred.storage_path}
    assert gallery.storage.multipart_uploads == {}
    assert gallery.tables.uploads == {}
    assert gallery.held_jobs.requeued == 3
    (kept,) = await gallery.last_reports.all()
    assert kept.counts == {
        FindingKind.OBJECT_WITHOUT_ROW: 1,
        FindingKind.ORIGINAL_LOST: 1,
        FindingKind.RENDITION_LOST: 1,
        FindingKind.STUCK_UPLOAD: 1,
        FindingKind.MULTIPART_UPLOAD_WITHOUT_INTENT: 1,
    }
    assert len(caplog.messages) == 1
    assert caplog.messages[0].endswith(", and put right what can be; `gallery doctor` tells more")


async def test_what_is_younger_than_the_grace_period_is_not_repaired(gallery: MemoryGallery) -> None:
    a_sound_image(gallery)
    lost, moving = an_image(uploaded_at=after(61)), an_upload(touched_at=after(61))
    gallery.tables.images[lost.id] = lost
    gallery.tables.uploads[moving.id] = moving
    stores(gallery, ORPHAN, minutes=61)
    stores(gallery, moving.storage_path)
    begins(gallery, moving.storage_path)
    begins(gallery, ORPHAN, "multipart-2", minutes=61)
    before, multipart_uploads = gallery.state(), dict(gallery.storage.multipart_uploads)

    await repairing(gallery).sweep()

    assert gallery.state() == before
    assert gallery.storage.multipart_uploads == multipart_uploads


async def test_without_being_set_to_it_nothing_is_repaired(gallery: MemoryGallery) -> None:
    image = a_sound_image(gallery)
    del gallery.storage.objects[image.storage_path]
    stores(gallery, ORPHAN)
    gallery.held_jobs.held = 3
    before = gallery.state()

    await BackgroundWork(gallery.renditions, gallery.sweep, grace=GRACE).sweep()

    assert gallery.state() == before
    assert gallery.held_jobs.requeued == 0


def an_empty_bucket(gallery: MemoryGallery) -> None:
    a_sound_image(gallery)
    gallery.storage.objects.clear()


def an_empty_database(gallery: MemoryGallery) -> None:
    stores(gallery, ORPHAN)


def the_bucket_of_another(gallery: MemoryGallery) -> None:
    a_sound_image(gallery)
    gallery.storage.objects.clear()
    stores(gallery, ORPHAN)


def an_old_backup_of_the_database(gallery: MemoryGallery) -> None:
    a_sound_image(gallery)
    for number in range(3):
        stores(gallery, f"images/2026/05/{number}.jpg")


@pytest.mark.parametrize(
    "mistaken", [an_empty_bucket, an_empty_database, the_bucket_of_another, an_old_backup_of_the_database]
)
async def test_where_database_and_bucket_hardly_belong_together_nothing_is_repaired(
    gallery: MemoryGallery, caplog: pytest.LogCaptureFixture, mistaken: Callable[[MemoryGallery], None]
) -> None:
    mistaken(gallery)
    gallery.held_jobs.held = 3
    before = gallery.state()

    await repairing(gallery).sweep()

    assert gallery.state() == before
    assert gallery.held_jobs.requeued == 0
    assert caplog.messages[-1].startswith("the sweep repairs nothing: ")


async def test_two_that_repair_at_once_are_not_in_each_others_way(gallery: MemoryGallery) -> None:
    image = a_sound_image(gallery)
    del gallery.storage.objects[rendition_path(gallery, image)]
    stores(gallery, ORPHAN)

    await asyncio.gather(*(repairing(gallery).sweep() for _ in range(2)))

    assert set(gallery.storage.objects) == {image.storage_path}
    assert gallery.tables.images[image.id].processing is ProcessingState.PENDING
