"""Files that clients send to the storage themselves."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from gallery.domain.errors import (
    ConflictError,
    ErrorCode,
    InvalidInputError,
    NotFoundError,
    UnavailableError,
)
from gallery.domain.ids import new_album_id, new_upload_id
from gallery.domain.jobs import DeleteObjects
from gallery.domain.uploads import Announcement, Draft, Transport, Upload
from gallery.services.staging import PartUrl, StagedUpload, StagingLimits
from tests.entities import ADA, BOB, NOON, a_claim, a_staged_upload, after, an_album, an_upload, checksum_of
from tests.fakes.database import CommitFault
from tests.fakes.gallery import MAX_FILE_SIZE_BYTES, MAX_OPEN_BYTES, MAX_OPEN_UPLOADS, MemoryGallery
from tests.staged_files import CONTENT, PARTS, announced, complete, created, sent

DATABASE_GONE = UnavailableError("database")


def is_removed(gallery: MemoryGallery, upload: Upload) -> None:
    assert gallery.tables.images == {}
    assert gallery.tables.uploads == {}
    assert gallery.jobs == [DeleteObjects((upload.storage_path,))]


async def test_an_upload_is_begun_with_its_row_and_a_place_for_its_parts(gallery: MemoryGallery) -> None:
    album = an_album()
    gallery.holds(album)

    upload = await gallery.staged_uploads.create(
        BOB,
        announced(filename="C:\\Photos\\harbour.jpg", checksum=f" {checksum_of(CONTENT).upper()} "),
        Draft(title=" Harbour ", tag_names=("Sea", "sea"), album_id=album.id),
    )

    assert upload == Upload(
        id=upload.id,
        owner=BOB.id,
        transport=Transport.STAGED,
        image_id=upload.image_id,
        storage_path=f"images/2026/05/{upload.image_id}.jpg",
        draft=Draft(title="Harbour", tag_names=("Sea",), album_id=album.id),
        announced=announced(),
        multipart_id="multipart-1",
        part_size_bytes=40,
        created_at=NOON,
        touched_at=NOON,
        expires_at=NOON + timedelta(days=1),
    )
    assert gallery.tables.uploads == {upload.id: upload}
    assert gallery.storage.multipart_uploads["multipart-1"].storage_path == upload.storage_path
    assert gallery.storage.multipart_uploads["multipart-1"].content_type == "image/jpeg"
    await gallery.staged_uploads.settle()


@pytest.mark.parametrize(
    ("announcement", "code", "field"),
    [
        (announced(file_size_bytes=0), ErrorCode.FILE_EMPTY, "fileSize"),
        (announced(file_size_bytes=-1), ErrorCode.FILE_EMPTY, "fileSize"),
        (announced(file_size_bytes=MAX_FILE_SIZE_BYTES + 1), ErrorCode.FILE_TOO_LARGE, "fileSize"),
        (announced(checksum="123"), ErrorCode.INVALID_CHECKSUM, "checksum"),
        (announced(checksum="g" * 64), ErrorCode.INVALID_CHECKSUM, "checksum"),
    ],
)
async def test_what_can_never_become_an_image_is_refused_at_once(
    gallery: MemoryGallery, announcement: Announcement, code: ErrorCode, field: str
) -> None:
    with gallery.refuses(InvalidInputError) as refusal:
        await gallery.staged_uploads.create(BOB, announcement, Draft())

    assert (refusal.value.code, refusal.value.field) == (code, (field,))
    assert gallery.storage.multipart_uploads == {}


async def test_a_file_of_the_largest_size_without_a_checksum_is_taken(gallery: MemoryGallery) -> None:
    upload = await gallery.staged_uploads.create(
        BOB, announced(file_size_bytes=MAX_FILE_SIZE_BYTES, checksum=None), Draft()
    )

    assert upload.announced == announced(file_size_bytes=MAX_FILE_SIZE_BYTES, checksum=None)


async def test_an_unknown_album_is_found_missing_before_anything_is_begun(gallery: MemoryGallery) -> None:
    with gallery.refuses(NotFoundError):
        await created(gallery, Draft(album_id=new_album_id()))

    assert gallery.storage.multipart_uploads == {}


async def test_one_upload_too_many_is_refused_until_another_is_over(gallery: MemoryGallery) -> None:
    uploads = [await created(gallery, content=b"x") for _ in range(MAX_OPEN_UPLOADS)]

    with gallery.refuses(ConflictError) as refusal:
        await created(gallery, content=b"x")

    assert (refusal.value.code, refusal.value.field) == (ErrorCode.TOO_MANY_UPLOADS, ())
    assert refusal.value.message == (
        "You have 5 uploads open, and no more than 5 are taken at once. Complete or abort some of them."
    )
    assert len(gallery.storage.multipart_uploads) == MAX_OPEN_UPLOADS
    await gallery.staged_uploads.abort(BOB, uploads[0].id)
    await created(gallery, content=b"x")


async def test_uploads_that_would_be_too_large_together_are_refused(gallery: MemoryGallery) -> None:
    for _ in range(3):
        await created(gallery, content=bytes(MAX_FILE_SIZE_BYTES))
    await created(gallery, content=bytes(MAX_OPEN_BYTES - 3 * MAX_FILE_SIZE_BYTES - 1))

    with gallery.refuses(ConflictError) as refusal:
        await created(gallery, content=b"xy")

    assert (refusal.value.code, refusal.value.field) == (ErrorCode.TOO_MANY_UPLOADS, ("fileSize",))
    assert refusal.value.message == (
        "Your open uploads would have 401 bytes with this one, and no more than 400 are taken at once. Complete or "
        "abort some of them."
    )
    await created(gallery, content=b"x")


async def test_complete_uploads_and_those_of_others_do_not_count(gallery: MemoryGallery) -> None:
    for number in range(MAX_OPEN_UPLOADS):
        adas = a_staged_upload(owner=ADA.id)
        gallery.tables.uploads[adas.id] = adas
        await complete(gallery, await sent(gallery, content=bytes([number])))

    await created(gallery)


async def test_those_who_begin_uploads_at_once_are_counted_too(gallery: MemoryGallery) -> None:
    processes = [gallery.new_staged_uploads() for _ in range(2 * MAX_OPEN_UPLOADS)]

    begun = await asyncio.gather(
        *(process.create(BOB, announced(b"x"), Draft()) for process in processes), return_exceptions=True
    )

    assert len([one for one in begun if isinstance(one, ConflictError)]) == MAX_OPEN_UPLOADS
    assert len(gallery.tables.uploads) == MAX_OPEN_UPLOADS


async def test_an_upload_that_the_storage_does_not_begin_leaves_no_row(gallery: MemoryGallery) -> None:
    gallery.storage.broken = {"begin"}

    with gallery.refuses(UnavailableError):
        await created(gallery)


async def test_where_the_row_cannot_be_removed_it_stays_for_the_sweep(
    gallery: MemoryGallery, caplog: pytest.LogCaptureFixture
) -> None:
    gallery.storage.broken = {"begin"}
    gallery.database.commit_faults.extend([None, CommitFault(error=DATABASE_GONE)])

    with pytest.raises(UnavailableError) as refusal:
        await created(gallery)

    assert refusal.value.service == "storage"
    [upload] = gallery.tables.uploads.values()
    assert upload.multipart_id is None
    assert caplog.messages == [f"an upload that was never begun is left behind: {upload.id}"]
    with pytest.raises(NotFoundError):
        await gallery.staged_uploads.find(BOB, upload.id)


async def test_a_claim_is_completed_with_the_upload(gallery: MemoryGallery) -> None:
    claim = a_claim(owner=BOB.id)
    gallery.tables.claims[claim.owner, claim.key] = claim

    upload = await gallery.staged_uploads.create(BOB, announced(), Draft(), claim)

    assert gallery.tables.claims == {(BOB.id, claim.key): claim.completed(upload.id)}


async def test_parts_that_have_arrived_are_listed(gallery: MemoryGallery) -> None:
    upload = await created(gallery)
    assert await gallery.staged_uploads.find(BOB, upload.id) == (upload, ())
    gallery.storage.client_puts("multipart-1", 2, PARTS[1])

    found, parts = await gallery.staged_uploads.find(BOB, upload.id)

    assert found == upload
    assert [(part.number, part.size_bytes) for part in parts] == [(2, 40)]


async def test_an_upload_that_is_being_completed_has_no_parts_any_more(gallery: MemoryGallery) -> None:
    upload = await sent(gallery)
    gallery.storage.multipart_uploads.clear()

    assert await gallery.staged_uploads.find(BOB, upload.id) == (upload, ())


async def test_parts_have_urls_until_they_expire(gallery: MemoryGallery) -> None:
    upload = await created(gallery)

    urls = await gallery.staged_uploads.part_urls(BOB, upload.id, [3, 1, 3])

    path = upload.storage_path
    assert urls == (
        PartUrl(
            number=3,
            url=f"memory:{path}?upload=multipart-1&part=3&size=10&expires=3600",
            first_byte=80,
            size_bytes=10,
            expires_at=after(60),
        ),
        PartUrl(
            number=1,
            url=f"memory:{path}?upload=multipart-1&part=1&size=40&expires=3600",
            first_byte=0,
            size_bytes=40,
            expires_at=after(60),
        ),
    )


@pytest.mark.parametrize("number", [-1, 0, 4])
async def test_there_are_no_urls_for_parts_that_the_file_does_not_have(gallery: MemoryGallery, number: int) -> None:
    upload = await created(gallery)

    with gallery.refuses(InvalidInputError) as refusal:
        await gallery.staged_uploads.part_urls(BOB, upload.id, [1, number])

    assert (refusal.value.code, refusal.value.field) == (ErrorCode.INVALID_INPUT, ("numbers", "1"))


async def test_uploads_of_others_streamed_ones_and_expired_ones_are_not_there(gallery: MemoryGallery) -> None:
    adas, expired, streamed = (
        a_staged_upload(owner=ADA.id),
        a_staged_upload(owner=BOB.id, expires_at=NOON),
        an_upload(owner=BOB.id),
    )
    gallery.tables.uploads |= {upload.id: upload for upload in (adas, expired, streamed)}

    for upload_id in (adas.id, expired.id, streamed.id, new_upload_id()):
        for refused in (
            gallery.staged_uploads.find(BOB, upload_id),
            gallery.staged_uploads.part_urls(BOB, upload_id, [1]),
            gallery.staged_uploads.complete(BOB, upload_id),
            gallery.staged_uploads.abort(BOB, upload_id),
        ):
            with gallery.refuses(NotFoundError):
                await refused


async def test_an_aborted_upload_leaves_nothing(gallery: MemoryGallery) -> None:
    upload = await sent(gallery)

    await gallery.staged_uploads.abort(BOB, upload.id)

    is_removed(gallery, upload)
    assert gallery.storage.multipart_uploads == {}
    with gallery.refuses(NotFoundError):
        await gallery.staged_uploads.abort(BOB, upload.id)


async def test_parts_that_cannot_be_thrown_away_are_left_to_the_sweep(
    gallery: MemoryGallery, caplog: pytest.LogCaptureFixture
) -> None:
    upload = await sent(gallery)
    gallery.storage.broken = {"abort"}

    await gallery.staged_uploads.abort(BOB, upload.id)

    is_removed(gallery, upload)
    assert caplog.messages == [f"parts of an aborted upload are left behind: {upload.storage_path}"]


async def test_a_complete_upload_can_be_neither_aborted_nor_sent_to(gallery: MemoryGallery) -> None:
    upload = await sent(gallery)
    await complete(gallery, upload)

    for refused in (
        gallery.staged_uploads.abort(BOB, upload.id),
        gallery.staged_uploads.part_urls(BOB, upload.id, [1]),
    ):
        with gallery.refuses(ConflictError) as refusal:
            await refused
        assert refusal.value.code is ErrorCode.VERSION_CONFLICT


@pytest.mark.parametrize(
    ("file_size_bytes", "part_size_bytes", "part_count"),
    [(1, 8, 1), (8, 8, 1), (9, 8, 2), (80_000, 8, 10_000), (80_001, 9, 8_889)],
)
def test_a_file_has_at_most_ten_thousand_parts(file_size_bytes: int, part_size_bytes: int, part_count: int) -> None:
    limits = StagingLimits(max_file_size_bytes=100_000, part_size_bytes=8)
    staged = StagedUpload.of(
        a_staged_upload(
            announced=announced(file_size_bytes=file_size_bytes),
            part_size_bytes=limits.part_size_for(file_size_bytes),
        )
    )

    assert (staged.part_size_bytes, staged.part_count) == (part_size_bytes, part_count)
    assert sum(staged.size_of(number) for number in range(1, part_count + 1)) == file_size_bytes
    assert 1 <= staged.size_of(part_count) <= part_size_bytes
