"""The cache while Valkey is gone, silent, slow or mad, and when it is back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from gallery.domain.access import LOCAL_ADMINISTRATOR as VIEWER
from gallery.domain.events import EventKind
from gallery.domain.ids import new_image_id
from gallery.domain.images import Image
from gallery.domain.pages import ImageQuery
from gallery.platform.cache import Cache, CachedImageReader, CacheUnavailableError, connect
from tests.integration.cache_support import (
    MemoryGallery,
    MemoryImageReader,
    ValkeyProcess,
    an_event,
    an_image,
    cache_settings,
    eventually,
    listening,
)


@pytest.fixture
async def valkey() -> AsyncIterator[ValkeyProcess]:
    with TemporaryDirectory(prefix="gallery-test-", ignore_cleanup_errors=True) as folder:
        valkey = ValkeyProcess(Path(folder))
        await valkey.start()
        yield valkey
        await valkey.kill()


class Process:
    """A process of the gallery; the image is what is in the database."""

    def __init__(self, cache: Cache, gallery: MemoryGallery) -> None:
        self.cache = cache
        self.gallery = gallery
        self.images = CachedImageReader(MemoryImageReader(gallery), cache)

    async def titles(self, image: Image) -> list[str]:
        """The title of the image as it is seen alone and on a page."""
        alone = await self.images.get_many(VIEWER, [image.id])
        page = await self.images.list_page(VIEWER, ImageQuery())
        await self.cache.settle()
        return [*(found.title for found in alone.values()), *(found.title for found in page.items)]

    async def write(self, image: Image, title: str) -> None:
        self.gallery.retitle(image.id, title)
        await self.cache.drop([an_event(EventKind.IMAGE_UPDATED, image.id)])


@asynccontextmanager
async def process(url: str, gallery: MemoryGallery, *, timeout_seconds: float = 1.0) -> AsyncIterator[Process]:
    async with connect(cache_settings(url, timeout_seconds=timeout_seconds)) as cache:
        yield Process(cache, gallery)


@pytest.fixture
def image() -> Image:
    return an_image("Old")


@pytest.fixture
def gallery(image: Image) -> MemoryGallery:
    gallery = MemoryGallery()
    gallery.add(image)
    return gallery


async def test_without_valkey_the_gallery_starts_and_reads_from_the_database(
    valkey: ValkeyProcess, gallery: MemoryGallery, image: Image
) -> None:
    await valkey.kill()
    async with process(valkey.url, gallery) as one:
        assert not one.cache.available
        assert await one.titles(image) == ["Old", "Old"]
        with pytest.raises(CacheUnavailableError):
            await one.cache.ping()

        await valkey.start()
        await eventually(lambda: one.cache.available)
        await one.titles(image)
        gallery.reads.clear()
        assert await one.titles(image) == ["Old", "Old"]
        assert gallery.reads == []


async def test_when_valkey_is_killed_answers_come_from_the_database_until_it_is_back(
    valkey: ValkeyProcess, gallery: MemoryGallery, image: Image
) -> None:
    async with process(valkey.url, gallery) as one:
        await one.titles(image)
        await valkey.kill()

        for _ in range(5):
            assert await one.titles(image) == ["Old", "Old"]
        assert not one.cache.available

        await valkey.start()
        await eventually(lambda: one.cache.available)
        await one.titles(image)
        gallery.reads.clear()
        assert await one.titles(image) == ["Old", "Old"]
        assert gallery.reads == []


async def test_a_silent_valkey_is_given_up_after_three_calls(
    valkey: ValkeyProcess, gallery: MemoryGallery, image: Image
) -> None:
    async with process(valkey.url, gallery, timeout_seconds=0.2) as one:
        valkey.freeze()

        for _ in range(10):
            assert await one.images.get_many(VIEWER, [image.id]) == {image.id: image}

        assert one.cache.metrics.errors == 3
        assert not one.cache.available
        assert len(gallery.reads) == 10

        valkey.thaw()
        await eventually(lambda: one.cache.available)
        await one.titles(image)
        gallery.reads.clear()
        assert await one.titles(image) == ["Old", "Old"]
        assert gallery.reads == []


async def test_a_single_slow_answer_does_not_suspend_the_cache(
    valkey: ValkeyProcess, gallery: MemoryGallery, image: Image
) -> None:
    async with process(valkey.url, gallery, timeout_seconds=0.3) as one:
        for _ in range(4):
            valkey.freeze()
            await one.images.get_many(VIEWER, [image.id])
            valkey.thaw()
            await one.images.get_many(VIEWER, [image.id])

        assert one.cache.available
        assert one.cache.metrics.errors >= 4


async def test_what_was_kept_before_a_drop_that_failed_is_never_served_again(
    valkey: ValkeyProcess, gallery: MemoryGallery, image: Image
) -> None:
    async with process(valkey.url, gallery, timeout_seconds=0.2) as one, process(valkey.url, gallery) as other:
        assert await one.titles(image) == ["Old", "Old"]
        valkey.freeze()

        await one.write(image, "New")

        assert not one.cache.available
        assert await one.titles(image) == ["New", "New"]
        valkey.thaw()
        await eventually(lambda: one.cache.available)
        assert await one.titles(image) == ["New", "New"]
        assert await other.titles(image) == ["New", "New"]


async def test_a_drop_that_failed_while_the_cache_was_suspended_is_made_good(
    valkey: ValkeyProcess, gallery: MemoryGallery, image: Image
) -> None:
    async with process(valkey.url, gallery, timeout_seconds=0.2) as one, process(valkey.url, gallery) as other:
        assert await one.titles(image) == ["Old", "Old"]
        valkey.freeze()
        await asyncio.gather(*(one.images.get_many(VIEWER, [image.id]) for _ in range(3)))
        assert not one.cache.available

        await one.write(image, "New")

        valkey.thaw()
        await eventually(lambda: one.cache.available)
        assert await one.titles(image) == ["New", "New"]
        assert await other.titles(image) == ["New", "New"]


async def test_what_a_failed_drop_did_not_name_is_still_kept_afterwards(
    valkey: ValkeyProcess, gallery: MemoryGallery, image: Image
) -> None:
    untouched = an_image("Untouched")
    gallery.add(untouched)
    async with process(valkey.url, gallery, timeout_seconds=0.2) as one:
        await one.images.get_many(VIEWER, [image.id, untouched.id])
        await one.cache.settle()
        valkey.freeze()
        await one.write(image, "New")
        valkey.thaw()
        await eventually(lambda: one.cache.available)
        gallery.reads.clear()

        await one.images.get_many(VIEWER, [image.id, untouched.id])

        assert gallery.reads == [("images", [image.id])]


async def test_more_failed_drops_than_can_be_remembered_drop_everything(
    valkey: ValkeyProcess, gallery: MemoryGallery, image: Image
) -> None:
    async with process(valkey.url, gallery, timeout_seconds=0.2) as one:
        await one.titles(image)
        valkey.freeze()
        await one.write(image, "New")
        await one.cache.drop([an_event(EventKind.IMAGE_RENDERED, new_image_id()) for _ in range(6000)])
        valkey.thaw()
        await eventually(lambda: one.cache.available)
        gallery.reads.clear()

        assert await one.titles(image) == ["New", "New"]
        assert [method for method, _ in gallery.reads] == ["images", "page of images"]


async def test_a_process_that_starts_does_not_trust_what_one_before_it_left(
    valkey: ValkeyProcess, gallery: MemoryGallery, image: Image
) -> None:
    async with process(valkey.url, gallery) as dead:
        await dead.titles(image)
    gallery.retitle(image.id, "New")  # committed, and killed before the drop

    async with process(valkey.url, gallery) as one:
        assert await one.titles(image) == ["New", "New"]


@pytest.mark.parametrize(
    "answer",
    [
        b"+OK\r\n",
        b":7\r\n",
        b"*1\r\n$-1\r\n",
        b"$3\r\n\x00\xff\xfe\r\n",
        b"-OOM command not allowed\r\n",
        b"<html>\r\n",
    ],
)
async def test_answers_that_make_no_sense_are_no_answers(answer: bytes, gallery: MemoryGallery, image: Image) -> None:
    async with listening(answer) as (url, received), process(url, gallery) as one:
        for _ in range(5):
            assert await one.titles(image) == ["Old", "Old"]
        await one.write(image, "New")
        assert await one.titles(image) == ["New", "New"]
        assert received


async def test_a_black_hole_costs_nothing_once_it_is_known(gallery: MemoryGallery, image: Image) -> None:
    async with listening(None) as (url, _), process(url, gallery, timeout_seconds=0.05) as one:
        assert not one.cache.available
        for _ in range(10):
            assert await one.titles(image) == ["Old", "Old"]
        await one.write(image, "New")
        assert await one.titles(image) == ["New", "New"]
        assert one.cache.metrics.errors == 0


async def test_an_address_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="redis://"):
        async with connect(cache_settings("http://127.0.0.1:6379")):
            pass


async def test_an_address_must_be_set() -> None:
    with pytest.raises(ValueError, match="not set"):
        async with connect(cache_settings("redis://x").model_copy(update={"url": None})):
            pass


async def test_after_a_restart_a_writer_drops_before_its_write_is_acknowledged(
    valkey: ValkeyProcess, gallery: MemoryGallery, image: Image
) -> None:
    async with process(valkey.url, gallery) as writer, process(valkey.url, gallery) as reader:
        await valkey.kill()
        await writer.write(image, "Missed")
        assert not writer.cache.available
        writer.cache.valkey._recovery.cancel()  # type: ignore[union-attr]  # nobody but the writer makes it good
        await valkey.start()
        await eventually(lambda: reader.cache.available)
        assert await reader.titles(image) == ["Missed", "Missed"]

        await writer.write(image, "New")

        assert await reader.titles(image) == ["New", "New"]
