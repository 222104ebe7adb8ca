"""What the sweep finds, what it repairs, and what it leaves alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import replace
from datetime import timedelta

import pytest

from gallery.domain.errors import UnavailableError
from gallery.domain.events import EventKind
from gallery.domain.ids import ImageId
from gallery.domain.images import Image, ProcessingState
from gallery.domain.jobs import DeleteObjects, RenderImage
from gallery.domain.upload_ports import ExpectedObject, ListedObject
from gallery.domain.uploads import UploadState
from gallery.services.abandoned_uploads import AbandonedUploads
from gallery.services.background import BackgroundWork
from gallery.services.batches import batches
from gallery.services.seen_paths import SeenPaths
from gallery.services.storage_comparison import DAMAGED, LOST, StorageComparison
from gallery.services.storage_report import Finding, FindingKind, Findings, StorageReport
from gallery.services.sweep import SweepService
from tests.entities import (
    ADA,
    NOON,
    a_claim,
    a_rendition,
    a_staged_upload,
    after,
    an_image,
    an_upload,
    checksum_of,
)
from tests.fakes.gallery import MemoryGallery
from tests.fakes.named_objects import MemoryNamedObjects
from tests.fakes.storage import MemoryMultipartUpload, MemoryObject, MemoryStorageInventory, MemoryStoragePaths

GRACE = timedelta(hours=1)
ORPHAN = "images/2026/05/orphan.jpg"


Happening = Callable[[], None]


def nothing() -> None:
    pass


def stores(gallery: MemoryGallery, path: str, content: bytes = b"bytes", *, minutes: float = 0) -> None:
    gallery.storage.objects[path] = MemoryObject(content=content, content_type="image/jpeg", modified_at=after(minutes))


def a_sound_image(gallery: MemoryGallery) -> Image:
    """An image whose original and renditions are all there as the rows say."""
    content = b"a photograph"
    image = an_image(file_size_bytes=len(content), checksum=checksum_of(content), processing=ProcessingState.READY)
    rendition = replace(a_rendition(image), file_size_bytes=5, checksum=checksum_of(b"small"))
    gallery.tables.images[image.id] = image
    gallery.tables.renditions[image.id] = (rendition,)
    stores(gallery, image.storage_path, content)
    stores(gallery, rendition.storage_path, b"small")
    return image


def rendition_path(gallery: MemoryGallery, image: Image) -> str:
    return gallery.tables.renditions[image.id][0].storage_path


def begins(gallery: MemoryGallery, path: str, multipart_id: str = "multipart-9", *, minutes: float = 0) -> None:
    gallery.storage.multipart_uploads[multipart_id] = MemoryMultipartUpload(
        storage_path=path, content_type="image/jpeg", begun_at=after(minutes)
    )


@pytest.fixture(autouse=True)
def _two_hours_later(gallery: MemoryGallery) -> None:
    gallery.clock.advance(minutes=120)


async def found(gallery: MemoryGallery, *, verify: bool = False) -> dict[FindingKind, int]:
    """The counts of a report, which changes nothing."""
    before, multipart_uploads = gallery.state(), dict(gallery.storage.multipart_uploads)
    report = await gallery.sweep.report(ADA, GRACE, verify=verify)
    assert gallery.state() == before
    assert gallery.storage.multipart_uploads == multipart_uploads
    assert not report.is_repaired
    return dict(report.counts)


async def repaired(gallery: MemoryGallery, *, verify: bool = False) -> dict[FindingKind, int]:
    report = await gallery.sweep.repair(ADA, GRACE, verify=verify)
    assert report.is_repaired
    assert report.held_back is None
    return dict(report.counts)


async def test_where_all_is_well_nothing_is_found(gallery: MemoryGallery) -> None:
    a_sound_image(gallery)

    report = await gallery.sweep.report(ADA, GRACE, verify=True)

    assert report == StorageReport(
        checked_at=after(120), objects=2, objects_bytes=17, counts={}, examples=(), held_jobs=0
    )
    before = gallery.state()
    assert await repaired(gallery, verify=True) == {}
    assert gallery.state() == before


async def test_an_object_without_a_row_is_removed(gallery: MemoryGallery) -> None:
    image = a_sound_image(gallery)
    stores(gallery, ORPHAN)

    report = await gallery.sweep.report(ADA, GRACE)
    counts = await repaired(gallery)

    assert report.counts == counts == {FindingKind.OBJECT_WITHOUT_ROW: 1}
    assert report.examples == (Finding(kind=FindingKind.OBJECT_WITHOUT_ROW, what=ORPHAN, since=NOON),)
    assert report.examples[0].kind.repair == "The object is removed."
    assert set(gallery.storage.objects) == {image.storage_path, rendition_path(gallery, image)}


async def test_a_young_object_is_left_alone(gallery: MemoryGallery) -> None:
    stores(gallery, ORPHAN, minutes=61)

    assert await found(gallery) == await repaired(gallery) == {}
    assert set(gallery.storage.objects) == {ORPHAN}


async def test_the_object_of_an_upload_that_moves_is_left_alone_however_old_it_is(gallery: MemoryGallery) -> None:
    upload = an_upload(touched_at=after(119))
    gallery.tables.uploads[upload.id] = upload
    stores(gallery, upload.storage_path)
    begins(gallery, upload.storage_path)

    assert await found(gallery) == await repaired(gallery) == {}
    assert set(gallery.storage.objects) == {upload.storage_path}
    assert set(gallery.storage.multipart_uploads) == {"multipart-9"}


async def test_renditions_that_are_not_recorded_yet_are_left_alone(gallery: MemoryGallery) -> None:
    image = an_image()
    gallery.holds(image)
    stores(gallery, image.storage_path, bytes(image.file_size_bytes))
    path = f"thumbnails/small/{image.id}.webp"
    stores(gallery, path)

    assert await found(gallery) == await repaired(gallery) == {}
    assert path in gallery.storage.objects


async def test_renditions_of_a_deleted_image_are_removed(gallery: MemoryGallery) -> None:
    image = an_image(deleted_at=NOON)
    gallery.tables.images[image.id] = image
    stores(gallery, f"thumbnails/small/{image.id}.webp")

    assert await repaired(gallery) == {FindingKind.OBJECT_WITHOUT_ROW: 1}
    assert gallery.storage.objects == {}


async def test_an_image_whose_original_is_lost_is_marked_once(gallery: MemoryGallery) -> None:
    image = a_sound_image(gallery)
    del gallery.storage.objects[image.storage_path]

    assert await found(gallery) == await repaired(gallery) == {FindingKind.ORIGINAL_LOST: 1}

    assert gallery.tables.images == {image.id: image.failed(LOST, after(120))}
    assert gallery.history == [(EventKind.IMAGE_LOST, image.id, gallery.events[0].actor, after(120), {"reason": LOST})]
    assert gallery.jobs == []
    gallery.clock.advance(minutes=120)
    assert await repaired(gallery) == {FindingKind.ORIGINAL_LOST: 1}
    assert len(gallery.events) == 1


async def test_an_image_whose_original_has_another_size_is_marked(gallery: MemoryGallery) -> None:
    image = a_sound_image(gallery)
    stores(gallery, image.storage_path, b"a photo")

    assert await found(gallery) == await repaired(gallery) == {FindingKind.ORIGINAL_DAMAGED: 1}

    assert gallery.tables.images == {image.id: image.failed(DAMAGED, after(120))}


async def test_wrong_bytes_of_the_right_size_are_found_by_reading_them(gallery: MemoryGallery) -> None:
    image = a_sound_image(gallery)
    stores(gallery, image.storage_path, b"a photogram?")

    assert await found(gallery) == await repaired(gallery) == {}
    assert await found(gallery, verify=True) == {FindingKind.ORIGINAL_DAMAGED: 1}
    assert await repaired(gallery, verify=True) == {FindingKind.ORIGINAL_DAMAGED: 1}

    assert gallery.tables.images == {image.id: image.failed(DAMAGED, after(120))}


@pytest.mark.parametrize(
    ("content", "kind"), [(None, FindingKind.RENDITION_LOST), (b"smal", FindingKind.RENDITION_DAMAGED)]
)
async def test_a_rendition_that_is_lost_or_damaged_is_made_again(
    gallery: MemoryGallery, content: bytes | None, kind: FindingKind
) -> None:
    image = a_sound_image(gallery)
    del gallery.storage.objects[rendition_path(gallery, image)]
    if content is not None:
        stores(gallery, rendition_path(gallery, image), content)

    assert await found(gallery) == await repaired(gallery) == {kind: 1}

    assert gallery.tables.images == {image.id: image.to_render(after(120))}
    assert gallery.jobs == [RenderImage(image.id)]
    assert gallery.history == [
        (EventKind.IMAGE_RENDITION_LOST, image.id, gallery.events[0].actor, after(120), {"sizes": ["small"]})
    ]
    await gallery.renditions.render(image.id)
    gallery.clock.advance(minutes=120)
    assert await found(gallery, verify=True) == {}


async def test_renditions_of_a_lost_original_are_not_asked_for(gallery: MemoryGallery) -> None:
    image = a_sound_image(gallery)
    a_sound_image(gallery)
    del gallery.storage.objects[image.storage_path]
    del gallery.storage.objects[rendition_path(gallery, image)]

    assert await repaired(gallery) == {FindingKind.ORIGINAL_LOST: 1, FindingKind.RENDITION_LOST: 1}

    assert gallery.tables.images[image.id] == image.failed(LOST, after(120))
    assert gallery.jobs == []


async def test_a_lost_rendition_of_an_image_that_is_being_rendered_is_not_asked_for_again(
    gallery: MemoryGallery,
) -> None:
    image = a_sound_image(gallery)
    pending = replace(image, processing=ProcessingState.PENDING)
    gallery.tables.images[image.id] = pending
    del gallery.storage.objects[rendition_path(gallery, image)]

    assert await repaired(gallery) == {FindingKind.RENDITION_LOST: 1}
    assert gallery.tables.images == {image.id: pending}
    assert gallery.jobs == []


async def test_a_young_image_is_not_looked_for(gallery: MemoryGallery) -> None:
    image = an_image(uploaded_at=after(61))
    gallery.tables.images[image.id] = image

    assert await found(gallery) == {}


class Interrupted(MemoryNamedObjects):
    """Asks the rows, and then something happens before the answer is used."""

    def __init__(
        self, gallery: MemoryGallery, *, after_expected: Happening = nothing, after_named: Happening = nothing
    ) -> None:
        super().__init__(gallery.database)
        self._after_expected = after_expected
        self._after_named = after_named

    async def named(self, storage_paths: Collection[str]) -> set[str]:
        answer = await super().named(storage_paths)
        self._after_named()
        return answer

    async def expected(self, *, after: ImageId | None, limit: int) -> tuple[ExpectedObject, ...]:
        answer = await super().expected(after=after, limit=limit)
        self._after_expected()
        return answer


async def compared(gallery: MemoryGallery, named_objects: MemoryNamedObjects) -> dict[FindingKind, int]:
    findings = Findings()
    comparison = StorageComparison(
        unit_of_work=gallery.unit_of_work,
        storage=gallery.storage,
        inventory=gallery.inventory,
        named_objects=named_objects,
        paths=MemoryStoragePaths(),
        clock=gallery.clock,
    )
    await comparison.compare(after(60), findings, verify=False, repair=True)
    return dict(findings.counts)


async def test_an_image_that_is_deleted_while_it_is_looked_for_is_no_finding(gallery: MemoryGallery) -> None:
    image = a_sound_image(gallery)
    gallery.storage.objects.clear()

    def delete() -> None:
        gallery.tables.images.clear()
        gallery.tables.renditions.clear()

    assert await compared(gallery, Interrupted(gallery, after_expected=delete)) == {}
    assert image.id not in gallery.tables.images
    assert gallery.events == []


@pytest.mark.parametrize("lost", ["original", "rendition"])
async def test_an_image_that_is_deleted_before_it_is_repaired_stays_so(gallery: MemoryGallery, lost: str) -> None:
    image = a_sound_image(gallery)
    path = image.storage_path if lost == "original" else rendition_path(gallery, image)
    del gallery.storage.objects[path]

    rows_are_asked = iter(["about the objects", "about the missing one"])

    def delete() -> None:
        if next(rows_are_asked) == "about the missing one":
            gallery.tables.images.clear()

    await compared(gallery, Interrupted(gallery, after_named=delete))

    assert gallery.tables.images == {}
    assert gallery.events == []
    assert gallery.jobs == []


async def test_an_object_that_gets_its_row_before_it_is_removed_stays(gallery: MemoryGallery) -> None:
    upload = an_upload()
    stores(gallery, upload.storage_path)

    def begin() -> None:
        gallery.tables.uploads[upload.id] = upload

    await compared(gallery, Interrupted(gallery, after_named=begin))

    assert set(gallery.storage.objects) == {upload.storage_path}


async def test_a_stuck_upload_is_ended_with_its_bytes(gallery: MemoryGallery) -> None:
    stuck, moving = an_upload(), an_upload(touched_at=after(61))
    gallery.tables.uploads |= {stuck.id: stuck, moving.id: moving}
    stores(gallery, stuck.storage_path)
    begins(gallery, stuck.storage_path)

    report = await gallery.sweep.report(ADA, GRACE)
    assert report.examples == (Finding(kind=FindingKind.STUCK_UPLOAD, what=stuck.storage_path, since=NOON),)
    assert await repaired(gallery) == {
        FindingKind.STUCK_UPLOAD: 1,
        FindingKind.MULTIPART_UPLOAD_WITHOUT_INTENT: 1,
        FindingKind.OBJECT_WITHOUT_ROW: 1,
    }

    assert gallery.tables.uploads == {moving.id: moving}
    assert gallery.jobs == [DeleteObjects((stuck.storage_path,))]
    assert gallery.storage.objects == {}
    assert gallery.storage.multipart_uploads == {}


async def test_an_expired_staged_upload_is_ended_with_its_parts(gallery: MemoryGallery) -> None:
    expired, living = a_staged_upload(expires_at=after(120)), a_staged_upload(multipart_id="multipart-2")
    gallery.tables.uploads |= {expired.id: expired, living.id: living}
    begins(gallery, expired.storage_path, "multipart-1")
    begins(gallery, living.storage_path, "multipart-2")

    assert await found(gallery) == {FindingKind.EXPIRED_UPLOAD: 1}
    assert await repaired(gallery) == {
        FindingKind.EXPIRED_UPLOAD: 1,
        FindingKind.MULTIPART_UPLOAD_WITHOUT_INTENT: 1,
    }

    assert gallery.tables.uploads == {living.id: living}
    assert set(gallery.storage.multipart_uploads) == {"multipart-2"}


async def test_an_image_survives_the_end_of_the_upload_that_it_was(gallery: MemoryGallery) -> None:
    image = a_sound_image(gallery)
    done = a_staged_upload(
        image_id=image.id, storage_path=image.storage_path, state=UploadState.COMPLETED, expires_at=after(120)
    )
    gallery.tables.uploads[done.id] = done

    assert await found(gallery) == await repaired(gallery) == {}

    assert gallery.tables.uploads == {}
    assert gallery.tables.images == {image.id: image}
    assert image.storage_path in gallery.storage.objects
    assert gallery.jobs == []


async def test_a_multipart_upload_without_an_intent_is_aborted_even_if_an_image_has_its_name(
    gallery: MemoryGallery,
) -> None:
    image = a_sound_image(gallery)
    begins(gallery, image.storage_path, "multipart-1")
    begins(gallery, ORPHAN, "multipart-2")
    begins(gallery, ORPHAN, "multipart-3", minutes=61)

    counts = {FindingKind.MULTIPART_UPLOAD_WITHOUT_INTENT: 2}
    assert await found(gallery) == await repaired(gallery) == counts

    assert set(gallery.storage.multipart_uploads) == {"multipart-3"}
    assert image.storage_path in gallery.storage.objects


async def test_parts_that_cannot_be_thrown_away_do_not_stop_the_sweep(
    gallery: MemoryGallery, caplog: pytest.LogCaptureFixture
) -> None:
    begins(gallery, ORPHAN)
    stores(gallery, ORPHAN)
    gallery.storage.broken = {"abort"}

    assert await repaired(gallery) == {
        FindingKind.MULTIPART_UPLOAD_WITHOUT_INTENT: 1,
        FindingKind.OBJECT_WITHOUT_ROW: 1,
    }

    assert gallery.storage.objects == {}
    reason = "The storage does not answer at the moment. Try again in a little while."
    assert caplog.messages == [f"parts without an upload could not be thrown away: {ORPHAN}: {reason}"]


async def test_expired_keys_are_forgotten(gallery: MemoryGallery) -> None:
    expired, living = a_claim("key-1", expires_at=after(120)), a_claim("key-2")
    gallery.tables.claims |= {(claim.owner, claim.key): claim for claim in (expired, living)}

    assert await repaired(gallery) == {}

    assert list(gallery.tables.claims.values()) == [living]


async def test_held_jobs_are_counted_and_queued_again(gallery: MemoryGallery) -> None:
    gallery.held_jobs.held = 3

    report = await gallery.sweep.report(ADA, GRACE)
    assert (report.held_jobs, gallery.held_jobs.requeued) == (3, 0)
    repair = await gallery.sweep.repair(ADA, GRACE)

    assert (repair.held_jobs, gallery.held_jobs.requeued) == (3, 3)


async def test_a_bucket_of_which_most_has_no_row_is_not_emptied(gallery: MemoryGallery) -> None:
    for number in range(101):
        stores(gallery, f"images/2026/05/{number}.jpg")
    stuck = an_upload()
    gallery.tables.uploads[stuck.id] = stuck
    begins(gallery, ORPHAN)

    report = await gallery.sweep.repair(ADA, GRACE)

    assert not report.is_repaired
    assert report.held_back == (
        "101 objects have no row and only 0 have one. Is this the database of this bucket, and is it up to date? "
        "Nothing was removed or marked."
    )
    assert report.counts == {
        FindingKind.OBJECT_WITHOUT_ROW: 101,
        FindingKind.STUCK_UPLOAD: 1,
        FindingKind.MULTIPART_UPLOAD_WITHOUT_INTENT: 1,
    }
    assert len(gallery.storage.objects) == 101
    assert len(gallery.storage.multipart_uploads) == 1
    assert gallery.tables.uploads == {}
    assert len([one for one in report.examples if one.kind is FindingKind.OBJECT_WITHOUT_ROW]) == 20


async def test_a_hundred_leftovers_are_believed(gallery: MemoryGallery) -> None:
    for number in range(100):
        stores(gallery, f"images/2026/05/{number}.jpg")

    assert await repaired(gallery) == {FindingKind.OBJECT_WITHOUT_ROW: 100}
    assert gallery.storage.objects == {}


async def test_images_are_not_marked_if_hardly_anything_is_in_the_bucket(gallery: MemoryGallery) -> None:
    image = a_sound_image(gallery)
    gallery.storage.objects.clear()

    report = await gallery.sweep.repair(ADA, GRACE)

    assert report.held_back == (
        "1 images have no file and only 0 objects are there. Is this the bucket of this database? "
        "Nothing was removed or marked."
    )
    assert gallery.tables.images == {image.id: image}
    assert gallery.events == []


async def test_jobs_reach_the_services(gallery: MemoryGallery) -> None:
    work = BackgroundWork(gallery.renditions, gallery.sweep, grace=GRACE)
    image, broken = an_image(), an_image()
    gallery.holds(image, broken)

    await work.render(image.id)
    await work.give_up(broken.id, "The pixels are damaged.")
    await work.delete_objects([broken.storage_path])

    assert gallery.tables.images[image.id].processing is ProcessingState.READY
    assert gallery.tables.images[broken.id].processing_error == "The pixels are damaged."
    assert broken.storage_path not in gallery.storage.objects


async def test_of_those_who_ask_at_once_one_is_served_after_the_other(gallery: MemoryGallery) -> None:
    at_once, most_at_once = 0, 0

    class Inventory(MemoryStorageInventory):
        async def objects(self) -> AsyncIterator[ListedObject]:
            nonlocal at_once, most_at_once
            at_once += 1
            most_at_once = max(most_at_once, at_once)
            await gallery.everybody_waits()
            at_once -= 1
            async for listed in super().objects():
                yield listed

    inventory, named_objects = Inventory(gallery.storage), MemoryNamedObjects(gallery.database)
    sweep = SweepService(
        comparison=StorageComparison(
            unit_of_work=gallery.unit_of_work,
            storage=gallery.storage,
            inventory=inventory,
            named_objects=named_objects,
            paths=MemoryStoragePaths(),
        ),
        abandoned=AbandonedUploads(
            unit_of_work=gallery.unit_of_work,
            staging=gallery.storage,
            inventory=inventory,
            named_objects=named_objects,
            paths=MemoryStoragePaths(),
        ),
        held_jobs=gallery.held_jobs,
        last_reports=gallery.last_reports,
    )
    stores(gallery, ORPHAN)

    reports = await asyncio.gather(*(sweep.report(ADA, GRACE) for _ in range(3)))

    assert [report.objects for report in reports] == [1, 1, 1]
    assert most_at_once == 1


async def test_a_storage_that_does_not_answer_is_told(gallery: MemoryGallery) -> None:
    gallery.storage.broken = {"objects"}

    with gallery.refuses(UnavailableError):
        await gallery.sweep.report(ADA, GRACE)


@pytest.mark.parametrize(("count", "sizes"), [(0, []), (1, [1]), (2, [2]), (3, [2, 1]), (4, [2, 2])])
async def test_batches_hold_everything_once(count: int, sizes: list[int]) -> None:
    async def numbers() -> AsyncIterator[int]:
        for number in range(count):
            yield number

    found = [batch async for batch in batches(numbers(), 2)]

    assert [len(batch) for batch in found] == sizes
    assert [number for batch in found for number in batch] == list(range(count))


def test_paths_that_were_shown_are_remembered_and_hardly_any_other() -> None:
    seen = SeenPaths(64 * 1024)
    for number in range(10_000):
        seen.add(f"images/{number}.jpg", number)

    assert all((f"images/{number}.jpg", number) in seen for number in range(10_000))
    wrong = sum((f"images/{number}.jpg", number + 1) in seen for number in range(10_000))
    assert wrong < 100


def test_every_kind_of_finding_says_what_a_repair_does() -> None:
    assert all(kind.repair.endswith(".") for kind in FindingKind)
