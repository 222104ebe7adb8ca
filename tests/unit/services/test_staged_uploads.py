"""Files that clients send to the storage themselves."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from gallery.domain.errors import (
    ConflictError,
    CorruptImageError,
    DuplicateImageError,
    ErrorCode,
    FileMismatchError,
    IncompleteUploadError,
    InvalidInputError,
    NotAnImageError,
    NotFoundError,
    RefusedFileError,
    TruncatedImageError,
    UnavailableError,
)
from gallery.domain.events import EventKind
from gallery.domain.ids import new_album_id, new_upload_id
from gallery.domain.images import ContentType, ImageInfo
from gallery.domain.jobs import DeleteObjects, RenderImage
from gallery.domain.uploads import Announcement, Draft, OnDuplicate, Transport, Upload, UploadState
from gallery.services.recording import UploadOutcome, UploadResult
from gallery.services.staging import PartUrl, StagedUpload, StagingLimits
from gallery.services.uploads import NewImage
from tests.entities import ADA, BOB, NOON, a_claim, a_staged_upload, after, an_album, an_upload, checksum_of
from tests.fakes.database import CommitFault
from tests.fakes.gallery import MAX_FILE_SIZE_BYTES, MemoryGallery
from tests.fakes.imaging import TRUNCATED
from tests.fakes.incoming import MemoryIncomingFile

CONTENT = bytes(range(90))
PARTS = [CONTENT[:40], CONTENT[40:80], CONTENT[80:]]
DATABASE_GONE = UnavailableError("database")


def announced(content: bytes = CONTENT, **fields: object) -> Announcement:
    announcement = Announcement(
        filename="harbour.jpg",
        file_size_bytes=len(content),
        content_type=ContentType.JPEG,
        checksum=checksum_of(content),
    )
    return replace(announcement, **fields)  # type: ignore[arg-type]  # any of them


async def created(gallery: MemoryGallery, draft: Draft | None = None, content: bytes = CONTENT) -> Upload:
    return await gallery.staged_uploads.create(BOB, announced(content), draft or Draft())


async def sent(gallery: MemoryGallery, draft: Draft | None = None, content: bytes = CONTENT) -> Upload:
    """An upload all parts of which have arrived."""
    upload = await created(gallery, draft, content)
    assert upload.multipart_id is not None
    for number, start in enumerate(range(0, len(content), 40), start=1):
        gallery.storage.client_puts(upload.multipart_id, number, content[start : start + 40])
    return upload


async def complete(gallery: MemoryGallery, upload: Upload) -> UploadResult:
    return await gallery.staged_uploads.complete(BOB, upload.id)


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
            url=f"memory:{path}?upload=multipart-1&part=3&expires=3600",
            first_byte=80,
            size_bytes=10,
            expires_at=after(60),
        ),
        PartUrl(
            number=1,
            url=f"memory:{path}?upload=multipart-1&part=1&expires=3600",
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


async def test_several_who_complete_at_once_get_the_same_answer(gallery: MemoryGallery) -> None:
    upload = await sent(gallery)

    results = await asyncio.gather(*(complete(gallery, upload) for _ in range(5)))

    assert results == [results[0]] * 5
    assert gallery.tables.images == {results[0].image.id: results[0].image}
    assert gallery.jobs == [RenderImage(results[0].image.id)]


async def test_completing_goes_on_where_a_crash_has_cut_it_off(gallery: MemoryGallery) -> None:
    upload = await sent(gallery)
    gallery.database.commit_faults.extend([None, CommitFault(error=DATABASE_GONE)])
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


def is_removed(gallery: MemoryGallery, upload: Upload) -> None:
    assert gallery.tables.images == {}
    assert gallery.tables.uploads == {}
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
    gallery.database.commit_faults.extend([None, CommitFault(error=DATABASE_GONE, kept=True)])

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
        await complete(gallery, upload)
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

    is_removed(gallery, upload)


async def test_an_image_that_was_deleted_since_is_not_the_answer_any_more(gallery: MemoryGallery) -> None:
    upload = await sent(gallery)
    result = await complete(gallery, upload)
    await gallery.images.delete(BOB, result.image.id)

    with gallery.refuses(NotFoundError):
        await complete(gallery, upload)


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
