"""The filter of `images`: what it refuses, and by which path into the arguments."""

from __future__ import annotations

import pytest
import strawberry

from gallery.domain.errors import ErrorCode, InvalidInputError
from gallery.domain.pages import ImageFilter
from gallery.web.graphql.images import ImageFilterInput


def test_an_empty_filter_narrows_nothing() -> None:
    assert ImageFilterInput(text=" ", tags=[]).criteria() == ImageFilter()


@pytest.mark.parametrize(
    ("given", "code", "field"),
    [
        (ImageFilterInput(text="a\x00b"), ErrorCode.INVALID_NAME, ("filter", "text")),
        (ImageFilterInput(tags=["Sea", ""]), ErrorCode.INVALID_NAME, ("filter", "tags", "1")),
        (ImageFilterInput(tags=["Sea"] * 101), ErrorCode.TOO_MANY_ITEMS, ("filter", "tags")),
        (ImageFilterInput(album_id=strawberry.ID("sea")), ErrorCode.INVALID_ID, ("filter", "albumId")),
    ],
)
def test_a_refusal_names_the_path_into_the_arguments(
    given: ImageFilterInput, code: ErrorCode, field: tuple[str, ...]
) -> None:
    with pytest.raises(InvalidInputError) as refusal:
        given.criteria()

    assert (refusal.value.code, refusal.value.field) == (code, field)
