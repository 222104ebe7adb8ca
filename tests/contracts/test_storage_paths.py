"""What all names for objects must be: different for different things, and the same each time."""

from __future__ import annotations

import pytest

from gallery.domain.ids import new_image_id
from gallery.domain.images import ContentType, RenditionSize
from gallery.domain.ports import StoragePaths
from gallery.platform.storage.keys import ObjectPaths
from tests.entities import NOON
from tests.fakes.storage import MemoryStoragePaths


@pytest.fixture(params=[MemoryStoragePaths, ObjectPaths])
def paths(request: pytest.FixtureRequest) -> StoragePaths:
    made: StoragePaths = request.param()
    return made


def test_an_image_always_has_the_same_names(paths: StoragePaths) -> None:
    image_id = new_image_id()

    assert paths.original(image_id, ContentType.JPEG, NOON) == paths.original(image_id, ContentType.JPEG, NOON)
    assert paths.rendition(image_id, RenditionSize.SMALL) == paths.rendition(image_id, RenditionSize.SMALL)


def test_no_two_objects_have_the_same_name(paths: StoragePaths) -> None:
    image_ids = [new_image_id() for _ in range(3)]
    names = [
        name
        for image_id in image_ids
        for name in (
            paths.original(image_id, ContentType.WEBP, NOON),
            *(paths.rendition(image_id, size) for size in RenditionSize),
        )
    ]

    assert len(set(names)) == len(names) == 12


def test_an_original_lies_under_the_month_of_its_upload_with_the_extension_of_its_type(paths: StoragePaths) -> None:
    path = paths.original(new_image_id(), ContentType.JPEG, NOON)

    assert path.startswith("images/2026/05/")
    assert path.endswith(".jpg")


def test_a_rendition_lies_under_its_size(paths: StoragePaths) -> None:
    assert paths.rendition(new_image_id(), RenditionSize.MEDIUM).startswith("thumbnails/medium/")
