"""What every repository of images must do."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from gallery.domain.errors import ConflictError, ErrorCode, NotFoundError
from gallery.domain.ids import new_image_id
from gallery.domain.images import ContentType, Image, RenditionSize
from tests.contracts.under_test import Database
from tests.entities import ADA, BOB, NOON, a_rendition, a_tag, after, an_album, an_image

RENDITION_SIZES = list(RenditionSize)


async def test_an_image_comes_back_as_it_was_stored(database: Database) -> None:
    image = an_image(
        title="Café 👩\u200d👧 %_\\'\"",
        description="line\r\n\tnext",
        original_filename="x" * 255,
        content_type=ContentType.AVIF,
        file_size_bytes=5 * 1024**4,
        width_px=65_535,
        height_px=1,
        uploaded_at=NOON.replace(microsecond=123_456),
        version=41,
    ).failed("The pixels are damaged.", after(1))
    await database.store(image)

    async with database.unit_of_work() as work:
        assert await work.images.get(image.id) == image
        assert await work.images.get_many([image.id]) == {image.id: image}
        assert await work.images.find_by_checksum(image.owner, image.checksum) == image
    assert await database.images.get_many(ADA, [image.id]) == {image.id: image}


async def test_a_missing_image_is_not_found(database: Database) -> None:
    async with database.unit_of_work() as work:
        with pytest.raises(NotFoundError):
            await work.images.get(new_image_id())


async def test_many_images_are_those_that_exist(database: Database) -> None:
    one, other = an_image(), an_image()
    await database.store(one, other)

    async with database.unit_of_work() as work:
        assert await work.images.get_many([other.id, new_image_id(), one.id, one.id]) == {one.id: one, other.id: other}
        assert await work.images.get_many([]) == {}


async def test_a_saved_image_is_changed_in_every_field_that_may_change(database: Database) -> None:
    image = an_image()
    await database.store(image)

    changed = image.with_details(title="Lighthouse", description="By night", now=after(1)).rendered(after(2))
    await database.save(changed)

    assert await database.images.get_many(ADA, [image.id]) == {image.id: changed}


async def test_an_image_that_is_not_there_cannot_be_saved(database: Database) -> None:
    deleted = an_image()
    await database.store(deleted)
    await database.save(deleted.deleted(NOON))

    for image in (an_image(), deleted):
        with pytest.raises(NotFoundError):
            await database.save(image)

    assert (await database.images.stats(ADA)).image_count == 0


async def test_a_deleted_image_is_not_there(database: Database) -> None:
    image = an_image()
    await database.store(image)
    await database.save(image.deleted(after(1)))

    async with database.unit_of_work() as work:
        with pytest.raises(NotFoundError):
            await work.images.get(image.id)
        assert await work.images.get_many([image.id]) == {}
        assert await work.images.find_by_checksum(image.owner, image.checksum) is None


async def test_a_deleted_image_leaves_tags_albums_and_renditions_and_is_nobodys_cover(database: Database) -> None:
    image, other, tag = an_image(), an_image(), a_tag()
    album = an_album()
    await database.store(image, other, tag, album, tagged={tag: [image, other]}, held={album: [image, other]})
    async with database.unit_of_work() as work:
        await work.images.replace_renditions(image.id, [a_rendition(image)])
        await work.images.replace_renditions(other.id, [a_rendition(other)])
        await work.albums.save(replace(album, cover_id=image.id))
        await work.commit()

    await database.save(image.deleted(after(1)))

    assert await database.tags.by_image(ADA, [image.id, other.id]) == {other.id: (tag,)}
    assert await database.tags.image_counts(ADA, [tag.id]) == {tag.id: 1}
    assert await database.albums.image_counts(ADA, [album.id]) == {album.id: 1}
    assert await database.albums.cover_ids(ADA, [album.id]) == {album.id: other.id}
    assert (await database.albums.get_many(ADA, [album.id]))[album.id].cover_id is None
    assert await database.images.renditions(ADA, [image.id, other.id]) == {other.id: (a_rendition(other),)}
    async with database.unit_of_work() as work:
        assert await work.images.renditions(image.id) == ()
        assert await work.albums.holding([image.id]) == ()


async def test_bytes_are_found_by_their_owner_alone(database: Database) -> None:
    image = an_image(owner=ADA.id)
    await database.store(image)

    async with database.unit_of_work() as work:
        assert await work.images.find_by_checksum(ADA.id, image.checksum) == image
        assert await work.images.find_by_checksum(BOB.id, image.checksum) is None
        assert await work.images.find_by_checksum(ADA.id, an_image().checksum) is None


async def test_an_owner_has_no_two_images_of_the_same_bytes(database: Database) -> None:
    image = an_image()
    await database.store(image)

    async with database.unit_of_work() as work:
        with pytest.raises(ConflictError) as refusal:
            await work.images.add(an_image(checksum=image.checksum))

    assert refusal.value.code is ErrorCode.VERSION_CONFLICT
    assert (await database.images.stats(ADA)).image_count == 1


async def test_the_same_bytes_are_taken_from_another_owner_and_after_deletion(database: Database) -> None:
    first = an_image(owner=ADA.id)
    await database.store(first)
    await database.store(an_image(owner=BOB.id, checksum=first.checksum))
    await database.save(first.deleted(after(1)))
    second = an_image(owner=ADA.id, checksum=first.checksum)
    await database.store(second)

    async with database.unit_of_work() as work:
        assert await work.images.find_by_checksum(ADA.id, first.checksum) == second


async def test_a_copy_of_the_same_bytes_is_taken_and_found_only_without_the_first(database: Database) -> None:
    first, copy = an_image(uploaded_at=after(2)), an_image(uploaded_at=after(1), is_copy=True)
    first, copy, second_copy = (
        replace(image, checksum=first.checksum) for image in (first, copy, an_image(uploaded_at=after(3), is_copy=True))
    )
    await database.store(second_copy, copy, first)

    assert await database.images.get_many(ADA, [copy.id]) == {copy.id: copy}
    async with database.unit_of_work() as work:
        assert await work.images.find_by_checksum(ADA.id, first.checksum) == first
    assert await database.images.known_checksums(ADA, [first.checksum]) == {first.checksum: first.id}

    await database.save(first.deleted(after(4)))

    async with database.unit_of_work() as work:
        assert await work.images.find_by_checksum(ADA.id, first.checksum) == copy
    assert await database.images.known_checksums(ADA, [first.checksum]) == {first.checksum: copy.id}


async def test_bytes_of_which_only_copies_are_left_may_come_again(database: Database) -> None:
    copy = an_image(is_copy=True)
    await database.store(copy)
    again = an_image(checksum=copy.checksum, uploaded_at=after(1))

    await database.store(again)

    async with database.unit_of_work() as work:
        assert await work.images.find_by_checksum(ADA.id, copy.checksum) == again


async def test_an_image_is_added_unless_its_owner_has_one_of_the_same_bytes(database: Database) -> None:
    first = an_image(owner=ADA.id)
    again, others = an_image(owner=ADA.id), an_image(owner=BOB.id)
    again, others = (replace(image, checksum=first.checksum) for image in (again, others))

    async with database.unit_of_work() as work:
        assert await work.images.add_unless_there(first) is True
        assert await work.images.add_unless_there(again) is False
        assert await work.images.add_unless_there(others) is True
        await work.commit()

    assert await database.images.get_many(ADA, [first.id, again.id, others.id]) == {first.id: first, others.id: others}


async def test_a_copy_that_is_left_alone_keeps_the_same_bytes_from_being_added(database: Database) -> None:
    copy, deleted = an_image(is_copy=True), an_image()
    await database.store(copy, deleted)
    await database.save(deleted.deleted(after(1)))

    async with database.unit_of_work() as work:
        assert await work.images.add_unless_there(an_image(checksum=copy.checksum)) is False
        assert await work.images.add_unless_there(an_image(checksum=deleted.checksum)) is True


async def test_one_who_finds_the_same_bytes_being_added_waits_and_adds_nothing(database: Database) -> None:
    image = an_image()

    async def add() -> bool:
        async with database.unit_of_work() as work:
            added = await work.images.add_unless_there(replace(an_image(), checksum=image.checksum))
            await work.commit()
            return added

    assert sorted(await asyncio.gather(add(), add())) == [False, True]
    assert (await database.images.stats(ADA)).image_count == 1


async def test_of_two_who_add_the_same_bytes_at_the_same_time_one_is_refused(database: Database) -> None:
    image = an_image()

    async def add() -> None:
        async with database.unit_of_work() as work:
            await work.images.add(an_image(checksum=image.checksum))
            await work.commit()

    outcomes = await asyncio.gather(add(), add(), return_exceptions=True)

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["ConflictError", "NoneType"]
    assert (await database.images.stats(ADA)).image_count == 1


async def test_changes_of_one_image_at_the_same_time_come_one_after_the_other(database: Database) -> None:
    image = an_image()
    await database.store(image)

    async def change(minutes: int) -> Image:
        async with database.unit_of_work() as work:
            changed = (await work.images.get(image.id)).rendered(after(minutes))
            await asyncio.sleep(0)
            await work.images.save(changed)
            await work.commit()
        return changed

    changes = await asyncio.gather(*(change(minutes) for minutes in range(1, 4)))

    assert sorted(changed.version for changed in changes) == [2, 3, 4]
    assert (await database.images.get_many(ADA, [image.id]))[image.id].version == 4


async def test_images_locked_in_different_orders_do_not_block_each_other_for_good(database: Database) -> None:
    images = [an_image() for _ in range(5)]
    await database.store(*images)
    ids = [image.id for image in images]

    async def lock(order: list[int]) -> int:
        async with database.unit_of_work() as work:
            return len(await work.images.get_many([ids[index] for index in order]))

    orders = [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 4, 1, 3, 0]]
    assert await asyncio.gather(*(lock(order) for order in orders)) == [5, 5, 5]


async def test_an_image_found_by_its_bytes_is_not_deleted_before_the_end(database: Database) -> None:
    image, tag = an_image(), a_tag()
    await database.store(image, tag)

    async def delete() -> None:
        async with database.unit_of_work() as work:
            found = await work.images.get(image.id)
            await work.images.save(found.deleted(after(1)))
            await work.commit()

    async with database.unit_of_work() as work:
        assert await work.images.find_by_checksum(image.owner, image.checksum) == image
        deletion = asyncio.create_task(delete())
        await asyncio.sleep(0.05)  # a deletion that does not wait would be over by now, and the tag find no image
        await work.tags.attach([image.id], [tag.id])
        await work.commit()
    await deletion

    assert await database.tags.image_counts(ADA, [tag.id]) == {}


async def test_renditions_come_smallest_first_and_take_the_place_of_those_before(database: Database) -> None:
    image, other = an_image(), an_image()
    small, medium, large = (a_rendition(image, size) for size in RENDITION_SIZES)
    await database.store(image, other)

    async with database.unit_of_work() as work:
        assert await work.images.renditions(image.id) == ()
        await work.images.replace_renditions(image.id, [large, small, medium])
        await work.images.replace_renditions(other.id, [a_rendition(other)])
        assert await work.images.renditions(image.id) == (small, medium, large)
        await work.commit()

    better = replace(small, file_size_bytes=1, checksum="0" * 64)
    async with database.unit_of_work() as work:
        await work.images.replace_renditions(image.id, [better])
        await work.commit()

    expected = {image.id: (better,), other.id: (a_rendition(other),)}
    assert await database.images.renditions(ADA, [image.id, other.id]) == expected

    async with database.unit_of_work() as work:
        await work.images.replace_renditions(image.id, [])
        await work.commit()
    assert await database.images.renditions(ADA, [image.id]) == {}
