"""What an image is, and how it changes."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gallery.domain.errors import ErrorCode, InvalidInputError
from gallery.domain.images import ContentType, ProcessingState, clean_title, title_from_filename
from tests.entities import NOON, after, an_image


@pytest.mark.parametrize(
    ("content_type", "extension"),
    [
        (ContentType.JPEG, "jpg"),
        (ContentType.PNG, "png"),
        (ContentType.WEBP, "webp"),
        (ContentType.GIF, "gif"),
        (ContentType.AVIF, "avif"),
    ],
)
def test_a_content_type_has_the_usual_extension(content_type: ContentType, extension: str) -> None:
    assert content_type.extension == extension


def test_every_content_type_has_an_extension_of_its_own() -> None:
    assert len({content_type.extension for content_type in ContentType}) == len(ContentType) == 5


def test_an_image_cannot_be_changed_in_place() -> None:
    image = an_image()

    with pytest.raises(FrozenInstanceError):
        image.title = "Lighthouse"  # type: ignore[misc]  # that is the point


def test_other_details_are_cleaned_and_counted_as_a_version() -> None:
    image = an_image(title="Harbour", description="By the sea", version=3)

    changed = image.with_details(title=" Cafe\u0301 ", description="  ", now=after(1))

    assert changed == replace(image, title="Café", description=None, updated_at=after(1), version=4)
    assert image.title == "Harbour"


def test_details_that_break_a_rule_are_refused_with_their_field() -> None:
    image = an_image()

    with pytest.raises(InvalidInputError) as title:
        image.with_details(title="", description=None, now=NOON)
    with pytest.raises(InvalidInputError) as description:
        image.with_details(title="Harbour", description="\x00", now=NOON)

    assert (title.value.code, title.value.field) == (ErrorCode.INVALID_NAME, ("title",))
    assert (description.value.code, description.value.field) == (ErrorCode.INVALID_DESCRIPTION, ("description",))


def test_a_failed_image_says_why() -> None:
    image = an_image()

    failed = image.failed("The pixels are damaged.", after(1))

    assert failed == replace(
        image,
        processing=ProcessingState.FAILED,
        processing_error="The pixels are damaged.",
        updated_at=after(1),
        version=2,
    )


def test_an_image_that_is_rendered_after_a_failure_forgets_it() -> None:
    image = an_image()

    ready = image.failed("The pixels are damaged.", after(1)).rendered(after(2))

    assert ready == replace(image, processing=ProcessingState.READY, updated_at=after(2), version=3)


def test_a_deleted_image_knows_when() -> None:
    image = an_image()

    assert image.deleted(after(1)) == replace(image, deleted_at=after(1), updated_at=after(1), version=2)


def test_an_image_is_rendered_again_from_the_beginning() -> None:
    image = an_image(processing=ProcessingState.FAILED, processing_error="Damaged.")

    assert image.to_render(after(1)) == replace(
        image, processing=ProcessingState.PENDING, processing_error=None, updated_at=after(1), version=2
    )


def test_the_title_is_called_so_in_its_refusal() -> None:
    with pytest.raises(InvalidInputError) as refusal:
        clean_title(" ")

    assert refusal.value.message == "The title is empty. Give it 1 to 255 characters."


@pytest.mark.parametrize(
    ("filename", "title"),
    [
        ("harbour.jpg", "harbour"),
        ("harbour at night .jpg", "harbour at night"),
        ("harbour.2026.jpg", "harbour.2026"),
        ("harbour", "harbour"),
        (".jpg", "jpg"),
        ("folder/harbour.jpg", "harbour"),
        ("\u00a0.jpg", "jpg"),
        (None, "unnamed"),
        ("", "unnamed"),
    ],
)
def test_an_untitled_image_is_called_like_its_file(filename: str | None, title: str) -> None:
    assert title_from_filename(filename) == title


@given(st.text(alphabet=st.characters()))
def test_a_title_made_of_a_file_name_keeps_the_rules_of_titles(filename: str) -> None:
    title = title_from_filename(filename)

    assert clean_title(title) == title
