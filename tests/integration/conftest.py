"""Fixtures that several integration tests share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.e2e.places import fresh_place
from tests.graphql_server import GraphQLServer, Listener, graphql_server, listening
from tests.integration.live_gallery import LiveGallery, live_gallery
from tests.services import Services


@pytest.fixture(scope="module")
async def listener() -> AsyncIterator[Listener]:
    """A server on loopback whose application each test sets."""
    async with listening() as listener:
        yield listener


@pytest.fixture
async def server(listener: Listener) -> AsyncIterator[GraphQLServer]:
    """A GraphQL endpoint with a schema of its own, on the listener."""
    async with graphql_server(listener) as server:
        yield server


@pytest.fixture(scope="module")
async def running(services: Services, migrated_template: str) -> AsyncIterator[LiveGallery]:
    """A gallery on services of its own, for all tests of a file."""
    async with fresh_place(services, migrated_template, cache_database=2) as place, live_gallery(place) as gallery:
        yield gallery


@pytest.fixture
async def gallery(running: LiveGallery) -> AsyncIterator[LiveGallery]:
    """That gallery, emptied after each test."""
    yield running
    await running.clear()
