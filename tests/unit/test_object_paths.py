"""Names of objects."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest

from gallery.domain.ids import ImageId
from gallery.domain.images import ContentType, RenditionSize
from gallery.platform.storage.keys import ObjectPaths, is_written_once

IMAGE_ID = ImageId(UUID("0197a0c0-ffee-7000-8000-00000000cafe"))
MAY = datetime(2026, 5, 9, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        (ContentType.JPEG, "images/2026/05/0197a0c0ffee7000800000000000cafe.jpg"),
        (ContentType.PNG, "images/2026/05/0197a0c0ffee7000800000000000cafe.png"),
        (ContentType.WEBP, "images/2026/05/0197a0c0ffee7000800000000000cafe.webp"),
        (ContentType.GIF, "images/2026/05/0197a0c0ffee7000800000000000cafe.gif"),
        (ContentType.AVIF, "images/2026/05/0197a0c0ffee7000800000000000cafe.avif"),
    ],
)
def test_an_original_lies_under_its_month_with_the_extension_of_its_type(
    content_type: ContentType, expected: str
) -> None:
    assert ObjectPaths().original(IMAGE_ID, content_type, MAY) == expected


def test_the_month_is_that_of_utc() -> None:
    new_year_in_auckland = datetime(2026, 1, 1, 5, tzinfo=timezone(timedelta(hours=13)))
    path = ObjectPaths().original(IMAGE_ID, ContentType.JPEG, new_year_in_auckland)
    assert path.startswith("images/2025/12/")


@pytest.mark.parametrize("size", list(RenditionSize))
def test_a_rendition_lies_under_its_size(size: RenditionSize) -> None:
    expected = f"thumbnails/{size.value}/0197a0c0ffee7000800000000000cafe.webp"
    assert ObjectPaths().rendition(IMAGE_ID, size) == expected


def test_originals_are_written_once_and_renditions_are_not() -> None:
    paths = ObjectPaths()
    assert is_written_once(paths.original(IMAGE_ID, ContentType.JPEG, MAY))
    assert not is_written_once(paths.rendition(IMAGE_ID, RenditionSize.SMALL))
