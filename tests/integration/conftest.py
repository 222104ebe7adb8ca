"""Fixtures that several integration tests share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.graphql_server import GraphQLServer, Listener, graphql_server, listening


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
