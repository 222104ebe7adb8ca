"""What every repository of tags must do."""

from __future__ import annotations

import asyncio

import pytest

from gallery.domain.errors import NotFoundError
from gallery.domain.ids import new_tag_id
from gallery.domain.tags import Tag
from tests.contracts.under_test import Database
from tests.entities import ADA, a_tag, after, an_image


async def test_a_tag_comes_back_as_it_was_stored(database: Database) -> None:
    tag = a_tag("Straße", created_at=after(1))
    await database.store(tag)

    async with database.unit_of_work() as work:
        assert await work.tags.get(tag.id) == tag
    assert await database.tags.get_many(ADA, [tag.id]) == {tag.id: tag}


async def test_a_missing_tag_is_not_found(database: Database) -> None:
    async with database.unit_of_work() as work:
        with pytest.raises(NotFoundError):
            await work.tags.get(new_tag_id())


async def test_tags_are_found_by_name_whatever_its_case(database: Database) -> None:
    street, sea = a_tag("Straße"), a_tag("Sea")
    await database.store(street, sea)

    async with database.unit_of_work() as work:
        assert await work.tags.find_by_names(["STRASSE", "sEA", "unheard of"]) == {"strasse": street, "sea": sea}
        assert await work.tags.find_by_names([]) == {}


async def test_only_names_that_are_new_are_added(database: Database) -> None:
    sea = a_tag("Sea")
    await database.store(sea)
    sand, other_sea = a_tag("Sand"), a_tag("SEA")

    async with database.unit_of_work() as work:
        assert await work.tags.add_missing([other_sea, sand]) == {"sea": sea, "sand": sand}
        assert await work.tags.add_missing([]) == {}
        await work.commit()

    assert await database.tags.get_many(ADA, [sea.id, sand.id, other_sea.id]) == {sea.id: sea, sand.id: sand}


async def test_a_name_that_is_added_twice_at_once_is_stored_once(database: Database) -> None:
    one, other = a_tag("Sea"), a_tag("SEA")

    async with database.unit_of_work() as work:
        stored = await work.tags.add_missing([one, other])
        await work.commit()

    assert stored in ({"sea": one}, {"sea": other})
    assert await database.tags.count(ADA, None) == 1


async def test_several_who_add_the_same_names_at_the_same_time_get_the_same_tags(database: Database) -> None:
    async def add(*names: str) -> dict[str, Tag]:
        async with database.unit_of_work() as work:
            stored = await work.tags.add_missing([a_tag(name) for name in names])
            await work.commit()
            return stored

    one, other, third = await asyncio.gather(add("sea", "sand"), add("Sand", "Sea"), add("SAND", "SEA"))

    assert one == other == third
    assert await database.tags.count(ADA, None) == 2


async def test_images_get_tags_and_the_answer_is_what_is_new(database: Database) -> None:
    one, other, sea, sand = an_image(), an_image(), a_tag("Sea"), a_tag("Sand")
    await database.store(one, other, sea, sand, tagged={sea: [one]})

    async with database.unit_of_work() as work:
        new = await work.tags.attach([one.id, other.id], [sea.id, sand.id])
        assert await work.tags.attach([one.id, other.id], [sea.id, sand.id]) == set()
        await work.commit()

    assert new == {(one.id, sand.id), (other.id, sea.id), (other.id, sand.id)}
    assert await database.tags.by_image(ADA, [one.id, other.id]) == {one.id: (sand, sea), other.id: (sand, sea)}


async def test_nothing_is_attached_to_nothing(database: Database) -> None:
    image, tag = an_image(), a_tag()
    await database.store(image, tag)

    async with database.unit_of_work() as work:
        assert await work.tags.attach([], [tag.id]) == set()
        assert await work.tags.attach([image.id], []) == set()
        assert await work.tags.detach([], [tag.id]) == set()
        assert await work.tags.detach([image.id], []) == set()


async def test_what_is_not_there_cannot_be_attached(database: Database) -> None:
    image, deleted, tag = an_image(), an_image(), a_tag()
    await database.store(image, deleted, tag)
    await database.save(deleted.deleted(after(1)))

    for image_id, tag_id in ((an_image().id, tag.id), (deleted.id, tag.id), (image.id, new_tag_id())):
        async with database.unit_of_work() as work:
            with pytest.raises(NotFoundError):
                await work.tags.attach([image.id, image_id], [tag_id])

    assert await database.tags.image_counts(ADA, [tag.id]) == {}


async def test_images_lose_tags_and_the_answer_is_what_was_there(database: Database) -> None:
    one, other, sea, sand = an_image(), an_image(), a_tag("Sea"), a_tag("Sand")
    await database.store(one, other, sea, sand, tagged={sea: [one, other], sand: [one]})

    async with database.unit_of_work() as work:
        lost = await work.tags.detach([one.id, an_image().id], [sea.id, sand.id, new_tag_id()])
        assert await work.tags.detach([one.id], [sea.id, sand.id]) == set()
        await work.commit()

    assert lost == {(one.id, sea.id), (one.id, sand.id)}
    assert await database.tags.by_image(ADA, [one.id, other.id]) == {other.id: (sea,)}
    assert await database.tags.count(ADA, None) == 2


async def test_a_deleted_tag_is_gone_from_all_images(database: Database) -> None:
    one, other, sea, sand = an_image(), an_image(), a_tag("Sea"), a_tag("Sand")
    await database.store(one, other, sea, sand, tagged={sea: [one, other], sand: [one]})

    async with database.unit_of_work() as work:
        had_it = await work.tags.delete(sea.id)
        with pytest.raises(NotFoundError):
            await work.tags.get(sea.id)
        await work.commit()

    assert set(had_it) == {one.id, other.id}
    assert len(had_it) == 2
    assert await database.tags.by_image(ADA, [one.id, other.id]) == {one.id: (sand,)}
    assert await database.tags.get_many(ADA, [sea.id, sand.id]) == {sand.id: sand}


async def test_a_tag_without_images_can_be_deleted_and_its_name_used_again(database: Database) -> None:
    old, new = a_tag("Sea"), a_tag("sea")
    await database.store(old)

    async with database.unit_of_work() as work:
        assert await work.tags.delete(old.id) == ()
        assert await work.tags.add_missing([new]) == {"sea": new}
        await work.commit()

    assert await database.tags.get_many(ADA, [old.id, new.id]) == {new.id: new}
