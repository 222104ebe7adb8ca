"""A gallery in memory for every test of the services."""

from __future__ import annotations

import pytest

from tests.fakes.gallery import MemoryGallery


@pytest.fixture
def gallery() -> MemoryGallery:
    return MemoryGallery()
