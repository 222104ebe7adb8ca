"""How the parts that clients have sent become images."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from gallery.domain.errors import (
    CorruptImageError,
    DuplicateImageError,
    FileMismatchError,
    IncompleteUploadError,
    NotAnImageError,
    NotFoundError,
    RefusedFileError,
    TruncatedImageError,
    UnavailableError,
)
from gallery.domain.events import EventKind
from gallery.domain.images import ContentType, ImageInfo
from gallery.domain.jobs import DeleteObjects, RenderImage
from gallery.domain.uploads import Draft, OnDuplicate, Upload, UploadState
from gallery.services.recording import UploadOutcome, UploadResult
from gallery.services.uploads import NewImage
from tests.entities import BOB, checksum_of
from tests.fakes.database import CommitFault
from tests.fakes.gallery import MemoryGallery
from tests.fakes.imaging import TRUNCATED
from tests.fakes.incoming import MemoryIncomingFile
from tests.staged_files import CONTENT, PARTS, announced, complete, created, sent

DATABASE_GONE = UnavailableError("database")


def is_removed(gallery: MemoryGallery, upload: Upload) -> None:
    assert gallery.tables.images == {}
    assert gallery.tables.uploads == {}
    assert gallery.jobs == [DeleteObjects((upload.storage_path,))]


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
    gallery.database.commit_faults.extend([CommitFault(error=DATABASE_GONE)])
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


async def test_parts_that_go_away_while_they_are_put_together_are_missed(gallery: MemoryGallery) -> None:
    upload = await sent(gallery)
    gallery.storage.on_parts = gallery.storage.multipart_uploads.clear

    with pytest.raises(NotFoundError):
        await complete(gallery, upload)

    is_removed(gallery, upload)


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


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (CONTENT[::-1], f"The SHA-256 of the file is {checksum_of(CONTENT[::-1])}, not {checksum_of(CONTENT)} as "),
        (CONTENT[:-1], "The size of the file is 89 bytes, not 90 bytes as announced."),
    ],
)
async def test_a_file_that_is_not_the_announced_one_is_refused_and_removed(
    gallery: MemoryGallery, content: bytes, message: str
) -> None:
    upload = await sent(gallery)
    await gallery.storage.finish(
        upload.storage_path, "multipart-1", await gallery.storage.parts(upload.storage_path, "multipart-1")
    )
    stored = gallery.storage.objects[upload.storage_path]
    gallery.storage.objects[upload.storage_path] = replace(stored, content=content)

    with pytest.raises(FileMismatchError) as refusal:
        await complete(gallery, upload)

    assert refusal.value.message.startswith(message)
    is_removed(gallery, upload)


async def test_a_small_file_that_was_damaged_on_its_way_is_told_to_be_another(gallery: MemoryGallery) -> None:
    upload = await sent(gallery, content=b"12345")
    [multipart] = gallery.storage.multipart_uploads
    gallery.storage.client_puts(multipart, 1, b"12045")
    gallery.inspector.answer = NotAnImageError()

    with pytest.raises(FileMismatchError) as refusal:
        await complete(gallery, upload)

    assert refusal.value.message.startswith("The SHA-256 of the file is ")
    is_removed(gallery, upload)


async def test_a_file_of_another_type_is_refused(gallery: MemoryGallery) -> None:
    upload = await sent(gallery)
    gallery.inspector.answer = ImageInfo(content_type=ContentType.PNG, width_px=4, height_px=3)

    with pytest.raises(FileMismatchError) as refusal:
        await complete(gallery, upload)

    assert refusal.value.message == "The type of the file is image/png, not image/jpeg as announced."
    is_removed(gallery, upload)


async def test_a_file_that_is_no_image_is_refused(gallery: MemoryGallery) -> None:
    upload = await sent(gallery)
    gallery.inspector.answer = NotAnImageError()

    with pytest.raises(NotAnImageError):
        await complete(gallery, upload)

    is_removed(gallery, upload)


@pytest.mark.parametrize("error", [CorruptImageError("The pixels are damaged."), TruncatedImageError()])
async def test_a_file_that_cannot_be_decoded_is_refused(gallery: MemoryGallery, error: RefusedFileError) -> None:
    upload = await sent(gallery)
    gallery.verifier.refusal = error

    with pytest.raises(type(error)) as refusal:
        await complete(gallery, upload)

    assert refusal.value is error
    is_removed(gallery, upload)


async def test_a_cut_off_file_is_refused(gallery: MemoryGallery) -> None:
    upload = await sent(gallery, content=CONTENT[:20] + TRUNCATED)

    with pytest.raises(TruncatedImageError):
        await complete(gallery, upload)

    is_removed(gallery, upload)


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


async def test_bytes_that_are_there_already_are_removed_even_if_nobody_hears_of_the_commit(
    gallery: MemoryGallery,
) -> None:
    first = await gallery.uploads.upload(BOB, NewImage(file=MemoryIncomingFile([CONTENT])))
    upload = await sent(gallery)
    gallery.database.commit_faults.extend([CommitFault(error=DATABASE_GONE, kept=True)])

    with pytest.raises(UnavailableError):
        await complete(gallery, upload)

    assert gallery.jobs == [RenderImage(first.image.id), DeleteObjects((upload.storage_path,))]
    assert await complete(gallery, upload) == UploadResult(image=first.image, outcome=UploadOutcome.EXISTING)


async def test_bytes_that_are_there_already_are_refused_if_that_was_asked_for(gallery: MemoryGallery) -> None:
    first = await gallery.uploads.upload(BOB, NewImage(file=MemoryIncomingFile([CONTENT])))
    upload = await sent(gallery, Draft(on_duplicate=OnDuplicate.REJECT))

    with pytest.raises(DuplicateImageError) as refusal:
        await complete(gallery, upload)

    assert refusal.value.image_id == first.image.id
    assert gallery.tables.uploads == {}
    assert gallery.jobs == [RenderImage(first.image.id), DeleteObjects((upload.storage_path,))]


async def test_a_storage_that_does_not_answer_leaves_the_upload_as_it_is(gallery: MemoryGallery) -> None:
    upload = await sent(gallery)
    gallery.storage.broken = {"finish"}

    with gallery.refuses(UnavailableError):
        await complete(gallery, upload)

    gallery.storage.broken = set()
    assert (await complete(gallery, upload)).outcome is UploadOutcome.CREATED


async def test_an_upload_whose_parts_are_gone_is_removed(gallery: MemoryGallery) -> None:
    upload = await sent(gallery)
    gallery.storage.multipart_uploads.clear()

    with pytest.raises(NotFoundError) as refusal:
        await complete(gallery, upload)

    assert refusal.value.message == "What had arrived of the file is gone from the storage. Begin a new upload."
    is_removed(gallery, upload)


async def test_a_refusal_gives_way_to_the_result_of_somebody_who_was_faster(gallery: MemoryGallery) -> None:
    upload = await sent(gallery)

    async def somebody_is_faster() -> None:
        gallery.verifier.meanwhile = gallery.verifier.refusal = None
        await gallery.new_staged_uploads().complete(BOB, upload.id)
        gallery.verifier.refusal = CorruptImageError("The object went away while it was read.")

    gallery.verifier.meanwhile = somebody_is_faster

    result = await complete(gallery, upload)

    assert gallery.tables.images == {upload.image_id: result.image}


async def test_an_upload_that_is_aborted_while_it_is_completed_becomes_no_image(gallery: MemoryGallery) -> None:
    upload = await sent(gallery)

    async def abort() -> None:
        await gallery.staged_uploads.abort(BOB, upload.id)

    gallery.verifier.meanwhile = abort

    with pytest.raises(NotFoundError):
        await complete(gallery, upload)

    assert (gallery.tables.images, gallery.tables.uploads) == ({}, {})
    assert set(gallery.jobs) == {DeleteObjects((upload.storage_path,))}


async def test_what_was_made_of_parts_of_an_upload_that_was_aborted_meanwhile_is_removed(
    gallery: MemoryGallery,
) -> None:
    upload = await sent(gallery)
    gallery.storage.on_parts = gallery.tables.uploads.clear

    with pytest.raises(NotFoundError):
        await complete(gallery, upload)

    assert set(gallery.storage.objects) == {upload.storage_path}
    is_removed(gallery, upload)


async def test_the_file_of_an_image_is_not_removed_although_its_upload_has_gone(gallery: MemoryGallery) -> None:
    upload = await sent(gallery)

    async def somebody_is_faster() -> None:
        gallery.verifier.meanwhile = gallery.verifier.refusal = None
        await gallery.new_staged_uploads().complete(BOB, upload.id)
        gallery.tables.uploads.clear()
        gallery.verifier.refusal = CorruptImageError("The object went away while it was read.")

    gallery.verifier.meanwhile = somebody_is_faster

    with pytest.raises(CorruptImageError):
        await complete(gallery, upload)

    assert gallery.jobs == [RenderImage(upload.image_id)]


async def test_an_image_that_was_deleted_since_is_not_the_answer_any_more(gallery: MemoryGallery) -> None:
    upload = await sent(gallery)
    result = await complete(gallery, upload)
    await gallery.images.delete(BOB, result.image.id)

    with gallery.refuses(NotFoundError):
        await complete(gallery, upload)


# Several at once


def files_are_opened(gallery: MemoryGallery) -> list[str]:
    """The paths of the objects that are read, as they are opened."""
    opened: list[str] = []
    gallery.storage.on_open = opened.append
    return opened


async def test_several_who_complete_at_once_share_one_check(gallery: MemoryGallery) -> None:
    upload = await sent(gallery)
    opened = files_are_opened(gallery)

    results = await asyncio.gather(*(complete(gallery, upload) for _ in range(5)))

    assert results == [results[0]] * 5
    assert opened == [upload.storage_path]
    assert gallery.verifier.verified == [CONTENT]


async def test_several_who_complete_at_once_share_a_refusal(gallery: MemoryGallery) -> None:
    upload = await sent(gallery)
    opened = files_are_opened(gallery)
    gallery.verifier.refusal = TruncatedImageError()

    refusals = await asyncio.gather(*(complete(gallery, upload) for _ in range(5)), return_exceptions=True)

    assert {type(refusal) for refusal in refusals} == {TruncatedImageError}
    assert opened == [upload.storage_path]
    is_removed(gallery, upload)


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
