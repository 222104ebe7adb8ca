"""Fixtures of end-to-end tests: one server for all that only use the gallery, and places for servers of one's own."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.e2e.api import Api
from tests.e2e.gallery_server import GalleryServer, serving
from tests.e2e.places import Place, fresh_place
from tests.integration.embedded_support import processes_in
from tests.services import Services

_OWN_SERVICES = ("GALLERY_TEST_DATABASE_URL", "GALLERY_TEST_CACHE_URL", "GALLERY_TEST_S3_ENDPOINT_URL")


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder with a short path, since addresses of Unix sockets are."""
    with TemporaryDirectory(prefix="gallery-e2e-") as name:
        yield Path(name)


if any(map(os.environ.get, _OWN_SERVICES)) or os.environ.get("GALLERY_TEST_SERVICES") == "containers":

    @pytest.fixture(scope="session")
    async def running(services: Services, migrated_template: str) -> AsyncIterator[tuple[GalleryServer, Api]]:
        """A server on the services that the tests are told to use."""
        with TemporaryDirectory(prefix="gallery-e2e-") as name:
            async with (
                fresh_place(services, migrated_template, cache_database=1) as place,
                serving(Path(name, "log"), settings=place.settings) as running,
            ):
                yield running

else:

    @pytest.fixture(scope="session")
    async def running() -> AsyncIterator[tuple[GalleryServer, Api]]:
        """A server with the services that it embeds."""
        with TemporaryDirectory(prefix="gallery-e2e-") as name:
            folder = Path(name)
            async with serving(folder / "log", "--data-dir", folder / "data") as running:
                yield running
                children = running[0].process.children(recursive=True)
            assert [child.pid for child in children if child.is_running()] == []
            assert processes_in(folder) == []


@pytest.fixture(scope="session")
def server(running: tuple[GalleryServer, Api]) -> GalleryServer:
    """The server that tests share. Others use it too: ask for what is yours, not for all there is."""
    return running[0]


@pytest.fixture(scope="session")
def api(running: tuple[GalleryServer, Api]) -> Api:
    """A client of the server that tests share."""
    return running[1]


@pytest.fixture
async def place(services: Services, migrated_template: str, cache_url: str) -> AsyncIterator[Place]:
    """A place for a gallery of the test's own."""
    assert cache_url == services.cache_url
    async with fresh_place(services, migrated_template) as place:
        yield place
