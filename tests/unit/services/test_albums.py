"""Making, changing and deleting albums, and what is in them."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from gallery.domain.albums import Album
from gallery.domain.errors import ErrorCode, InvalidInputError, NotFoundError
from gallery.domain.events import EventKind
from gallery.domain.ids import new_album_id, new_image_id
from gallery.services.albums import AlbumChange, NewAlbum
from gallery.services.bulk import BulkResult
from tests.entities import BOB, NOON, an_album, an_image
from tests.fakes.gallery import MemoryGallery


async def test_an_album_is_made_with_images_in_the_order_given(gallery: MemoryGallery) -> None:
    one, other = an_image(), an_image()
    gallery.holds(one, other)

    album = await gallery.albums.create(
        BOB, NewAlbum(title=" Summer ", description=" Sun ", image_ids=[other.id, one.id, other.id])
    )

    assert album == Album(
        id=album.id,
        owner=BOB.id,
        title="Summer",
        description="Sun",
        cover_id=None,
        created_at=NOON,
        updated_at=NOON,
    )
    assert gallery.tables.albums == {album.id: album}
    assert gallery.album_of(album) == [other.id, one.id]
    assert gallery.history == [
        (EventKind.ALBUM_CREATED, album.id, BOB.id, NOON, {"title": "Summer"}),
        (EventKind.ALBUM_IMAGES_ADDED, album.id, BOB.id, NOON, {"image_ids": [other.id.hex, one.id.hex]}),
    ]
    assert gallery.heard == [tuple(gallery.events)]


async def test_an_album_may_begin_empty(gallery: MemoryGallery) -> None:
    album = await gallery.albums.create(BOB, NewAlbum(title="Summer"))

    assert gallery.tables.albums == {album.id: album}
    assert [kind for kind, *_ in gallery.history] == [EventKind.ALBUM_CREATED]


async def test_no_album_is_made_if_one_of_its_images_does_not_exist(gallery: MemoryGallery) -> None:
    image = an_image()
    gallery.holds(image)

    with gallery.refuses(NotFoundError) as refusal:
        await gallery.albums.create(BOB, NewAlbum(title="Summer", image_ids=[image.id, image.id, new_image_id()]))

    assert refusal.value.field == ("imageIds", "2")
    assert refusal.value.message == "There is no such image. It may have been deleted."


@pytest.mark.parametrize(
    ("new", "code", "field"),
    [
        (NewAlbum(title=""), ErrorCode.INVALID_NAME, ("title",)),
        (NewAlbum(title="Summer", description="d" * 10_001), ErrorCode.INVALID_DESCRIPTION, ("description",)),
        (NewAlbum(title="Summer", image_ids=[new_image_id()] * 101), ErrorCode.TOO_MANY_ITEMS, ("imageIds",)),
    ],
)
async def test_no_album_is_made_of_a_value_that_breaks_its_rule(
    gallery: MemoryGallery, new: NewAlbum, code: ErrorCode, field: tuple[str, ...]
) -> None:
    with gallery.refuses(InvalidInputError) as refusal:
        await gallery.albums.create(BOB, new)

    assert (refusal.value.code, refusal.value.field) == (code, field)
    assert gallery.database.units_opened == 0


async def test_details_change_and_the_change_is_recorded(gallery: MemoryGallery) -> None:
    image, album = an_image(), an_album("Summer")
    gallery.holds(image, album)
    gallery.put_in_album(album, image)
    now = gallery.clock.advance(minutes=5)

    changed = await gallery.albums.update(
        BOB, AlbumChange(album_id=album.id, title="Winter", description="Snow", cover_id=image.id)
    )

    assert changed == replace(album, title="Winter", description="Snow", cover_id=image.id, updated_at=now, version=2)
    assert gallery.tables.albums == {album.id: changed}
    payload = {
        "title": {"from": "Summer", "to": "Winter"},
        "description": {"from": None, "to": "Snow"},
        "cover_id": {"from": None, "to": image.id.hex},
    }
    assert gallery.history == [(EventKind.ALBUM_UPDATED, album.id, BOB.id, now, payload)]
    assert gallery.heard == [tuple(gallery.events)]


async def test_none_removes_description_and_cover(gallery: MemoryGallery) -> None:
    image = an_image()
    album = an_album(description="Sun", cover_id=image.id)
    gallery.holds(image, album)
    gallery.put_in_album(album, image)

    changed = await gallery.albums.update(BOB, AlbumChange(album_id=album.id, description=None, cover_id=None))

    assert (changed.title, changed.description, changed.cover_id) == ("Summer", None, None)
    assert gallery.events[0].payload == {
        "description": {"from": "Sun", "to": None},
        "cover_id": {"from": image.id.hex, "to": None},
    }


async def test_a_change_that_changes_nothing_is_not_recorded(gallery: MemoryGallery) -> None:
    image = an_image()
    album = an_album(description="Sun", cover_id=image.id)
    gallery.holds(image, album)
    gallery.put_in_album(album, image)
    before = gallery.state()

    for change in (
        AlbumChange(album_id=album.id),
        AlbumChange(album_id=album.id, title="Summer", description=" Sun", cover_id=image.id),
    ):
        assert await gallery.albums.update(BOB, change) == album

    assert gallery.state() == before
    assert gallery.heard == []


async def test_a_cover_that_is_not_in_the_album_is_refused(gallery: MemoryGallery) -> None:
    image, album, other_album = an_image(), an_album(), an_album("Winter")
    gallery.holds(image, album, other_album)
    gallery.put_in_album(other_album, image)

    for cover_id in (image.id, new_image_id()):
        with gallery.refuses(InvalidInputError) as refusal:
            await gallery.albums.update(BOB, AlbumChange(album_id=album.id, title="Sun", cover_id=cover_id))

        assert (refusal.value.code, refusal.value.field) == (ErrorCode.INVALID_INPUT, ("coverId",))


async def test_a_cover_that_is_being_deleted_is_refused(gallery: MemoryGallery) -> None:
    image, album = an_image(), an_album()
    gallery.holds(image, album)
    gallery.put_in_album(album, image)

    async with gallery.unit_of_work() as deletion:
        await deletion.images.save((await deletion.images.get(image.id)).deleted(NOON))
        update = asyncio.create_task(gallery.albums.update(BOB, AlbumChange(album_id=album.id, cover_id=image.id)))
        await gallery.everybody_waits()
        await deletion.commit()

    with pytest.raises(InvalidInputError):
        await update
    assert gallery.tables.albums[album.id].cover_id is None


async def test_an_album_with_a_bad_title_stays_as_it_is(gallery: MemoryGallery) -> None:
    album = an_album()
    gallery.holds(album)

    with gallery.refuses(InvalidInputError) as refusal:
        await gallery.albums.update(BOB, AlbumChange(album_id=album.id, title=" "))

    assert (refusal.value.code, refusal.value.field) == (ErrorCode.INVALID_NAME, ("title",))


async def test_a_deleted_album_leaves_its_images(gallery: MemoryGallery) -> None:
    one, other, album = an_image(), an_image(), an_album("Summer")
    gallery.holds(one, other, album)
    gallery.put_in_album(album, one, other)
    objects = dict(gallery.storage.objects)
    now = gallery.clock.advance(minutes=5)

    assert await gallery.albums.delete(BOB, album.id) == album

    assert gallery.tables.albums == {}
    assert gallery.tables.album_images == {}
    assert gallery.tables.images == {one.id: one, other.id: other}
    assert gallery.storage.objects == objects
    assert gallery.jobs == []
    payload = {"title": "Summer", "image_count": 2}
    assert gallery.history == [(EventKind.ALBUM_DELETED, album.id, BOB.id, now, payload)]
    assert gallery.heard == [tuple(gallery.events)]


async def test_images_are_added_at_the_end_and_those_that_are_there_stay(gallery: MemoryGallery) -> None:
    first, second, third, album = an_image(), an_image(), an_image(), an_album()
    gallery.holds(first, second, third, album)
    gallery.put_in_album(album, first)
    now = gallery.clock.advance(minutes=5)

    changed, result = await gallery.albums.add_images(BOB, album.id, [third.id, first.id, second.id, third.id])

    assert changed == album.touched(now) == gallery.tables.albums[album.id]
    assert result == BulkResult(images={image.id: image for image in (first, second, third)}, missing=())
    assert gallery.album_of(album) == [first.id, third.id, second.id]
    payload = {"image_ids": [third.id.hex, second.id.hex]}
    assert gallery.history == [(EventKind.ALBUM_IMAGES_ADDED, album.id, BOB.id, now, payload)]
    assert gallery.heard == [tuple(gallery.events)]


async def test_adding_what_is_there_or_does_not_exist_changes_nothing(gallery: MemoryGallery) -> None:
    image, deleted, album, unknown_id = an_image(), an_image().deleted(NOON), an_album(), new_image_id()
    gallery.holds(image, deleted, album)
    gallery.put_in_album(album, image)
    before = gallery.state()

    nothing = await gallery.albums.add_images(BOB, album.id, [])
    there = await gallery.albums.add_images(BOB, album.id, [image.id, unknown_id])
    missing = await gallery.albums.add_images(BOB, album.id, [unknown_id, deleted.id])

    assert nothing == (album, BulkResult(images={}, missing=()))
    assert there == (album, BulkResult(images={image.id: image}, missing=(unknown_id,)))
    assert missing == (album, BulkResult(images={}, missing=(unknown_id, deleted.id)))
    assert gallery.state() == before
    assert gallery.heard == []


async def test_images_are_taken_out_and_stay_in_the_gallery(gallery: MemoryGallery) -> None:
    one, other, outside = an_image(), an_image(), an_image()
    album = an_album(cover_id=other.id)
    gallery.holds(one, other, outside, album)
    gallery.put_in_album(album, one, other)
    unknown_id = new_image_id()
    now = gallery.clock.advance(minutes=5)

    changed, result = await gallery.albums.remove_images(BOB, album.id, [other.id, outside.id, unknown_id])

    assert changed == replace(album, cover_id=None, updated_at=now, version=2) == gallery.tables.albums[album.id]
    assert result == BulkResult(images={other.id: other, outside.id: outside}, missing=(unknown_id,))
    assert gallery.album_of(album) == [one.id]
    assert len(gallery.tables.living) == 3
    payload = {"image_ids": [other.id.hex]}
    assert gallery.history == [(EventKind.ALBUM_IMAGES_REMOVED, album.id, BOB.id, now, payload)]
    assert gallery.heard == [tuple(gallery.events)]


async def test_taking_out_what_is_not_in_the_album_changes_nothing(gallery: MemoryGallery) -> None:
    inside, outside, album = an_image(), an_image(), an_album()
    gallery.holds(inside, outside, album)
    gallery.put_in_album(album, inside)
    before = gallery.state()

    changed, result = await gallery.albums.remove_images(BOB, album.id, [outside.id])

    assert changed == album
    assert result == BulkResult(images={outside.id: outside}, missing=())
    assert gallery.state() == before
    assert gallery.heard == []


async def test_an_unknown_album_is_not_found(gallery: MemoryGallery) -> None:
    image, unknown_id = an_image(), new_album_id()
    gallery.holds(image, an_album())

    with gallery.refuses(NotFoundError):
        await gallery.albums.update(BOB, AlbumChange(album_id=unknown_id, title="Winter"))
    with gallery.refuses(NotFoundError):
        await gallery.albums.delete(BOB, unknown_id)
    with gallery.refuses(NotFoundError):
        await gallery.albums.add_images(BOB, unknown_id, [image.id])
    with gallery.refuses(NotFoundError):
        await gallery.albums.remove_images(BOB, unknown_id, [image.id])


async def test_more_than_100_images_at_once_are_refused(gallery: MemoryGallery) -> None:
    album = an_album()
    gallery.holds(album)

    for change in (gallery.albums.add_images, gallery.albums.remove_images):
        with gallery.refuses(InvalidInputError) as refusal:
            await change(BOB, album.id, [new_image_id() for _ in range(101)])

        assert (refusal.value.code, refusal.value.field) == (ErrorCode.TOO_MANY_ITEMS, ("imageIds",))
    assert gallery.database.units_opened == 0
