"""Changing and deleting images."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gallery.domain.errors import ConflictError, ErrorCode, InvalidInputError, NotFoundError, UnavailableError
from gallery.domain.events import EventKind
from gallery.domain.ids import new_image_id
from gallery.domain.images import RenditionSize
from gallery.domain.jobs import DeleteObjects
from gallery.services.images import ImageChange
from tests.entities import BOB, NOON, a_rendition, a_tag, an_album, an_image
from tests.fakes.database import CommitFault
from tests.fakes.gallery import MemoryGallery


async def test_title_and_description_change_and_the_change_is_recorded(gallery: MemoryGallery) -> None:
    image = an_image(title="Harbour", description=None)
    gallery.holds(image)
    now = gallery.clock.advance(minutes=5)

    changed = await gallery.images.update(
        BOB, ImageChange(image_id=image.id, title=" Lighthouse ", description="By night")
    )

    assert changed == replace(image, title="Lighthouse", description="By night", updated_at=now, version=2)
    assert gallery.tables.images == {image.id: changed}
    payload = {
        "title": {"from": "Harbour", "to": "Lighthouse"},
        "description": {"from": None, "to": "By night"},
    }
    assert gallery.history == [(EventKind.IMAGE_UPDATED, image.id, BOB.id, now, payload)]
    assert gallery.heard == [tuple(gallery.events)]
    assert gallery.jobs == []


async def test_what_is_not_named_stays(gallery: MemoryGallery) -> None:
    image = an_image(title="Harbour", description="By day")
    gallery.holds(image)

    changed = await gallery.images.update(BOB, ImageChange(image_id=image.id, title="Lighthouse"))

    assert (changed.title, changed.description) == ("Lighthouse", "By day")
    assert gallery.events[0].payload == {"title": {"from": "Harbour", "to": "Lighthouse"}}


async def test_none_removes_the_description(gallery: MemoryGallery) -> None:
    image = an_image(description="By day")
    gallery.holds(image)

    changed = await gallery.images.update(BOB, ImageChange(image_id=image.id, description=None))

    assert changed.description is None
    assert gallery.events[0].payload == {"description": {"from": "By day", "to": None}}


@pytest.mark.parametrize("title", ["Harbour", "  Harbour "])
async def test_a_change_that_changes_nothing_is_not_recorded(gallery: MemoryGallery, title: str) -> None:
    image = an_image(title="Harbour")
    gallery.holds(image)
    before = gallery.state()

    assert await gallery.images.update(BOB, ImageChange(image_id=image.id, title=title)) == image

    assert gallery.state() == before
    assert gallery.heard == []


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"title": ""}, ErrorCode.INVALID_NAME, ("title",)),
        ({"title": "t" * 256}, ErrorCode.INVALID_NAME, ("title",)),
        ({"description": "\x00"}, ErrorCode.INVALID_DESCRIPTION, ("description",)),
    ],
)
async def test_a_value_that_breaks_its_rule_is_refused(
    gallery: MemoryGallery, change: dict[str, str], code: ErrorCode, field: tuple[str, ...]
) -> None:
    image = an_image()
    gallery.holds(image)

    with gallery.refuses(InvalidInputError) as refusal:
        await gallery.images.update(BOB, ImageChange(image_id=image.id, **change))  # type: ignore[arg-type]  # no version

    assert (refusal.value.code, refusal.value.field) == (code, field)


async def test_the_expected_version_passes(gallery: MemoryGallery) -> None:
    image = an_image(version=7)
    gallery.holds(image)

    changed = await gallery.images.update(BOB, ImageChange(image_id=image.id, title="Lighthouse", expected_version=7))

    assert changed.version == 8


@pytest.mark.parametrize("expected", [6, 8])
async def test_another_version_than_expected_is_refused(gallery: MemoryGallery, expected: int) -> None:
    image = an_image(version=7)
    gallery.holds(image)

    with gallery.refuses(ConflictError) as refusal:
        await gallery.images.update(BOB, ImageChange(image_id=image.id, title="Lighthouse", expected_version=expected))

    assert refusal.value.code is ErrorCode.VERSION_CONFLICT
    assert refusal.value.field == ("expectedVersion",)
    assert refusal.value.message == (
        f"The image is at version 7, not {expected}: somebody else changed it. Read it again and repeat your change."
    )


async def test_an_unknown_or_deleted_image_is_not_found(gallery: MemoryGallery) -> None:
    deleted = an_image().deleted(NOON)
    gallery.holds(deleted)

    for image_id in (deleted.id, new_image_id()):
        with gallery.refuses(NotFoundError):
            await gallery.images.update(BOB, ImageChange(image_id=image_id, title="Lighthouse"))
        with gallery.refuses(NotFoundError):
            await gallery.images.delete(BOB, image_id)


async def test_a_deleted_image_leaves_tags_and_albums_and_its_bytes_are_removed_later(gallery: MemoryGallery) -> None:
    image, tag, album, other_album = an_image(), a_tag(), an_album(), an_album("Winter")
    album = replace(album, cover_id=image.id)
    gallery.holds(image, tag, album, other_album)
    gallery.put_tags(image, tag)
    gallery.put_in_album(album, image)
    renditions = tuple(a_rendition(image, size) for size in RenditionSize)
    gallery.tables.renditions[image.id] = renditions
    objects = dict(gallery.storage.objects)
    now = gallery.clock.advance(minutes=5)

    assert await gallery.images.delete(BOB, image.id) == image

    assert gallery.tables.images == {image.id: image.deleted(now)}
    assert gallery.tables.image_tags == set()
    assert gallery.tables.album_images == {}
    assert gallery.tables.albums[album.id].cover_id is None
    assert gallery.storage.objects == objects
    assert gallery.jobs == [DeleteObjects((image.storage_path, *(rendition.storage_path for rendition in renditions)))]
    payload = {
        "original_filename": image.original_filename,
        "checksum": image.checksum,
        "album_ids": [album.id.hex],
    }
    assert gallery.history == [(EventKind.IMAGE_DELETED, image.id, BOB.id, now, payload)]
    assert gallery.heard == [tuple(gallery.events)]


async def test_a_commit_that_fails_leaves_everything_as_it_was(gallery: MemoryGallery) -> None:
    image = an_image()
    gallery.holds(image)

    gallery.database.commit_faults.append(CommitFault(error=UnavailableError("database")))
    with gallery.refuses(UnavailableError):
        await gallery.images.update(BOB, ImageChange(image_id=image.id, title="Lighthouse"))
    gallery.database.commit_faults.append(CommitFault(error=UnavailableError("database")))
    with gallery.refuses(UnavailableError):
        await gallery.images.delete(BOB, image.id)
