"""What everything must do that tells of processed images."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gallery.domain.ids import new_image_id
from gallery.domain.processing_ports import ProcessedImages
from gallery.platform.cache.processed import connect_processed_images
from gallery.platform.processed import MAX_WAITING, LocalProcessedImages
from tests.integration.cache_support import cache_settings

ONE, OTHER = new_image_id(), new_image_id()


@pytest.fixture
def local() -> ProcessedImages:
    return LocalProcessedImages()


@pytest.fixture
async def valkey(cache_url: str) -> AsyncIterator[ProcessedImages]:
    async with connect_processed_images(cache_settings(cache_url)) as processed:
        yield processed


@pytest.fixture(params=["local", "valkey"])
def processed(request: pytest.FixtureRequest) -> ProcessedImages:
    found: ProcessedImages = request.getfixturevalue(request.param)
    return found


async def test_all_who_watch_hear_of_an_image_once(processed: ProcessedImages) -> None:
    async with processed.watching() as first, processed.watching() as second:
        await processed.tell([ONE, OTHER])

        assert [await first.next(), await first.next(), await first.next(0.1)] == [ONE, OTHER, None]
        assert [await second.next(), await second.next()] == [ONE, OTHER]


async def test_who_comes_later_hears_nothing_of_what_was_before(processed: ProcessedImages) -> None:
    await processed.tell([ONE])
    async with processed.watching() as watch:
        assert await watch.next(0.1) is None


async def test_who_has_gone_hinders_nobody(processed: ProcessedImages) -> None:
    async with processed.watching() as stays:
        async with processed.watching():
            pass
        await processed.tell([ONE])

        assert await stays.next() == ONE


async def test_an_image_that_is_told_of_twice_is_heard_of_once(processed: ProcessedImages) -> None:
    async with processed.watching() as watch:
        for _ in range(2):
            await processed.tell([ONE])

        assert [await watch.next(), await watch.next(0.1)] == [ONE, None]


async def test_who_is_slow_misses_the_oldest(processed: ProcessedImages) -> None:
    image_ids = [new_image_id() for _ in range(MAX_WAITING + 1)]
    async with processed.watching() as watch:
        for image_id in image_ids:
            await processed.tell([image_id])

        assert [await watch.next() for _ in image_ids[1:]] == image_ids[1:]
        assert await watch.next(0.1) is None
