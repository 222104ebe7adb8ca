"""Intents of streamed uploads: there before the first byte is stored, gone with the image or with the last byte."""

from __future__ import annotations

import asyncio

import pytest

from gallery.domain.errors import (
    ConflictError,
    DuplicateImageError,
    ErrorCode,
    UnavailableError,
    UploadInterruptedError,
)
from gallery.domain.images import ContentType
from gallery.domain.uploads import Draft, OnDuplicate, Transport, Upload, UploadState
from gallery.services.recording import UploadOutcome, UploadResult
from gallery.services.uploads import NewImage
from tests.entities import BOB, NOON, a_claim, checksum_of
from tests.fakes.database import CommitFault
from tests.fakes.gallery import MemoryGallery
from tests.fakes.incoming import MemoryIncomingFile

CONTENT = b"a photograph of a harbour"
DATABASE_GONE = UnavailableError("database")


async def upload(gallery: MemoryGallery, on_duplicate: OnDuplicate = OnDuplicate.RETURN_EXISTING) -> UploadResult:
    return await gallery.uploads.upload(BOB, NewImage(file=MemoryIncomingFile([CONTENT]), on_duplicate=on_duplicate))


async def test_the_intent_is_stored_before_the_bytes(gallery: MemoryGallery) -> None:
    file = MemoryIncomingFile([CONTENT, b"more"], stalls_after=1)
    new = NewImage(file=file, title=" Harbour ", tag_names=["Sea"], on_duplicate=OnDuplicate.CREATE)
    uploading = asyncio.create_task(gallery.uploads.upload(BOB, new))
    await file.stalled.wait()

    [intent] = gallery.tables.uploads.values()
    assert intent == Upload(
        id=intent.id,
        owner=BOB.id,
        transport=Transport.STREAMED,
        state=UploadState.OPEN,
        image_id=intent.image_id,
        storage_path=f"images/2026/05/{intent.image_id}.{ContentType.JPEG.extension}",
        draft=Draft(title="Harbour", tag_names=("Sea",), on_duplicate=OnDuplicate.CREATE),
        created_at=NOON,
        touched_at=NOON,
    )
    assert gallery.storage.objects == {}
    uploading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await uploading


async def test_an_upload_that_became_an_image_leaves_no_intent(gallery: MemoryGallery) -> None:
    result = await upload(gallery)

    assert gallery.tables.images == {result.image.id: result.image}
    assert gallery.tables.uploads == {}


async def test_an_intent_that_cannot_be_stored_stops_the_upload(gallery: MemoryGallery) -> None:
    gallery.database.commit_faults.append(CommitFault(error=DATABASE_GONE))

    with gallery.refuses(UnavailableError):
        await upload(gallery)

    assert gallery.storage.puts == 0


async def test_an_intent_whose_commit_was_not_answered_is_removed(gallery: MemoryGallery) -> None:
    gallery.database.commit_faults.append(CommitFault(error=DATABASE_GONE, kept=True))

    with gallery.refuses(UnavailableError):
        await upload(gallery)

    assert gallery.tables.uploads == {}


async def test_an_intent_that_cannot_be_removed_stays_for_the_sweep(
    gallery: MemoryGallery, caplog: pytest.LogCaptureFixture
) -> None:
    gallery.storage.broken = {"put"}
    gallery.database.commit_faults.extend([None, CommitFault(error=DATABASE_GONE)])

    with pytest.raises(UnavailableError) as refusal:
        await upload(gallery)

    assert refusal.value.service == "storage"
    [intent] = gallery.tables.uploads.values()
    assert caplog.messages == [f"the intent of an upload that failed is left behind: {intent.id}"]


async def test_an_object_that_cannot_be_removed_keeps_its_intent(gallery: MemoryGallery) -> None:
    gallery.database.commit_faults.extend([None, *[CommitFault(error=DATABASE_GONE)] * 3])
    gallery.storage.broken = {"delete"}

    with pytest.raises(UnavailableError):
        await upload(gallery)

    [intent] = gallery.tables.uploads.values()
    assert set(gallery.storage.objects) == {intent.storage_path}


async def test_an_upload_that_was_given_up_meanwhile_becomes_no_image(gallery: MemoryGallery) -> None:
    def give_up() -> None:
        gallery.tables.uploads.clear()

    file = MemoryIncomingFile([CONTENT, b"more"], at_end=give_up)

    with gallery.refuses(UploadInterruptedError) as refusal:
        await gallery.uploads.upload(BOB, NewImage(file=file))

    assert refusal.value.message == ("The upload stood still for so long that it was given up. Send the file again.")
    assert gallery.storage.puts == 1
    assert gallery.storage.objects == {}


async def test_a_duplicate_is_refused_if_that_was_asked_for(gallery: MemoryGallery) -> None:
    first = await upload(gallery)

    with gallery.refuses(DuplicateImageError) as refusal:
        await upload(gallery, on_duplicate=OnDuplicate.REJECT)

    assert refusal.value.code is ErrorCode.DUPLICATE_IMAGE
    assert refusal.value.image_id == first.image.id
    assert gallery.storage.puts == 2
    assert set(gallery.storage.objects) == {first.image.storage_path}


async def test_a_new_file_is_taken_even_if_duplicates_are_refused(gallery: MemoryGallery) -> None:
    result = await upload(gallery, on_duplicate=OnDuplicate.REJECT)

    assert (result.outcome, result.image.is_copy) == (UploadOutcome.CREATED, False)


async def test_a_duplicate_becomes_a_copy_if_that_was_asked_for(gallery: MemoryGallery) -> None:
    first = await upload(gallery)

    second = await upload(gallery, on_duplicate=OnDuplicate.CREATE)
    third = await upload(gallery, on_duplicate=OnDuplicate.CREATE)

    assert {second.outcome, third.outcome} == {UploadOutcome.CREATED}
    assert (first.image.is_copy, second.image.is_copy, third.image.is_copy) == (False, True, True)
    assert len(gallery.tables.images) == len(gallery.storage.objects) == len(gallery.jobs) == 3


async def test_two_first_uploads_at_the_same_moment_become_an_image_and_a_copy(gallery: MemoryGallery) -> None:
    results = await asyncio.gather(*(upload(gallery, on_duplicate=OnDuplicate.CREATE) for _ in range(2)))

    assert sorted(result.image.is_copy for result in results) == [False, True]
    assert gallery.tables.images == {result.image.id: result.image for result in results}


async def test_a_claim_is_completed_with_the_image(gallery: MemoryGallery) -> None:
    claim = a_claim(owner=BOB.id)
    gallery.tables.claims[claim.owner, claim.key] = claim

    result = await gallery.uploads.upload(BOB, NewImage(file=MemoryIncomingFile([CONTENT])), claim)

    completed = claim.completed(result.image.id, outcome="CREATED", file_checksum=checksum_of(CONTENT))
    assert gallery.tables.claims == {(claim.owner, claim.key): completed}


async def test_an_upload_whose_claim_was_taken_over_leaves_nothing(gallery: MemoryGallery) -> None:
    other = a_claim(owner=BOB.id)
    gallery.tables.claims[other.owner, other.key] = other

    with gallery.refuses(ConflictError) as refusal:
        await gallery.uploads.upload(BOB, NewImage(file=MemoryIncomingFile([CONTENT])), a_claim(owner=BOB.id))

    assert refusal.value.code is ErrorCode.VERSION_CONFLICT
    assert gallery.storage.puts == 1
    assert gallery.storage.objects == {}
