"""How the parts that clients have sent become images."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from gallery.domain.errors import (
    IncompleteUploadError,
    NotFoundError,
    UnavailableError,
)
from gallery.domain.events import EventKind
from gallery.domain.jobs import DeleteObjects, RenderImage
from gallery.domain.uploads import Draft, OnDuplicate, UploadState
from gallery.services.recording import UploadOutcome, UploadResult
from gallery.services.uploads import NewImage
from tests.entities import BOB, checksum_of
from tests.fakes.database import CommitFault
from tests.fakes.gallery import MemoryGallery
from tests.fakes.incoming import MemoryIncomingFile
from tests.staged_files import CONTENT, PARTS, announced, complete, created, files_are_opened, sent

DATABASE_GONE = UnavailableError("database")


async def test_parts_become_an_image(gallery: MemoryGallery) -> None:
    upload = await sent(gallery, Draft(tag_names=("Sea",)))
    now = gallery.clock.advance(minutes=5)

    result = await complete(gallery, upload)

    image = result.image
    assert result.outcome is UploadOutcome.CREATED
    assert (image.id, image.owner, image.storage_path) == (upload.image_id, BOB.id, upload.storage_path)
    assert (image.checksum, image.file_size_bytes, image.title) == (checksum_of(CONTENT), 90, "harbour")
    assert gallery.storage.objects[image.storage_path].content == CONTENT
    assert gallery.storage.multipart_uploads == {}
    assert gallery.verifier.verified == [CONTENT]
    assert gallery.inspector.asked == [(CONTENT, False)]
    assert gallery.jobs == [RenderImage(image.id)]
    assert EventKind.IMAGE_UPLOADED in [kind for kind, *_ in gallery.history]
    assert gallery.tables.uploads == {upload.id: replace(upload, state=UploadState.COMPLETED, touched_at=now)}


async def test_completing_again_gives_the_same_answer_and_changes_nothing(gallery: MemoryGallery) -> None:
    upload = await sent(gallery)
    first = await complete(gallery, upload)
    before = gallery.state()

    assert await complete(gallery, upload) == first

    assert gallery.state() == before
    assert await gallery.staged_uploads.find(BOB, upload.id) == (gallery.tables.uploads[upload.id], ())


async def test_several_who_complete_at_once_in_several_processes_get_the_same_answer(gallery: MemoryGallery) -> None:
    upload = await sent(gallery)

    elsewhere = (gallery.new_staged_uploads().complete(BOB, upload.id) for _ in range(4))
    results = await asyncio.gather(complete(gallery, upload), *elsewhere)

    assert results == [results[0]] * 5
    assert gallery.tables.images == {results[0].image.id: results[0].image}
    assert gallery.jobs == [RenderImage(results[0].image.id)]


async def test_completing_goes_on_where_a_crash_has_cut_it_off(gallery: MemoryGallery) -> None:
    upload = await sent(gallery)
    gallery.database.commit_faults.extend([CommitFault(error=DATABASE_GONE)] * 3)
    with pytest.raises(UnavailableError):
        await complete(gallery, upload)
    assert set(gallery.storage.objects) == {upload.storage_path}

    result = await complete(gallery, upload)

    assert result.image.id == upload.image_id
    assert gallery.tables.images == {result.image.id: result.image}


async def test_an_upload_that_is_being_completed_does_not_expire_meanwhile(gallery: MemoryGallery) -> None:
    upload = await sent(gallery)
    gallery.clock.advance(minutes=24 * 60 - 1)

    async def time_passes() -> None:
        gallery.clock.advance(minutes=30)
        await gallery.sweep.tidy(timedelta(0))

    gallery.verifier.meanwhile = time_passes

    assert (await complete(gallery, upload)).image.id == upload.image_id


async def test_an_upload_whose_parts_were_put_together_before_does_not_expire_meanwhile_either(
    gallery: MemoryGallery,
) -> None:
    upload = await sent(gallery)
    await gallery.storage.finish(
        upload.storage_path, "multipart-1", await gallery.storage.parts(upload.storage_path, "multipart-1")
    )
    gallery.clock.advance(minutes=24 * 60 - 1)

    async def time_passes() -> None:
        gallery.clock.advance(minutes=30)
        await gallery.sweep.tidy(timedelta(0))

    gallery.verifier.meanwhile = time_passes

    assert (await complete(gallery, upload)).image.id == upload.image_id


async def test_an_upload_that_misses_parts_does_not_live_longer_by_being_completed(gallery: MemoryGallery) -> None:
    upload = await created(gallery)
    gallery.storage.client_puts("multipart-1", 1, PARTS[0])
    gallery.clock.advance(minutes=24 * 60 - 1)

    with gallery.refuses(IncompleteUploadError):
        await complete(gallery, upload)

    gallery.clock.advance(minutes=1)
    with gallery.refuses(NotFoundError):
        await complete(gallery, upload)


async def test_an_upload_with_time_enough_is_not_prolonged(gallery: MemoryGallery) -> None:
    upload = await sent(gallery)
    gallery.clock.advance(minutes=23 * 60)
    gallery.storage.broken = {"finish"}

    with gallery.refuses(UnavailableError):
        await complete(gallery, upload)


async def test_an_upload_that_goes_away_before_it_is_prolonged_is_put_together_no_more(gallery: MemoryGallery) -> None:
    upload = await sent(gallery)
    gallery.clock.advance(minutes=24 * 60 - 1)
    gallery.storage.on_parts = gallery.tables.uploads.clear

    with pytest.raises(NotFoundError):
        await complete(gallery, upload)

    assert gallery.storage.objects == {}


async def test_missing_parts_are_named(gallery: MemoryGallery) -> None:
    upload = await created(gallery)
    gallery.storage.client_puts("multipart-1", 1, PARTS[0])
    gallery.storage.client_puts("multipart-1", 3, PARTS[2] + b"!")
    gallery.storage.client_puts("multipart-1", 4, b"one too many")

    with pytest.raises(IncompleteUploadError) as refusal:
        await complete(gallery, upload)

    assert refusal.value.missing == (2, 3)
    assert gallery.storage.objects == {}
    gallery.storage.client_puts("multipart-1", 2, PARTS[1])
    gallery.storage.client_puts("multipart-1", 3, PARTS[2])
    assert (await complete(gallery, upload)).image.checksum == checksum_of(CONTENT)


async def test_a_file_without_an_announced_checksum_is_taken_as_it_came(gallery: MemoryGallery) -> None:
    upload = await gallery.staged_uploads.create(BOB, announced(CONTENT[:40], checksum=None), Draft())
    gallery.storage.client_puts("multipart-1", 1, PARTS[0])

    assert (await complete(gallery, upload)).image.checksum == checksum_of(PARTS[0])


async def test_bytes_that_are_there_already_give_the_image_that_is_there(gallery: MemoryGallery) -> None:
    first = await gallery.uploads.upload(BOB, NewImage(file=MemoryIncomingFile([CONTENT])))
    upload = await sent(gallery)

    second = await complete(gallery, upload)
    again = await complete(gallery, upload)

    assert second == again == UploadResult(image=first.image, outcome=UploadOutcome.EXISTING)
    assert gallery.jobs == [RenderImage(first.image.id), DeleteObjects((upload.storage_path,))]


@pytest.mark.parametrize("kept", [False, True])
async def test_a_commit_that_is_not_answered_is_made_again_unless_it_has_succeeded(
    gallery: MemoryGallery, *, kept: bool
) -> None:
    upload = await sent(gallery)
    gallery.database.commit_faults.append(CommitFault(error=DATABASE_GONE, kept=kept))

    result = await complete(gallery, upload)

    assert (result.image.id, result.outcome) == (upload.image_id, UploadOutcome.CREATED)
    assert gallery.tables.images == {result.image.id: result.image}
    assert gallery.jobs == [RenderImage(result.image.id)]


async def test_bytes_that_are_there_already_are_removed_once_though_the_commit_was_not_answered(
    gallery: MemoryGallery,
) -> None:
    first = await gallery.uploads.upload(BOB, NewImage(file=MemoryIncomingFile([CONTENT])))
    upload = await sent(gallery)
    gallery.database.commit_faults.extend([CommitFault(error=DATABASE_GONE, kept=True)])

    assert await complete(gallery, upload) == UploadResult(image=first.image, outcome=UploadOutcome.EXISTING)
    assert gallery.jobs == [RenderImage(first.image.id), DeleteObjects((upload.storage_path,))]


async def test_a_storage_that_does_not_answer_leaves_the_upload_as_it_is(gallery: MemoryGallery) -> None:
    upload = await sent(gallery)
    gallery.storage.broken = {"finish"}

    with gallery.refuses(UnavailableError):
        await complete(gallery, upload)

    gallery.storage.broken = set()
    assert (await complete(gallery, upload)).outcome is UploadOutcome.CREATED


async def test_an_image_that_was_deleted_since_is_not_the_answer_any_more(gallery: MemoryGallery) -> None:
    upload = await sent(gallery)
    result = await complete(gallery, upload)
    await gallery.images.delete(BOB, result.image.id)

    with gallery.refuses(NotFoundError):
        await complete(gallery, upload)


# Several at once


async def test_several_who_complete_at_once_share_one_check(gallery: MemoryGallery) -> None:
    upload = await sent(gallery)
    opened = files_are_opened(gallery)

    results = await asyncio.gather(*(complete(gallery, upload) for _ in range(5)))

    assert results == [results[0]] * 5
    assert opened == [upload.storage_path]
    assert gallery.verifier.verified == [CONTENT]


async def test_no_more_files_are_opened_than_can_be_checked(gallery: MemoryGallery) -> None:
    uploads = [await sent(gallery, Draft(on_duplicate=OnDuplicate.CREATE)) for _ in range(4)]
    opened = files_are_opened(gallery)
    go_on = asyncio.Event()
    gallery.verifier.meanwhile = go_on.wait
    completing = [asyncio.create_task(complete(gallery, upload)) for upload in uploads]
    await gallery.everybody_waits()

    assert opened == [upload.storage_path for upload in uploads[:2]]

    go_on.set()
    await asyncio.gather(*completing)
    assert opened == [upload.storage_path for upload in uploads]
