"""A gallery in memory for every test of the services."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from stamina.instrumentation import set_on_retry_hooks

from tests.fakes.gallery import MemoryGallery


@pytest.fixture
def gallery() -> MemoryGallery:
    return MemoryGallery()


@pytest.fixture(autouse=True)
def only_the_services_log() -> Iterator[None]:
    """What tells of retries is set for the process: where it is, these tests would hear of it or not."""
    set_on_retry_hooks([])
    yield
    set_on_retry_hooks(None)
