"""Persisted queries in a real Valkey, and without it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from tempfile import TemporaryDirectory

from redis.asyncio import Redis

from gallery.platform.cache import connect
from gallery.platform.cache.documents import LIFETIME_SECONDS, ValkeyDocumentStore
from tests.integration.cache_support import ValkeyProcess, cache_settings

DOCUMENT = "{ stats { imageCount } }"
SHA256 = hashlib.sha256(DOCUMENT.encode()).hexdigest()
KEY = f"gallery:document:{SHA256}"


async def test_what_one_process_was_told_another_one_knows_for_a_week(cache_url: str) -> None:
    settings = cache_settings(cache_url)
    async with connect(settings) as here, connect(settings) as there, Redis.from_url(cache_url) as client:
        await ValkeyDocumentStore(here).keep(SHA256, DOCUMENT)
        assert 0 < await client.ttl(KEY) <= LIFETIME_SECONDS
        await client.expire(KEY, 60)

        assert await ValkeyDocumentStore(there).find(SHA256) == DOCUMENT
        assert await client.ttl(KEY) > 60


async def test_what_was_found_in_valkey_is_remembered_without_it(cache_url: str) -> None:
    async with connect(cache_settings(cache_url)) as cache, Redis.from_url(cache_url) as client:
        await ValkeyDocumentStore(cache).keep(SHA256, DOCUMENT)
        store = ValkeyDocumentStore(cache)
        await store.find(SHA256)
        await client.flushdb()

        assert await store.find(SHA256) == DOCUMENT


async def test_a_document_that_has_another_hash_is_not_believed(cache_url: str) -> None:
    async with connect(cache_settings(cache_url)) as cache, Redis.from_url(cache_url) as client:
        await client.set(KEY, "mutation { deleteEverything }")

        assert await ValkeyDocumentStore(cache).find(SHA256) is None


async def test_without_valkey_a_process_knows_what_it_was_told_itself() -> None:
    with TemporaryDirectory(prefix="gallery-test-", ignore_cleanup_errors=True) as folder:
        valkey = ValkeyProcess(Path(folder))
        await valkey.start()
        async with connect(cache_settings(valkey.url)) as cache:
            await valkey.kill()
            store = ValkeyDocumentStore(cache)
            assert await store.find(SHA256) is None
            await store.keep(SHA256, DOCUMENT)

            assert await store.find(SHA256) == DOCUMENT
