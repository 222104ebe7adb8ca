"""Files that become no image: nothing of them remains."""

from __future__ import annotations

import asyncio

import pytest

from gallery.domain.errors import (
    CorruptImageError,
    EmptyFileError,
    ErrorCode,
    FileTooLargeError,
    GalleryError,
    ImageTooLargeError,
    InvalidInputError,
    NotAnImageError,
    NotFoundError,
    RefusedFileError,
    TruncatedImageError,
    UnavailableError,
    UnsupportedTypeError,
    UploadInterruptedError,
)
from gallery.domain.ids import new_album_id
from gallery.services.uploads import NewImage
from tests.entities import BOB, an_album, an_image
from tests.fakes.gallery import HEAD_BYTES, MAX_FILE_SIZE_BYTES, MemoryGallery
from tests.fakes.imaging import TRUNCATED
from tests.fakes.incoming import MemoryIncomingFile

CHUNKS = [b"12345", b"67890", b"abcde", b"fghij"]
"""Two chunks to look at, two more to store."""

CHUNKS_OF_HEAD = 2


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"title": ""}, ErrorCode.INVALID_NAME, ("title",)),
        ({"title": "a\x00b"}, ErrorCode.INVALID_NAME, ("title",)),
        ({"description": "d" * 10_001}, ErrorCode.INVALID_DESCRIPTION, ("description",)),
        ({"tag_names": ["Sea", "t" * 256]}, ErrorCode.INVALID_NAME, ("tags", "1")),
        ({"tag_names": ["Sea"] * 101}, ErrorCode.TOO_MANY_ITEMS, ("tags",)),
    ],
)
async def test_a_value_that_breaks_its_rule_is_refused_before_the_file_is_read(
    gallery: MemoryGallery, fields: dict[str, object], code: ErrorCode, field: tuple[str, ...]
) -> None:
    file = MemoryIncomingFile(CHUNKS)

    with gallery.refuses(InvalidInputError) as refusal:
        await gallery.uploads.upload(BOB, NewImage(file=file, **fields))  # type: ignore[arg-type]  # any of them

    assert (refusal.value.code, refusal.value.field) == (code, field)
    assert file.chunks_read == 0


async def test_an_unknown_album_is_found_missing_before_the_file_is_read(gallery: MemoryGallery) -> None:
    file = MemoryIncomingFile(CHUNKS)

    with gallery.refuses(NotFoundError):
        await gallery.uploads.upload(BOB, NewImage(file=file, album_id=new_album_id()))

    assert file.chunks_read == 0


async def test_an_album_that_is_deleted_while_the_file_comes_leaves_no_image(gallery: MemoryGallery) -> None:
    album = an_album()
    gallery.holds(album)

    def delete_album() -> None:
        gallery.tables.albums.clear()

    file = MemoryIncomingFile(CHUNKS, at_end=delete_album)

    with pytest.raises(NotFoundError):
        await gallery.uploads.upload(BOB, NewImage(file=file, tag_names=["Sea"], album_id=album.id))

    assert gallery.storage.puts == 1
    assert gallery.storage.objects == {}
    assert gallery.tables == MemoryGallery().tables


@pytest.mark.parametrize("chunks", [[], [b""], [b"", b""]])
async def test_an_empty_file_is_refused(gallery: MemoryGallery, chunks: list[bytes]) -> None:
    with gallery.refuses(EmptyFileError):
        await gallery.uploads.upload(BOB, NewImage(file=MemoryIncomingFile(chunks)))

    assert gallery.inspector.asked == [(b"", True)]
    assert gallery.storage.puts == 0


@pytest.mark.parametrize(
    "refusal",
    [
        NotAnImageError(),
        UnsupportedTypeError("image/svg+xml"),
        ImageTooLargeError(2_000_000, 1_000_000),
        TruncatedImageError(),
        CorruptImageError("The header is damaged."),
    ],
    ids=lambda refusal: refusal.code.value,
)
async def test_a_file_that_cannot_become_an_image_is_refused_by_its_first_bytes(
    gallery: MemoryGallery, refusal: RefusedFileError
) -> None:
    gallery.holds(an_image())
    gallery.inspector.answer = refusal
    file = MemoryIncomingFile(CHUNKS)

    with gallery.refuses(type(refusal)) as refused:
        await gallery.uploads.upload(BOB, NewImage(file=file, tag_names=["Sea"]))

    assert refused.value is refusal
    assert file.chunks_read == CHUNKS_OF_HEAD
    assert gallery.storage.puts == 0


@pytest.mark.parametrize("chunk_size", [1, 7, MAX_FILE_SIZE_BYTES + 1])
async def test_a_file_one_byte_larger_than_the_limit_is_refused(gallery: MemoryGallery, chunk_size: int) -> None:
    content = bytes(MAX_FILE_SIZE_BYTES + 1)
    chunks = [content[start : start + chunk_size] for start in range(0, len(content), chunk_size)]

    with gallery.refuses(FileTooLargeError) as refusal:
        await gallery.uploads.upload(BOB, NewImage(file=MemoryIncomingFile(chunks)))

    assert refusal.value.message == "The file is larger than the limit of 100 bytes."
    assert gallery.storage.puts == 0


async def test_a_file_that_is_too_large_is_not_read_further(gallery: MemoryGallery) -> None:
    file = MemoryIncomingFile([bytes(HEAD_BYTES)] * 1000)

    with gallery.refuses(FileTooLargeError):
        await gallery.uploads.upload(BOB, NewImage(file=file))

    assert file.chunks_read == MAX_FILE_SIZE_BYTES // HEAD_BYTES + 1


@pytest.mark.parametrize("chunks", [[*CHUNKS, TRUNCATED], [*CHUNKS, TRUNCATED[:5], TRUNCATED[5:]], [TRUNCATED]])
async def test_an_image_that_turns_out_to_be_cut_off_is_not_stored(gallery: MemoryGallery, chunks: list[bytes]) -> None:
    file = MemoryIncomingFile(chunks)

    with gallery.refuses(TruncatedImageError) as refusal:
        await gallery.uploads.upload(BOB, NewImage(file=file, tag_names=["Sea"]))

    assert (refusal.value.code, refusal.value.field) == (ErrorCode.IMAGE_TRUNCATED, ("file",))
    assert file.chunks_read == len(chunks)
    assert gallery.storage.puts == 0


@pytest.mark.parametrize("chunks_that_came", range(len(CHUNKS) + 1))
@pytest.mark.parametrize("error", [UploadInterruptedError(), RuntimeError("a fault of ours")], ids=repr)
async def test_an_upload_that_breaks_off_leaves_nothing(
    gallery: MemoryGallery, chunks_that_came: int, error: Exception
) -> None:
    def break_off() -> None:
        raise error

    file = MemoryIncomingFile(CHUNKS[:chunks_that_came], at_end=break_off)

    with gallery.refuses(type(error)) as refusal:
        await gallery.uploads.upload(BOB, NewImage(file=file, tag_names=["Sea"]))

    assert refusal.value is error
    assert gallery.storage.puts == 0


@pytest.mark.parametrize("chunks_that_came", range(len(CHUNKS) + 1))
async def test_an_upload_that_is_cancelled_while_the_file_comes_leaves_nothing(
    gallery: MemoryGallery, chunks_that_came: int
) -> None:
    file = MemoryIncomingFile(CHUNKS, stalls_after=chunks_that_came)
    upload = asyncio.create_task(gallery.uploads.upload(BOB, NewImage(file=file, tag_names=["Sea"])))
    await file.stalled.wait()

    upload.cancel()
    with pytest.raises(asyncio.CancelledError):
        await upload

    await gallery.uploads.settle()
    assert file.chunks_read == chunks_that_came
    assert gallery.storage.puts == 0
    assert gallery.tables == MemoryGallery().tables


async def test_a_storage_that_does_not_answer_leaves_no_image(gallery: MemoryGallery) -> None:
    gallery.storage.broken = {"put"}

    with gallery.refuses(GalleryError) as refusal:
        await gallery.uploads.upload(BOB, NewImage(file=MemoryIncomingFile(CHUNKS)))

    assert isinstance(refusal.value, UnavailableError)
