"""Many files at once."""

from __future__ import annotations

import asyncio

import pytest

from gallery.domain.errors import UnavailableError, UploadInterruptedError
from gallery.services.imports import ImportOptions, ImportOutcome, ImportResult
from tests.entities import BOB, an_album
from tests.fakes.gallery import MAX_FILE_SIZE_BYTES, MemoryGallery
from tests.fakes.incoming import MemoryFileToImport, MemoryIncomingFile


def a_file(content: bytes = b"a photograph", filename: str = "harbour.jpg") -> MemoryFileToImport:
    return MemoryFileToImport(MemoryIncomingFile([content], filename=filename))


class _Unreadable(MemoryFileToImport):
    async def checksum(self) -> str:
        message = "The file cannot be read: Permission denied."
        raise UploadInterruptedError(message)


async def run(gallery: MemoryGallery, *files: MemoryFileToImport, **options: object) -> list[ImportResult]:
    return await gallery.imports.run(BOB, files, ImportOptions(**options), lambda _: None)  # type: ignore[arg-type]


async def test_results_come_in_the_order_of_the_files(gallery: MemoryGallery) -> None:
    results = await run(gallery, a_file(b"one"), a_file(b"two"), a_file(b"three"))

    images = gallery.tables.images
    assert [result.outcome for result in results] == [ImportOutcome.IMPORTED] * 3
    paths = [images[result.image_id].storage_path for result in results if result.image_id]
    assert [gallery.storage.objects[path].content for path in paths] == [b"one", b"two", b"three"]


async def test_progress_hears_of_each_file_once(gallery: MemoryGallery) -> None:
    heard: list[ImportResult] = []

    results = await gallery.imports.run(BOB, [a_file(b"one"), a_file(b"two")], ImportOptions(), heard.append)

    assert sorted(result.image_id for result in heard if result.image_id) == sorted(
        result.image_id for result in results if result.image_id
    )


async def test_a_file_that_is_there_already_is_not_sent_again(gallery: MemoryGallery) -> None:
    [first] = await run(gallery, a_file())
    again = a_file()

    [second] = await run(gallery, again)

    assert (second.outcome, second.image_id) == (ImportOutcome.EXISTING, first.image_id)
    assert again.file.chunks_read == 0
    assert len(gallery.tables.images) == 1


async def test_a_file_that_is_there_already_gets_the_tags_and_the_album(gallery: MemoryGallery) -> None:
    album = an_album()
    gallery.holds(album)
    [first] = await run(gallery, a_file())

    [second] = await run(gallery, a_file(), tag_names=["sea"], album_id=album.id)

    assert (second.outcome, second.image_id) == (ImportOutcome.EXISTING, first.image_id)
    assert [tag.name for tag in gallery.tables.tags.values()] == ["sea"]
    assert len(gallery.tables.images) == 1


async def test_a_refused_file_says_why_and_stops_no_other(gallery: MemoryGallery) -> None:
    too_large = a_file(b"x" * (MAX_FILE_SIZE_BYTES + 1))
    unreadable = _Unreadable(MemoryIncomingFile([b"secret"]))

    results = await run(gallery, too_large, unreadable, a_file())

    assert [result.outcome for result in results] == [
        ImportOutcome.REFUSED,
        ImportOutcome.REFUSED,
        ImportOutcome.IMPORTED,
    ]
    assert results[0].reason == "The file is larger than the limit of 100 bytes."
    assert results[1].reason == "The file cannot be read: Permission denied."
    assert results[0].image_id is None
    assert len(gallery.tables.images) == 1
    assert len(gallery.storage.objects) == 1


async def test_a_service_that_is_away_ends_the_import(gallery: MemoryGallery) -> None:
    gallery.storage.broken.add("put")

    with pytest.raises(ExceptionGroup) as failure:
        await run(gallery, a_file(b"one"), a_file(b"two"))

    assert failure.group_contains(UnavailableError)
    assert gallery.tables.images == {}


async def test_no_more_files_are_sent_at_once_than_asked_for(gallery: MemoryGallery) -> None:
    files = [MemoryFileToImport(MemoryIncomingFile([bytes([n])], stalls_after=1)) for n in range(5)]
    running = asyncio.create_task(run(gallery, *files, parallel=2))
    await asyncio.gather(*(file.file.stalled.wait() for file in files[:2]))

    for _ in range(50):
        await asyncio.sleep(0)
    assert [file.file.chunks_read for file in files] == [1, 1, 0, 0, 0]

    running.cancel()
    await asyncio.wait([running])
    assert gallery.tables.images == {}
