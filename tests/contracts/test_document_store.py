"""What every store of GraphQL documents must do."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator

import pytest

from gallery.domain.document_ports import DocumentStore
from gallery.platform.cache import connect
from gallery.platform.cache.documents import ValkeyDocumentStore
from gallery.platform.documents import LocalDocumentStore
from tests.fakes.documents import MemoryDocumentStore
from tests.integration.cache_support import cache_settings

DOCUMENT = '{ tag(id: "Zoë 高") { id } }'
SHA256 = hashlib.sha256(DOCUMENT.encode()).hexdigest()


@pytest.fixture
def memory_store() -> DocumentStore:
    return MemoryDocumentStore()


@pytest.fixture
def local_store() -> DocumentStore:
    return LocalDocumentStore()


@pytest.fixture
async def valkey_store(cache_url: str) -> AsyncIterator[DocumentStore]:
    async with connect(cache_settings(cache_url)) as cache:
        yield ValkeyDocumentStore(cache)


@pytest.fixture(params=["memory", "local", "valkey"])
def store(request: pytest.FixtureRequest) -> DocumentStore:
    found: DocumentStore = request.getfixturevalue(f"{request.param}_store")
    return found


async def test_a_document_is_found_by_its_hash(store: DocumentStore) -> None:
    await store.keep(SHA256, DOCUMENT)
    await store.keep(SHA256, DOCUMENT)

    assert await store.find(SHA256) == DOCUMENT


async def test_a_document_that_nobody_told_is_not_known(store: DocumentStore) -> None:
    await store.keep(SHA256, DOCUMENT)

    assert await store.find("0" * 64) is None
