"""Processed images, told between processes by a real Valkey, and without it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from redis.asyncio import Redis

from gallery.domain.ids import new_image_id
from gallery.platform.cache.processed import connect_processed_images
from gallery.platform.processed import LocalProcessedImages
from gallery.settings import CacheSettings
from tests.integration.cache_support import ValkeyProcess, cache_settings

ONE, OTHER = new_image_id(), new_image_id()
CHANNEL = "gallery:processed@0"


@pytest.fixture
async def valkey() -> AsyncIterator[ValkeyProcess]:
    with TemporaryDirectory(prefix="gallery-test-", ignore_cleanup_errors=True) as folder:
        valkey = ValkeyProcess(Path(folder))
        await valkey.start()
        yield valkey
        await valkey.kill()


async def test_what_one_process_tells_is_heard_in_another_and_once_in_its_own(cache_url: str) -> None:
    settings = cache_settings(cache_url)
    async with (
        connect_processed_images(settings) as here,
        connect_processed_images(settings) as there,
        here.watching() as at_home,
        there.watching() as abroad,
    ):
        await here.tell([ONE])

        assert [await at_home.next(), await abroad.next()] == [ONE, ONE]
        assert await at_home.next(0.2) is None


async def test_nobody_listens_when_nobody_watches(cache_url: str) -> None:
    async with connect_processed_images(cache_settings(cache_url)) as processed, Redis.from_url(cache_url) as client:
        async with processed.watching():
            async with processed.watching():
                pass
            assert await client.pubsub_numpat() == 1
        async with asyncio.timeout(20):
            while await client.pubsub_numpat():  # noqa: ASYNC110  # only Valkey knows
                await asyncio.sleep(0.01)


async def test_a_valkey_that_was_killed_takes_nothing_from_the_process_itself_and_is_heard_again_when_it_is_back(
    valkey: ValkeyProcess,
) -> None:
    settings = cache_settings(valkey.url)
    async with (
        connect_processed_images(settings) as here,
        connect_processed_images(settings) as there,
        here.watching() as at_home,
        there.watching() as abroad,
    ):
        await valkey.kill()
        await here.tell([ONE])
        assert await at_home.next() == ONE

        await valkey.start()
        async with asyncio.timeout(20):
            while await abroad.next(0.1) != OTHER:
                await here.tell([OTHER])


async def test_a_valkey_that_never_was_there_hinders_nobody() -> None:
    async with (
        connect_processed_images(cache_settings("redis://127.0.0.1:1")) as processed,
        processed.watching() as watch,
    ):
        await processed.tell([ONE])

        assert await watch.next() == ONE


async def test_without_a_cache_images_are_told_in_the_process_alone() -> None:
    async with connect_processed_images(CacheSettings(enabled=False)) as processed:
        assert isinstance(processed, LocalProcessedImages)


@pytest.mark.parametrize("rubbish", [b"", b"{", b"7", b'["me", ["7"]]', b'["me", 7]', b'["me", [7]]'])
async def test_rubbish_in_valkey_is_passed_over(cache_url: str, rubbish: bytes) -> None:
    settings = cache_settings(cache_url)
    async with (
        connect_processed_images(settings) as here,
        connect_processed_images(settings) as there,
        there.watching() as abroad,
        Redis.from_url(cache_url) as client,
    ):
        await client.publish(CHANNEL, rubbish)
        await here.tell([ONE])

        assert await abroad.next() == ONE
