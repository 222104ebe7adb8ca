"""Files that clients have sent to the storage and that become no images."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from gallery.domain.errors import (
    ConflictError,
    CorruptImageError,
    ErrorCode,
    NotAnImageError,
    NotFoundError,
    RefusedFileError,
    RefusedUploadError,
    TruncatedImageError,
    UnavailableError,
)
from gallery.domain.images import ContentType, ImageInfo
from gallery.domain.jobs import DeleteObjects, RenderImage
from gallery.domain.uploads import Draft, OnDuplicate, Refusal, Upload, UploadState
from gallery.services.uploads import NewImage
from tests.entities import BOB, checksum_of
from tests.fakes.database import CommitFault
from tests.fakes.gallery import MAX_OPEN_UPLOADS, MemoryGallery
from tests.fakes.imaging import TRUNCATED
from tests.fakes.incoming import MemoryIncomingFile
from tests.staged_files import CONTENT, complete, created, files_are_opened, sent


async def refusal_of(gallery: MemoryGallery, upload: Upload) -> RefusedUploadError:
    with pytest.raises(RefusedUploadError) as refusal:
        await complete(gallery, upload)
    assert refusal.value.field == ("id",)
    return refusal.value


def is_refused(gallery: MemoryGallery, upload: Upload, told: RefusedUploadError) -> None:
    """Nothing came of the upload, its file goes, and what was told stays."""
    kept = Refusal(code=told.code, message=told.message)
    assert gallery.tables.images == {}
    assert gallery.tables.uploads == {upload.id: replace(upload, state=UploadState.REFUSED, refusal=kept)}
    assert gallery.jobs == [DeleteObjects((upload.storage_path,))]


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

    refusal = await refusal_of(gallery, upload)

    assert refusal.message.startswith(message)
    is_refused(gallery, upload, refusal)


async def test_a_small_file_that_was_damaged_on_its_way_is_told_to_be_another(gallery: MemoryGallery) -> None:
    upload = await sent(gallery, content=b"12345")
    [multipart] = gallery.storage.multipart_uploads
    gallery.storage.client_puts(multipart, 1, b"12045")
    gallery.inspector.answer = NotAnImageError()

    refusal = await refusal_of(gallery, upload)

    assert refusal.message.startswith("The SHA-256 of the file is ")
    is_refused(gallery, upload, refusal)


async def test_a_file_of_another_type_is_refused(gallery: MemoryGallery) -> None:
    upload = await sent(gallery)
    gallery.inspector.answer = ImageInfo(content_type=ContentType.PNG, width_px=4, height_px=3)

    refusal = await refusal_of(gallery, upload)

    assert refusal.message == "The type of the file is image/png, not image/jpeg as announced."
    is_refused(gallery, upload, refusal)


async def test_a_file_that_is_no_image_is_refused(gallery: MemoryGallery) -> None:
    upload = await sent(gallery)
    gallery.inspector.answer = NotAnImageError()

    refusal = await refusal_of(gallery, upload)

    assert refusal.code is ErrorCode.NOT_AN_IMAGE
    is_refused(gallery, upload, refusal)


@pytest.mark.parametrize("error", [CorruptImageError("The pixels are damaged."), TruncatedImageError()])
async def test_a_file_that_cannot_be_decoded_is_refused(gallery: MemoryGallery, error: RefusedFileError) -> None:
    upload = await sent(gallery)
    gallery.verifier.refusal = error

    refusal = await refusal_of(gallery, upload)

    assert (refusal.code, refusal.message) == (error.code, error.message)
    is_refused(gallery, upload, refusal)


@pytest.mark.parametrize("keeps_bytes", [len(CONTENT), len(CONTENT) - 1], ids=["kept", "read again"])
async def test_a_file_is_decoded_by_the_check_of_streamed_ones(gallery: MemoryGallery, keeps_bytes: int) -> None:
    upload = await sent(gallery)
    gallery.verifier.keeps_bytes = keeps_bytes
    gallery.verifier.refusal = CorruptImageError("The pixels are damaged.")

    refusal = await refusal_of(gallery, upload)

    is_refused(gallery, upload, refusal)
    assert gallery.verifier.open_checks == []


async def test_a_file_that_goes_away_before_it_is_read_again_is_refused(gallery: MemoryGallery) -> None:
    upload = await sent(gallery)
    gallery.verifier.keeps_bytes = 0
    opened: list[str] = []

    def vanish(path: str) -> None:
        opened.append(path)
        if len(opened) == 2:
            gallery.storage.objects.clear()

    gallery.storage.on_open = vanish

    refusal = await refusal_of(gallery, upload)

    assert refusal.code is ErrorCode.NOT_FOUND
    is_refused(gallery, upload, refusal)


async def test_a_cut_off_file_is_refused(gallery: MemoryGallery) -> None:
    upload = await sent(gallery, content=CONTENT[:20] + TRUNCATED)

    refusal = await refusal_of(gallery, upload)

    is_refused(gallery, upload, refusal)


async def test_bytes_that_are_there_already_are_refused_if_that_was_asked_for(gallery: MemoryGallery) -> None:
    first = await gallery.uploads.upload(BOB, NewImage(file=MemoryIncomingFile([CONTENT])))
    upload = await sent(gallery, Draft(on_duplicate=OnDuplicate.REJECT))

    refusal = await refusal_of(gallery, upload)

    assert (refusal.code, refusal.message) == (
        ErrorCode.DUPLICATE_IMAGE,
        f"You have an image of this very file already: img_{first.image.id.hex}.",
    )
    assert gallery.tables.uploads[upload.id].state is UploadState.REFUSED
    assert gallery.tables.images == {first.image.id: first.image}
    assert gallery.jobs == [RenderImage(first.image.id), DeleteObjects((upload.storage_path,))]


async def test_an_upload_whose_parts_are_gone_is_removed(gallery: MemoryGallery) -> None:
    upload = await sent(gallery)
    gallery.storage.multipart_uploads.clear()

    refusal = await refusal_of(gallery, upload)

    assert refusal.message == "What had arrived of the file is gone from the storage. Begin a new upload."
    is_refused(gallery, upload, refusal)


async def test_parts_that_go_away_while_they_are_put_together_are_missed(gallery: MemoryGallery) -> None:
    upload = await sent(gallery)
    gallery.storage.on_parts = gallery.storage.multipart_uploads.clear

    refusal = await refusal_of(gallery, upload)

    is_refused(gallery, upload, refusal)


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

    assert (await refusal_of(gallery, upload)).code is ErrorCode.NOT_FOUND

    assert (gallery.tables.images, gallery.tables.uploads) == ({}, {})
    assert set(gallery.jobs) == {DeleteObjects((upload.storage_path,))}


async def test_what_was_made_of_parts_of_an_upload_that_was_aborted_meanwhile_is_removed(
    gallery: MemoryGallery,
) -> None:
    upload = await sent(gallery)
    gallery.storage.on_parts = gallery.tables.uploads.clear

    assert (await refusal_of(gallery, upload)).code is ErrorCode.NOT_FOUND

    assert set(gallery.storage.objects) == {upload.storage_path}
    assert (gallery.tables.images, gallery.tables.uploads) == ({}, {})
    assert gallery.jobs == [DeleteObjects((upload.storage_path,))]


async def test_the_file_of_an_image_is_not_removed_although_its_upload_has_gone(gallery: MemoryGallery) -> None:
    upload = await sent(gallery)

    async def somebody_is_faster() -> None:
        gallery.verifier.meanwhile = gallery.verifier.refusal = None
        await gallery.new_staged_uploads().complete(BOB, upload.id)
        gallery.tables.uploads.clear()
        gallery.verifier.refusal = CorruptImageError("The object went away while it was read.")

    gallery.verifier.meanwhile = somebody_is_faster

    assert (await refusal_of(gallery, upload)).code is ErrorCode.IMAGE_CORRUPT

    assert gallery.jobs == [RenderImage(upload.image_id)]


async def test_several_who_complete_at_once_share_a_refusal(gallery: MemoryGallery) -> None:
    upload = await sent(gallery)
    opened = files_are_opened(gallery)
    gallery.verifier.refusal = TruncatedImageError()

    refusals = await asyncio.gather(*(complete(gallery, upload) for _ in range(5)), return_exceptions=True)

    assert {str(refusal) for refusal in refusals} == {"The file ends before the image does. Send it again whole."}
    assert opened == [upload.storage_path]


# What is told the next time


async def test_a_refusal_is_told_again_and_nothing_is_read_for_it(gallery: MemoryGallery) -> None:
    upload = await sent(gallery)
    gallery.verifier.refusal = TruncatedImageError()
    first = await refusal_of(gallery, upload)
    opened, before = files_are_opened(gallery), gallery.state()
    gallery.verifier.refusal = None

    again = await refusal_of(gallery, upload)

    assert (again.code, again.message, again.field) == (first.code, first.message, first.field)
    assert gallery.state() == before
    assert opened == []


async def test_a_refusal_whose_commit_was_not_answered_is_told_the_next_time(gallery: MemoryGallery) -> None:
    upload = await sent(gallery)
    gallery.inspector.answer = NotAnImageError()
    gallery.database.commit_faults.append(CommitFault(error=UnavailableError("database"), kept=True))
    with pytest.raises(UnavailableError):
        await complete(gallery, upload)

    assert (await refusal_of(gallery, upload)).code is ErrorCode.NOT_AN_IMAGE
    assert gallery.jobs == [DeleteObjects((upload.storage_path,))]


async def test_a_refusal_is_told_for_as_long_as_the_upload_would_have_lived(gallery: MemoryGallery) -> None:
    upload = await sent(gallery)
    gallery.inspector.answer = NotAnImageError()
    await refusal_of(gallery, upload)
    gallery.clock.advance(minutes=24 * 60 - 1)
    assert (await refusal_of(gallery, upload)).code is ErrorCode.NOT_AN_IMAGE

    gallery.clock.advance(minutes=1)
    with gallery.refuses(NotFoundError):
        await complete(gallery, upload)

    await gallery.sweep.tidy(timedelta(0))
    assert gallery.tables.uploads == {}
    assert gallery.jobs == [DeleteObjects((upload.storage_path,))]


async def test_the_first_of_two_refusals_is_what_everybody_is_told(gallery: MemoryGallery) -> None:
    upload = await sent(gallery)

    async def somebody_is_faster() -> None:
        gallery.verifier.meanwhile, gallery.verifier.refusal = None, TruncatedImageError()
        with pytest.raises(RefusedUploadError):
            await gallery.new_staged_uploads().complete(BOB, upload.id)
        gallery.verifier.refusal = CorruptImageError("The pixels are damaged.")

    gallery.verifier.meanwhile = somebody_is_faster

    refusal = await refusal_of(gallery, upload)

    assert refusal.code is ErrorCode.IMAGE_TRUNCATED
    is_refused(gallery, upload, refusal)


async def test_no_image_is_made_of_a_file_that_somebody_else_has_refused(gallery: MemoryGallery) -> None:
    upload = await sent(gallery)

    async def somebody_is_faster() -> None:
        gallery.verifier.meanwhile, gallery.verifier.refusal = None, TruncatedImageError()
        with pytest.raises(RefusedUploadError):
            await gallery.new_staged_uploads().complete(BOB, upload.id)
        gallery.verifier.refusal = None

    gallery.verifier.meanwhile = somebody_is_faster

    is_refused(gallery, upload, await refusal_of(gallery, upload))


async def test_a_refused_upload_can_be_neither_aborted_nor_sent_to_and_has_no_parts(gallery: MemoryGallery) -> None:
    upload = await sent(gallery)
    gallery.inspector.answer = NotAnImageError()
    await refusal_of(gallery, upload)

    for refused in (
        gallery.staged_uploads.abort(BOB, upload.id),
        gallery.staged_uploads.part_urls(BOB, upload.id, [1]),
    ):
        with gallery.refuses(ConflictError) as conflict:
            await refused
        assert conflict.value.code is ErrorCode.VERSION_CONFLICT
    found, parts = await gallery.staged_uploads.find(BOB, upload.id)
    assert (found.state, parts) == (UploadState.REFUSED, ())


async def test_a_refused_upload_is_not_open_any_more(gallery: MemoryGallery) -> None:
    gallery.inspector.answer = NotAnImageError()
    for number in range(MAX_OPEN_UPLOADS):
        await refusal_of(gallery, await sent(gallery, content=bytes([number])))

    assert (await created(gallery)).state is UploadState.OPEN
