"""What every repository of albums must do."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from gallery.domain.albums import Album
from gallery.domain.errors import NotFoundError
from gallery.domain.ids import ImageId, new_album_id
from gallery.domain.pages import PageRequest
from tests.contracts.under_test import Database
from tests.entities import ADA, after, an_album, an_image


async def members_in_order(database: Database, album: Album) -> list[ImageId]:
    pages = await database.images.pages_by_album(ADA, [album.id], PageRequest(limit=100))
    return [image.id for image in pages[album.id].items]


async def test_an_album_comes_back_as_it_was_stored(database: Database) -> None:
    album = an_album("Été", description="line\nnext", created_at=after(1), updated_at=after(2), version=7)
    await database.store(album)

    async with database.unit_of_work() as work:
        assert await work.albums.get(album.id) == album
    assert await database.albums.get_many(ADA, [album.id]) == {album.id: album}


async def test_a_missing_album_is_neither_found_nor_saved(database: Database) -> None:
    async with database.unit_of_work() as work:
        with pytest.raises(NotFoundError):
            await work.albums.get(new_album_id())
        with pytest.raises(NotFoundError):
            await work.albums.save(an_album())

    assert await database.albums.count(ADA, None) == 0


async def test_a_saved_album_is_changed_in_every_field_that_may_change(database: Database) -> None:
    image, album = an_image(), an_album()
    await database.store(image, album, held={album: [image]})
    changed = album.with_details(title="Winter", description="Snow", cover_id=image.id, now=after(1))

    async with database.unit_of_work() as work:
        await work.albums.save(changed)
        await work.commit()

    assert await database.albums.get_many(ADA, [album.id]) == {album.id: changed}


async def test_changes_of_one_album_at_the_same_time_come_one_after_the_other(database: Database) -> None:
    album = an_album()
    await database.store(album)

    async def touch(minutes: int) -> None:
        async with database.unit_of_work() as work:
            found = await work.albums.get(album.id)
            await asyncio.sleep(0)
            await work.albums.save(found.touched(after(minutes)))
            await work.commit()

    await asyncio.gather(*(touch(minutes) for minutes in range(1, 4)))

    assert (await database.albums.get_many(ADA, [album.id]))[album.id].version == 4


async def test_images_are_added_at_the_end_and_the_answer_is_what_is_new(database: Database) -> None:
    first, second, third, album = an_image(), an_image(), an_image(), an_album()
    await database.store(first, second, third, album, held={album: [second]})

    async with database.unit_of_work() as work:
        assert await work.albums.append(album.id, [third.id, second.id, first.id, third.id]) == (third.id, first.id)
        assert await work.albums.append(album.id, [first.id, second.id]) == ()
        assert await work.albums.append(album.id, []) == ()
        await work.commit()

    assert await members_in_order(database, album) == [second.id, third.id, first.id]


async def test_images_that_were_taken_out_come_back_at_the_end(database: Database) -> None:
    first, second, third, album = an_image(), an_image(), an_image(), an_album()
    await database.store(first, second, third, album, held={album: [first, second, third]})

    async with database.unit_of_work() as work:
        await work.albums.remove(album.id, [third.id, first.id])
        await work.albums.append(album.id, [first.id])
        await work.albums.append(album.id, [third.id])
        await work.commit()

    assert await members_in_order(database, album) == [second.id, first.id, third.id]


async def test_several_who_add_to_a_locked_album_at_the_same_time_lose_nothing(database: Database) -> None:
    album, images = an_album(), [an_image() for _ in range(6)]
    await database.store(album, *images)

    async def add(image_ids: list[ImageId]) -> None:
        async with database.unit_of_work() as work:
            await work.images.get_many(image_ids)
            await work.albums.get(album.id)
            await work.albums.append(album.id, image_ids)
            await work.commit()

    await asyncio.gather(*(add([images[start].id, images[start + 1].id]) for start in range(0, 6, 2)))

    order = await members_in_order(database, album)
    assert set(order) == {image.id for image in images}
    assert len(order) == 6


async def test_what_is_not_there_cannot_be_added(database: Database) -> None:
    image, deleted, album = an_image(), an_image(), an_album()
    await database.store(image, deleted, album)
    await database.save(deleted.deleted(after(1)))

    for album_id, image_id in ((album.id, an_image().id), (album.id, deleted.id), (new_album_id(), image.id)):
        async with database.unit_of_work() as work:
            with pytest.raises(NotFoundError):
                await work.albums.append(album_id, [image.id, image_id])

    assert await members_in_order(database, album) == []


async def test_images_are_taken_out_of_one_album_and_the_answer_is_what_was_in_it(database: Database) -> None:
    one, other, album, other_album = an_image(), an_image(), an_album(), an_album("Winter")
    await database.store(one, other, album, other_album, held={album: [one], other_album: [one, other]})

    async with database.unit_of_work() as work:
        assert await work.albums.remove(album.id, [one.id, other.id, an_image().id]) == (one.id,)
        assert await work.albums.remove(album.id, [one.id]) == ()
        assert await work.albums.remove(album.id, []) == ()
        await work.commit()

    assert await members_in_order(database, album) == []
    assert await members_in_order(database, other_album) == [one.id, other.id]


async def test_members_are_those_of_the_images_that_are_in_the_album(database: Database) -> None:
    one, other, album, other_album = an_image(), an_image(), an_album(), an_album("Winter")
    await database.store(one, other, album, other_album, held={album: [one], other_album: [other]})

    async with database.unit_of_work() as work:
        assert await work.albums.members(album.id, [one.id, other.id, an_image().id]) == {one.id}
        assert await work.albums.members(album.id, []) == set()
        assert await work.albums.members(new_album_id(), [one.id]) == set()


async def test_the_albums_that_hold_an_image_come_once_each(database: Database) -> None:
    one, other, album, other_album = an_image(), an_image(), an_album(), an_album("Winter")
    await database.store(
        one, other, album, other_album, an_album("Empty"), held={album: [one, other], other_album: [other]}
    )

    async with database.unit_of_work() as work:
        assert await work.albums.holding([one.id]) == (album.id,)
        both = await work.albums.holding([one.id, other.id])
        assert sorted(both) == sorted([album.id, other_album.id])
        assert await work.albums.holding([an_image().id]) == ()
        assert await work.albums.holding([]) == ()


async def test_a_deleted_album_leaves_its_images(database: Database) -> None:
    one, other, album, other_album = an_image(), an_image(), an_album(), an_album("Winter")
    await database.store(one, other, album, other_album, held={album: [one, other], other_album: [one]})
    async with database.unit_of_work() as work:
        await work.albums.save(replace(album, cover_id=one.id))
        await work.commit()

    async with database.unit_of_work() as work:
        held = await work.albums.delete(album.id)
        with pytest.raises(NotFoundError):
            await work.albums.get(album.id)
        await work.commit()

    assert set(held) == {one.id, other.id}
    assert len(held) == 2
    assert await database.images.get_many(ADA, [one.id, other.id]) == {one.id: one, other.id: other}
    assert await database.albums.by_image(ADA, [one.id, other.id]) == {one.id: (other_album,)}
