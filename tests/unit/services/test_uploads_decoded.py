"""A streamed file is decoded before it is an image: while it passes, or else once it is stored."""

from __future__ import annotations

import asyncio

import pytest

from gallery.domain.errors import CorruptImageError, ErrorCode, TruncatedImageError, UnavailableError
from gallery.services.uploads import NewImage
from tests.entities import BOB
from tests.fakes.gallery import MemoryGallery
from tests.fakes.imaging import TRUNCATED
from tests.fakes.incoming import MemoryIncomingFile

CHUNKS = [b"12345", b"67890", b"abcde", b"fghij"]
CONTENT = b"".join(CHUNKS)
DAMAGED = CorruptImageError("The pixels are damaged.", field=("file",))


def new_image(*more: bytes) -> NewImage:
    return NewImage(file=MemoryIncomingFile([*CHUNKS, *more]), tag_names=["Sea"])


@pytest.fixture(params=[True, False], ids=["kept", "read again"])
def kept(request: pytest.FixtureRequest, gallery: MemoryGallery) -> bool:
    """Whether the files of the test are kept until their end."""
    is_kept: bool = request.param
    gallery.verifier.keeps_bytes = len(CONTENT) if is_kept else len(CONTENT) - 1
    return is_kept


async def test_every_file_is_decoded_once(gallery: MemoryGallery, kept: bool) -> None:
    opened: list[str] = []
    gallery.storage.on_open = opened.append

    result = await gallery.uploads.upload(BOB, new_image())

    assert gallery.verifier.verified == [CONTENT]
    assert gallery.verifier.read_again == ([] if kept else [CONTENT])
    assert opened == ([] if kept else [result.image.storage_path])
    assert gallery.verifier.open_checks == []


async def test_a_file_that_cannot_be_decoded_leaves_nothing(gallery: MemoryGallery, kept: bool) -> None:
    gallery.verifier.refusal = DAMAGED

    with gallery.refuses(CorruptImageError) as refusal:
        await gallery.uploads.upload(BOB, new_image())

    await gallery.uploads.settle()
    assert (refusal.value.code, refusal.value.field) == (ErrorCode.IMAGE_CORRUPT, ("file",))
    assert gallery.storage.puts == (0 if kept else 1)
    assert gallery.verifier.open_checks == []


@pytest.mark.usefixtures("kept")
async def test_a_file_that_is_cut_off_is_not_decoded(gallery: MemoryGallery) -> None:
    gallery.verifier.refusal = DAMAGED

    with gallery.refuses(TruncatedImageError):
        await gallery.uploads.upload(BOB, new_image(TRUNCATED))

    assert gallery.verifier.open_checks == []


@pytest.mark.usefixtures("kept")
async def test_an_upload_that_is_cancelled_while_it_is_decoded_leaves_nothing(gallery: MemoryGallery) -> None:
    decoding = asyncio.Event()

    async def stand_still() -> None:
        decoding.set()
        await asyncio.Event().wait()

    gallery.verifier.meanwhile = stand_still
    upload = asyncio.create_task(gallery.uploads.upload(BOB, new_image()))
    await decoding.wait()

    upload.cancel()
    with pytest.raises(asyncio.CancelledError):
        await upload

    await gallery.uploads.settle()
    assert gallery.storage.objects == {}
    assert gallery.tables == MemoryGallery().tables


async def test_a_storage_that_does_not_give_the_file_back_gets_it_removed(gallery: MemoryGallery) -> None:
    gallery.verifier.keeps_bytes = 0
    gallery.storage.broken = {"open"}

    with gallery.refuses(UnavailableError):
        await gallery.uploads.upload(BOB, new_image())


async def test_the_intent_of_a_refused_file_stays_if_the_storage_keeps_it(gallery: MemoryGallery) -> None:
    gallery.verifier.keeps_bytes = 0
    gallery.verifier.refusal = DAMAGED
    gallery.storage.broken = {"delete"}

    with pytest.raises(CorruptImageError):
        await gallery.uploads.upload(BOB, new_image())

    await gallery.uploads.settle()
    assert [upload.storage_path for upload in gallery.tables.uploads.values()] == list(gallery.storage.objects)
    assert gallery.tables.images == {}
