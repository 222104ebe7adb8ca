"""What every reader of albums must do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gallery.domain.albums import Album
from gallery.domain.ids import new_album_id
from gallery.domain.pages import AlbumQuery, AlbumSortField, Direction, PageRequest
from tests.contracts.under_test import Database
from tests.entities import ADA, after, an_album, an_image


async def walk(database: Database, query: AlbumQuery) -> list[Album]:
    """All items of a list, two at a time."""
    items: list[Album] = []
    request = PageRequest(limit=2)
    while True:
        page = await database.albums.list_page(ADA, replace(query, page=request))
        items += page.items
        if not page.has_next:
            return items
        request = replace(request, after=page.edges[-1].position)


async def titles(database: Database, text: str | None) -> list[str]:
    """The titles of all albums with the text, after it was seen that they are counted right."""
    query = AlbumQuery(text=text, sort_field=AlbumSortField.TITLE, direction=Direction.ASC)
    page = await database.albums.list_page(ADA, query)
    assert await database.albums.count(ADA, text) == len(page.items)
    return [album.title for album in page.items]


async def test_albums_that_do_not_exist_are_left_out(database: Database) -> None:
    album = an_album()
    await database.store(album)

    assert await database.albums.get_many(ADA, [new_album_id(), album.id]) == {album.id: album}
    assert await database.albums.get_many(ADA, []) == {}


@pytest.mark.parametrize("field", AlbumSortField)
@pytest.mark.parametrize("direction", Direction)
async def test_walking_a_list_gives_every_album_once_in_order(
    database: Database, field: AlbumSortField, direction: Direction
) -> None:
    albums = [
        an_album(title, created_at=after(created), updated_at=after(updated))
        for title, created, updated in (
            ("beach", 1, 9),
            ("Alp", 2, 8),
            ("Beach", 1, 9),
            ("Écluse", 3, 7),
            ("zoo", 1, 8),
        )
    ]
    await database.store(*albums)
    keys = {
        AlbumSortField.TITLE: lambda album: (album.title.lower(), album.id),
        AlbumSortField.CREATED_AT: lambda album: (album.created_at, album.id),
        AlbumSortField.UPDATED_AT: lambda album: (album.updated_at, album.id),
    }

    found = await walk(database, AlbumQuery(sort_field=field, direction=direction))

    assert found == sorted(albums, key=keys[field], reverse=direction is Direction.DESC)


async def test_text_is_looked_for_in_the_title_without_regard_to_case(database: Database) -> None:
    await database.store(
        *map(an_album, ("Summer", "High SUMMER", "Winter", "Été", "100%", "a_b", "a\\b")),
        an_album("Spring", description="summer"),
    )

    assert await titles(database, "summER") == ["High SUMMER", "Summer"]
    assert await titles(database, "ÉTÉ") == ["Été"]
    assert await titles(database, "%") == ["100%"]
    assert await titles(database, "_") == ["a_b"]
    assert await titles(database, "\\") == ["a\\b"]
    assert await titles(database, "unheard of") == []
    assert len(await titles(database, None)) == len(await titles(database, "")) == 8


async def test_the_albums_of_an_image_come_oldest_first(database: Database) -> None:
    image, plain = an_image(), an_image()
    old, new, middle = (an_album(created_at=after(minutes)) for minutes in (1, 3, 2))
    await database.store(image, plain, old, new, middle, held={new: [image], old: [image], middle: [image]})

    assert await database.albums.by_image(ADA, [image.id, plain.id]) == {image.id: (old, middle, new)}
    assert await database.albums.by_image(ADA, []) == {}


async def test_images_are_counted_for_each_album_that_holds_any(database: Database) -> None:
    one, other, album, short, empty = an_image(), an_image(), an_album(), an_album("Short"), an_album("Empty")
    await database.store(one, other, album, short, empty, held={album: [one, other], short: [one]})

    assert await database.albums.image_counts(ADA, [album.id, empty.id, short.id]) == {album.id: 2, short.id: 1}
    assert await database.albums.image_counts(ADA, []) == {}


async def test_the_cover_is_the_chosen_image_else_the_first(database: Database) -> None:
    one, other, plain, chosen, empty = an_image(), an_image(), an_album(), an_album("Chosen"), an_album("Empty")
    await database.store(one, other, plain, chosen, empty, held={plain: [other, one], chosen: [other, one]})
    async with database.unit_of_work() as work:
        await work.albums.save(replace(chosen, cover_id=one.id))
        await work.commit()

    covers = await database.albums.cover_ids(ADA, [plain.id, chosen.id, empty.id, new_album_id()])

    assert covers == {plain.id: other.id, chosen.id: one.id}
    assert await database.albums.cover_ids(ADA, []) == {}
