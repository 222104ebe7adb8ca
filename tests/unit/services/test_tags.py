"""Making and deleting tags, and giving them to images."""

from __future__ import annotations

from uuid import UUID

import pytest

from gallery.domain.errors import ConflictError, ErrorCode, InvalidInputError, NotFoundError
from gallery.domain.events import EventKind
from gallery.domain.ids import TagId, new_image_id, new_tag_id
from gallery.domain.tags import Tag
from gallery.services.bulk import BulkResult
from gallery.services.tags import clean_tag_names
from tests.entities import BOB, NOON, a_tag, an_image
from tests.fakes.gallery import MemoryGallery


def by_name(gallery: MemoryGallery) -> dict[str, Tag]:
    return {tag.name: tag for tag in gallery.tables.tags.values()}


async def test_a_tag_is_made_and_recorded(gallery: MemoryGallery) -> None:
    tag = await gallery.tags.create(BOB, " Sea ")

    assert tag == Tag(id=tag.id, owner=BOB.id, name="Sea", created_at=NOON)
    assert gallery.tables.tags == {tag.id: tag}
    assert gallery.history == [(EventKind.TAG_CREATED, tag.id, BOB.id, NOON, {"name": "Sea"})]
    assert gallery.heard == [tuple(gallery.events)]


async def test_a_tag_that_exists_in_another_case_is_not_made_again(gallery: MemoryGallery) -> None:
    gallery.holds(a_tag("Straße"))

    with gallery.refuses(ConflictError) as refusal:
        await gallery.tags.create(BOB, "STRASSE")

    assert refusal.value.code is ErrorCode.TAG_EXISTS
    assert refusal.value.field == ("name",)
    assert refusal.value.message == "There is a tag “Straße” already. Use it, or choose another name."


async def test_a_tag_whose_name_breaks_the_rules_is_not_made(gallery: MemoryGallery) -> None:
    with gallery.refuses(InvalidInputError) as refusal:
        await gallery.tags.create(BOB, "\u202e")

    assert (refusal.value.code, refusal.value.field) == (ErrorCode.INVALID_NAME, ("name",))
    assert gallery.database.units_opened == 0


async def test_images_get_tags_and_what_is_new_is_recorded_once_for_each(gallery: MemoryGallery) -> None:
    one, other = sorted((an_image(), an_image()), key=lambda image: image.id)
    sea = a_tag("Sea", id=TagId(UUID(int=1)))  # sorts before any tag that is made later
    gallery.holds(one, other, sea)
    gallery.put_tags(one, sea)
    now = gallery.clock.advance(minutes=5)

    result = await gallery.tags.tag_images(BOB, [other.id, one.id], ["SEA", "Sand"])

    assert result == BulkResult(images={one.id: one, other.id: other}, missing=())
    sand = by_name(gallery)["Sand"]
    assert sand == Tag(id=sand.id, owner=BOB.id, name="Sand", created_at=now)
    assert gallery.tables.image_tags == {(one.id, sea.id), (one.id, sand.id), (other.id, sea.id), (other.id, sand.id)}
    assert gallery.history == [
        (EventKind.TAG_CREATED, sand.id, BOB.id, now, {"name": "Sand"}),
        (EventKind.IMAGE_TAGGED, one.id, BOB.id, now, {"tag_ids": [sand.id.hex], "tags": ["Sand"]}),
        (
            EventKind.IMAGE_TAGGED,
            other.id,
            BOB.id,
            now,
            {"tag_ids": [sea.id.hex, sand.id.hex], "tags": ["Sea", "Sand"]},
        ),
    ]
    assert gallery.heard == [tuple(gallery.events)]


async def test_tagging_again_records_nothing(gallery: MemoryGallery) -> None:
    image, sea = an_image(), a_tag("Sea")
    gallery.holds(image, sea)
    gallery.put_tags(image, sea)
    before = gallery.state()

    result = await gallery.tags.tag_images(BOB, [image.id], ["sea"])

    assert result == BulkResult(images={image.id: image}, missing=())
    assert gallery.state() == before


async def test_images_that_do_not_exist_are_named_and_the_others_tagged(gallery: MemoryGallery) -> None:
    image, deleted, unknown_id = an_image(), an_image().deleted(NOON), new_image_id()
    gallery.holds(image, deleted)

    result = await gallery.tags.tag_images(BOB, [unknown_id, image.id, deleted.id, image.id], ["Sea"])

    assert result == BulkResult(images={image.id: image}, missing=(unknown_id, deleted.id))
    assert gallery.tables.image_tags == {(image.id, by_name(gallery)["Sea"].id)}


async def test_no_tag_is_made_if_no_image_exists(gallery: MemoryGallery) -> None:
    unknown_id = new_image_id()
    before = gallery.state()

    result = await gallery.tags.tag_images(BOB, [unknown_id], ["Sea"])

    assert result == BulkResult(images={}, missing=(unknown_id,))
    assert gallery.state() == before
    assert gallery.heard == []


async def test_images_lose_tags_and_each_loss_is_recorded(gallery: MemoryGallery) -> None:
    one, other, sea, sand = an_image(), an_image(), a_tag("Sea"), a_tag("Sand")
    gallery.holds(one, other, sea, sand)
    gallery.put_tags(one, sea, sand)
    gallery.put_tags(other, sand)
    now = gallery.clock.advance(minutes=5)

    result = await gallery.tags.untag_images(BOB, [one.id, other.id], ["SEA", "unheard of"])

    assert result == BulkResult(images={one.id: one, other.id: other}, missing=())
    assert gallery.tables.image_tags == {(one.id, sand.id), (other.id, sand.id)}
    assert gallery.tables.tags == {sea.id: sea, sand.id: sand}
    payload = {"tag_ids": [sea.id.hex], "tags": ["Sea"]}
    assert gallery.history == [(EventKind.IMAGE_UNTAGGED, one.id, BOB.id, now, payload)]
    assert gallery.heard == [tuple(gallery.events)]


@pytest.mark.parametrize("names", [[], ["unheard of"], ["Sea"]])
async def test_untagging_what_has_no_such_tag_changes_nothing(gallery: MemoryGallery, names: list[str]) -> None:
    image, unknown_id = an_image(), new_image_id()
    gallery.holds(image, a_tag("Sea"))
    before = gallery.state()

    result = await gallery.tags.untag_images(BOB, [image.id, unknown_id], names)

    assert result == BulkResult(images={image.id: image}, missing=(unknown_id,))
    assert gallery.state() == before
    assert gallery.heard == []


async def test_more_than_100_images_or_names_are_refused(gallery: MemoryGallery) -> None:
    image = an_image()
    gallery.holds(image)

    for change in (gallery.tags.tag_images, gallery.tags.untag_images):
        with gallery.refuses(InvalidInputError) as too_many_images:
            await change(BOB, [image.id] * 101, ["Sea"])
        with gallery.refuses(InvalidInputError) as too_many_names:
            await change(BOB, [image.id], ["Sea"] * 101)

        assert too_many_images.value.code is too_many_names.value.code is ErrorCode.TOO_MANY_ITEMS
        assert too_many_images.value.field == ("imageIds",)
        assert too_many_images.value.message == "`imageIds` has 101 items; at most 100 are taken at once."
        assert too_many_names.value.field == ("tags",)
    assert gallery.database.units_opened == 0


async def test_100_images_and_names_are_taken(gallery: MemoryGallery) -> None:
    images = [an_image() for _ in range(100)]
    gallery.holds(*images)

    await gallery.tags.tag_images(BOB, [image.id for image in images], [f"tag {number}" for number in range(100)])

    assert len(gallery.tables.image_tags) == 10_000


async def test_a_bad_name_is_refused_with_its_place_in_the_list(gallery: MemoryGallery) -> None:
    image = an_image()
    gallery.holds(image)

    for change in (gallery.tags.tag_images, gallery.tags.untag_images):
        with gallery.refuses(InvalidInputError) as refusal:
            await change(BOB, [image.id], ["Sea", "Sea", "  "])

        assert (refusal.value.code, refusal.value.field) == (ErrorCode.INVALID_NAME, ("tags", "2"))


def test_names_are_cleaned_and_each_kept_once_as_it_was_spelt_first() -> None:
    assert clean_tag_names([" Sea", "sand", "SEA", "Cafe\u0301", "CAFÉ"]) == ["Sea", "sand", "Café"]


async def test_a_deleted_tag_is_gone_from_all_images(gallery: MemoryGallery) -> None:
    one, other, sea, sand = an_image(), an_image(), a_tag("Sea"), a_tag("Sand")
    gallery.holds(one, other, sea, sand)
    gallery.put_tags(one, sea, sand)
    gallery.put_tags(other, sea)
    now = gallery.clock.advance(minutes=5)

    assert await gallery.tags.delete(BOB, sea.id) == sea

    assert gallery.tables.tags == {sand.id: sand}
    assert gallery.tables.image_tags == {(one.id, sand.id)}
    payload = {"name": "Sea", "image_count": 2}
    assert gallery.history == [(EventKind.TAG_DELETED, sea.id, BOB.id, now, payload)]
    assert gallery.heard == [tuple(gallery.events)]


async def test_an_unknown_tag_cannot_be_deleted(gallery: MemoryGallery) -> None:
    gallery.holds(a_tag("Sea"))

    with gallery.refuses(NotFoundError):
        await gallery.tags.delete(BOB, new_tag_id())
