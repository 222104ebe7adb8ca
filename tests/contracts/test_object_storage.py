"""What every object storage must do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable

import pytest

from gallery.domain.errors import NotFoundError, UploadInterruptedError
from gallery.domain.ports import ObjectStorage, StoredObject
from tests.contracts.under_test import Storage
from tests.entities import checksum_of

ORIGINAL = "images/2026/05/0196a1b2c3d47e5f8a9b0c1d2e3f4a5b.jpg"
OTHER = "images/2026/05/0196a1b2c3d47e5f8a9b0c1d2e3f4a5c.jpg"
RENDITION = "thumbnails/small/0196a1b2c3d47e5f8a9b0c1d2e3f4a5b.webp"

CONTENT = bytes(range(256)) * 4


async def in_chunks(content: bytes, chunk_bytes: int) -> AsyncIterator[bytes]:
    for start in range(0, len(content), chunk_bytes):
        yield content[start : start + chunk_bytes]


async def put(storage: ObjectStorage, path: str, content: bytes = CONTENT) -> StoredObject:
    return await storage.put(path, in_chunks(content, 64 * 1024), content_type="image/jpeg")


async def content_of(storage: ObjectStorage, path: str, *, first_byte: int = 0, last_byte: int | None = None) -> bytes:
    async with storage.open(path, first_byte=first_byte, last_byte=last_byte) as stream:
        content = b"".join([chunk async for chunk in stream.body])
        assert stream.size_bytes == len(content)
    return content


def sizes(part_size_bytes: int) -> Iterable[int]:
    return 1, part_size_bytes - 1, part_size_bytes, part_size_bytes + 1, 2 * part_size_bytes + 12_345


async def test_an_object_comes_back_as_it_was_stored(under_test: Storage) -> None:
    stored = await put(under_test.storage, ORIGINAL)

    assert stored == StoredObject(storage_path=ORIGINAL, size_bytes=1024, checksum=checksum_of(CONTENT))
    async with under_test.storage.open(ORIGINAL) as stream:
        assert b"".join([chunk async for chunk in stream.body]) == CONTENT
        assert (stream.size_bytes, stream.total_bytes) == (1024, 1024)
        assert stream.content_type == "image/jpeg"
        assert stream.etag
        assert '"' not in stream.etag
    assert await under_test.leftovers() == {ORIGINAL}


@pytest.mark.parametrize("case", range(5))
async def test_objects_of_all_sizes_are_stored_whole(under_test: Storage, case: int) -> None:
    size_bytes = list(sizes(under_test.part_size_bytes))[case]
    content = (CONTENT * (size_bytes // len(CONTENT) + 1))[:size_bytes]

    stored = await put(under_test.storage, ORIGINAL, content)

    assert stored == StoredObject(storage_path=ORIGINAL, size_bytes=size_bytes, checksum=checksum_of(content))
    assert checksum_of(await content_of(under_test.storage, ORIGINAL)) == stored.checksum
    assert await under_test.leftovers() == {ORIGINAL}


async def test_an_empty_object_is_an_object(under_test: Storage) -> None:
    stored = await put(under_test.storage, ORIGINAL, b"")

    assert stored == StoredObject(storage_path=ORIGINAL, size_bytes=0, checksum=checksum_of(b""))
    assert await content_of(under_test.storage, ORIGINAL) == b""


@pytest.mark.parametrize("chunk_bytes", [1, 7, 1024, 4096])
async def test_how_the_bytes_arrive_does_not_matter(under_test: Storage, chunk_bytes: int) -> None:
    stored = await under_test.storage.put(ORIGINAL, in_chunks(CONTENT, chunk_bytes), content_type="image/png")

    assert stored.checksum == checksum_of(CONTENT)
    assert await content_of(under_test.storage, ORIGINAL) == CONTENT


async def test_a_rendition_takes_the_place_of_the_one_before(under_test: Storage) -> None:
    await put(under_test.storage, RENDITION, b"before")

    await put(under_test.storage, RENDITION, b"after")

    assert await content_of(under_test.storage, RENDITION) == b"after"


@pytest.mark.parametrize(
    ("first_byte", "last_byte"), [(0, 0), (0, 99), (100, 299), (1000, None), (1023, 1023), (0, 1023), (1000, 5000)]
)
async def test_a_range_is_read_without_the_rest(under_test: Storage, first_byte: int, last_byte: int | None) -> None:
    await put(under_test.storage, ORIGINAL)

    async with under_test.storage.open(ORIGINAL, first_byte=first_byte, last_byte=last_byte) as stream:
        content = b"".join([chunk async for chunk in stream.body])
        assert (stream.size_bytes, stream.total_bytes) == (len(content), 1024)

    assert content == CONTENT[first_byte : None if last_byte is None else last_byte + 1]


async def test_a_reader_may_leave_before_the_end(under_test: Storage) -> None:
    content = CONTENT * 4096
    await put(under_test.storage, ORIGINAL, content)

    async with under_test.storage.open(ORIGINAL) as stream:
        assert content.startswith(await anext(stream.body))

    assert await content_of(under_test.storage, ORIGINAL, last_byte=9) == content[:10]


async def test_other_bytes_have_another_etag(under_test: Storage) -> None:
    await put(under_test.storage, ORIGINAL, b"one")
    await put(under_test.storage, OTHER, b"other")

    async with under_test.storage.open(ORIGINAL) as one, under_test.storage.open(OTHER) as other:
        assert one.etag != other.etag
        assert [chunk async for chunk in one.body] == [b"one"]
        assert [chunk async for chunk in other.body] == [b"other"]


async def test_a_missing_object_is_not_found(under_test: Storage) -> None:
    with pytest.raises(NotFoundError):
        await content_of(under_test.storage, ORIGINAL)


async def test_deleted_objects_are_gone_and_missing_ones_do_not_matter(under_test: Storage) -> None:
    await put(under_test.storage, ORIGINAL)
    await put(under_test.storage, RENDITION)
    await put(under_test.storage, OTHER)

    await under_test.storage.delete([ORIGINAL, "images/2026/05/missing.jpg", RENDITION, ORIGINAL])
    await under_test.storage.delete([ORIGINAL])
    await under_test.storage.delete([])

    assert await under_test.leftovers() == {OTHER}
    with pytest.raises(NotFoundError):
        await content_of(under_test.storage, ORIGINAL)


@pytest.mark.parametrize("parts", [0, 1, 2])
@pytest.mark.parametrize("error", [UploadInterruptedError(), RuntimeError("a fault of ours")], ids=repr)
async def test_chunks_that_raise_leave_nothing_and_the_error_goes_on(
    under_test: Storage, parts: int, error: Exception
) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"beginning"
        async for chunk in in_chunks(bytes(parts * under_test.part_size_bytes), 1024 * 1024):
            yield chunk
        raise error

    with pytest.raises(type(error)) as raised:
        await under_test.storage.put(ORIGINAL, broken(), content_type="image/jpeg")

    assert raised.value is error
    assert await under_test.leftovers() == set()
    with pytest.raises(NotFoundError):
        await content_of(under_test.storage, ORIGINAL)


@pytest.mark.parametrize("parts", [0, 1, 2])
async def test_a_caller_that_is_cancelled_leaves_nothing(under_test: Storage, parts: int) -> None:
    stalled = asyncio.Event()

    async def stalling() -> AsyncIterator[bytes]:
        yield b"beginning"
        async for chunk in in_chunks(bytes(parts * under_test.part_size_bytes), 1024 * 1024):
            yield chunk
        stalled.set()
        await asyncio.get_running_loop().create_future()

    putting = asyncio.create_task(under_test.storage.put(ORIGINAL, stalling(), content_type="image/jpeg"))
    await stalled.wait()
    putting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await putting

    assert await under_test.leftovers() == set()


async def test_objects_may_be_stored_at_the_same_time(under_test: Storage) -> None:
    contents = {f"images/2026/05/{number}.jpg": f"{number}".encode() * 1000 for number in range(8)}

    stored = await asyncio.gather(*(put(under_test.storage, path, content) for path, content in contents.items()))

    assert [one.checksum for one in stored] == [checksum_of(content) for content in contents.values()]
    assert await under_test.leftovers() == set(contents)
    for path, content in contents.items():
        assert await content_of(under_test.storage, path) == content
