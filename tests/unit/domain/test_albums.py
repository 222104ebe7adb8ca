"""What an album is, and how it changes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gallery.domain.albums import clean_album_title
from gallery.domain.errors import ErrorCode, InvalidInputError
from gallery.domain.ids import new_image_id
from tests.entities import NOON, after, an_album


def test_other_details_are_cleaned_and_counted_as_a_version() -> None:
    album = an_album("Summer", version=3)
    cover_id = new_image_id()

    changed = album.with_details(title=" Winter ", description=" Snow ", cover_id=cover_id, now=after(1))

    assert changed == replace(
        album, title="Winter", description="Snow", cover_id=cover_id, updated_at=after(1), version=4
    )
    assert album.title == "Summer"


def test_details_that_break_a_rule_are_refused_with_their_field() -> None:
    album = an_album()

    with pytest.raises(InvalidInputError) as title:
        album.with_details(title="t" * 256, description=None, cover_id=None, now=NOON)
    with pytest.raises(InvalidInputError) as description:
        album.with_details(title="Summer", description="\x1b", cover_id=None, now=NOON)

    assert (title.value.code, title.value.field) == (ErrorCode.INVALID_NAME, ("title",))
    assert (description.value.code, description.value.field) == (ErrorCode.INVALID_DESCRIPTION, ("description",))


def test_an_album_loses_its_cover_with_the_image() -> None:
    cover_id, other_id = new_image_id(), new_image_id()
    album = an_album(cover_id=cover_id)

    assert album.without_cover([other_id, cover_id]).cover_id is None
    assert album.without_cover([other_id]) is album
    assert an_album(cover_id=None).without_cover([other_id]).cover_id is None


def test_a_touched_album_has_another_version() -> None:
    album = an_album()

    assert album.touched(after(1)) == replace(album, updated_at=after(1), version=2)


def test_the_title_is_called_so_in_its_refusal() -> None:
    with pytest.raises(InvalidInputError) as refusal:
        clean_album_title("a\nb")

    assert refusal.value.message == "The album's title contains control characters. Remove them."
    assert refusal.value.field == ("title",)
