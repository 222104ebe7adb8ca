"""What is counted of files: each once, by how it came and what became of it."""

from __future__ import annotations

import asyncio

import pytest

from gallery.domain.errors import (
    DuplicateImageError,
    EmptyFileError,
    IncompleteUploadError,
    InvalidInputError,
    NotAnImageError,
    RefusedUploadError,
    UnavailableError,
)
from gallery.domain.uploads import OnDuplicate, Transport
from gallery.services.uploads import NewImage
from tests.entities import BOB
from tests.fakes.gallery import MemoryGallery
from tests.fakes.incoming import MemoryIncomingFile
from tests.staged_files import CONTENT, complete, created, sent

STREAMED, STAGED = Transport.STREAMED, Transport.STAGED


def a_file() -> MemoryIncomingFile:
    return MemoryIncomingFile([b"1234567890", b"abc"])


async def test_a_streamed_file_is_counted_with_its_size(gallery: MemoryGallery) -> None:
    await gallery.uploads.upload(BOB, NewImage(file=a_file()))
    await gallery.uploads.upload(BOB, NewImage(file=a_file()))

    assert gallery.metrics.files == [(STREAMED, "CREATED", 13), (STREAMED, "EXISTING", 13)]


async def test_a_refused_file_is_counted_by_the_code_of_the_refusal(gallery: MemoryGallery) -> None:
    await gallery.uploads.upload(BOB, NewImage(file=a_file()))
    again = NewImage(file=a_file(), on_duplicate=OnDuplicate.REJECT)
    with pytest.raises(EmptyFileError):
        await gallery.uploads.upload(BOB, NewImage(file=MemoryIncomingFile([])))
    with pytest.raises(InvalidInputError):
        await gallery.uploads.upload(BOB, NewImage(file=a_file(), title=""))
    with pytest.raises(DuplicateImageError):
        await gallery.uploads.upload(BOB, again)

    assert [(outcome, size) for _, outcome, size in gallery.metrics.files[1:]] == [
        ("FILE_EMPTY", 0),
        ("INVALID_NAME", 0),
        ("DUPLICATE_IMAGE", 0),
    ]


async def test_a_fault_of_the_gallery_is_counted_as_one(gallery: MemoryGallery) -> None:
    def fail() -> None:
        message = "nobody foresaw this"
        raise RuntimeError(message)

    with pytest.raises(RuntimeError):
        await gallery.uploads.upload(BOB, NewImage(file=MemoryIncomingFile([b"1234567890ab"], at_end=fail)))

    assert gallery.metrics.files == [(STREAMED, "INTERNAL_ERROR", 0)]


async def test_a_staged_file_is_counted_once_however_often_it_is_completed(gallery: MemoryGallery) -> None:
    upload = await sent(gallery)
    assert gallery.metrics.files == []

    await asyncio.gather(*(complete(gallery, upload) for _ in range(3)))
    await complete(gallery, upload)

    assert gallery.metrics.files == [(STAGED, "CREATED", len(CONTENT))]


async def test_a_staged_file_that_is_refused_is_counted_by_the_code(gallery: MemoryGallery) -> None:
    with pytest.raises(IncompleteUploadError):
        await complete(gallery, await created(gallery))
    gallery.inspector.answer = NotAnImageError()
    with pytest.raises(RefusedUploadError):
        await complete(gallery, await sent(gallery))

    assert gallery.metrics.files == [(STAGED, "UPLOAD_INCOMPLETE", 0), (STAGED, "NOT_AN_IMAGE", 0)]


async def test_a_storage_that_is_gone_is_an_outcome(gallery: MemoryGallery) -> None:
    gallery.storage.broken = {"put"}

    with pytest.raises(UnavailableError):
        await gallery.uploads.upload(BOB, NewImage(file=a_file()))

    assert gallery.metrics.files == [(STREAMED, "SERVICE_UNAVAILABLE", 0)]
