"""What every reader of tags must do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gallery.domain.ids import new_tag_id
from gallery.domain.pages import PageRequest, TagQuery
from tests.contracts.under_test import Database
from tests.entities import ADA, a_tag, an_image


async def names(database: Database, text: str | None) -> list[str]:
    """The names of all tags with the text, after it was seen that they are counted right."""
    page = await database.tags.list_page(ADA, TagQuery(text=text, page=PageRequest(limit=100)))
    assert await database.tags.count(ADA, text) == len(page.items)
    return [tag.name for tag in page.items]


async def test_tags_that_do_not_exist_are_left_out(database: Database) -> None:
    tag = a_tag()
    await database.store(tag)

    assert await database.tags.get_many(ADA, [new_tag_id(), tag.id]) == {tag.id: tag}
    assert await database.tags.get_many(ADA, []) == {}


async def test_tags_are_listed_by_name_without_regard_to_case(database: Database) -> None:
    await database.store(*map(a_tag, ("sea", "Beach", "alp", "Écluse", "Zoo", "SAND")))

    assert await names(database, None) == ["alp", "Beach", "SAND", "sea", "Zoo", "Écluse"]


async def test_text_is_looked_for_without_regard_to_case(database: Database) -> None:
    await database.store(*map(a_tag, ("Seaside", "Overseas", "Sand", "Straße", "100%", "a_b", "a\\b")))

    assert await names(database, "SEA") == ["Overseas", "Seaside"]
    assert await names(database, "STRASSE") == ["Straße"]
    assert await names(database, "%") == ["100%"]
    assert await names(database, "_") == ["a_b"]
    assert await names(database, "\\") == ["a\\b"]
    assert await names(database, "unheard of") == []
    assert len(await names(database, "")) == 7


@pytest.mark.parametrize("backward", [False, True])
async def test_a_page_says_whether_the_list_goes_on(database: Database, *, backward: bool) -> None:
    await database.store(*map(a_tag, ("a", "b", "c", "D")))
    request = PageRequest(limit=3, backward=backward)

    one = await database.tags.list_page(ADA, TagQuery(page=request))
    if backward:
        request = replace(request, before=one.edges[0].position)
    else:
        request = replace(request, after=one.edges[-1].position)
    other = await database.tags.list_page(ADA, TagQuery(page=request))

    assert [tag.name for tag in one.items] == (["b", "c", "D"] if backward else ["a", "b", "c"])
    assert [edge.position.value for edge in one.edges] == (["b", "c", "d"] if backward else ["a", "b", "c"])
    assert (one.has_previous, one.has_next) == ((True, False) if backward else (False, True))
    assert [tag.name for tag in other.items] == (["a"] if backward else ["D"])
    assert (other.has_previous, other.has_next) == ((False, True) if backward else (True, False))


async def test_the_tags_of_an_image_come_by_name(database: Database) -> None:
    image, plain, sea, alp, beach = an_image(), an_image(), a_tag("sea"), a_tag("alp"), a_tag("Beach")
    await database.store(image, plain, sea, alp, beach, tagged={sea: [image], alp: [image], beach: [image]})

    assert await database.tags.by_image(ADA, [image.id, plain.id]) == {image.id: (alp, beach, sea)}
    assert await database.tags.by_image(ADA, []) == {}


async def test_images_are_counted_for_each_tag_that_has_any(database: Database) -> None:
    one, other, sea, sand, unused = an_image(), an_image(), a_tag("Sea"), a_tag("Sand"), a_tag("Unused")
    await database.store(one, other, sea, sand, unused, tagged={sea: [one, other], sand: [one]})

    assert await database.tags.image_counts(ADA, [sea.id, unused.id, sand.id]) == {sea.id: 2, sand.id: 1}
    assert await database.tags.image_counts(ADA, []) == {}
