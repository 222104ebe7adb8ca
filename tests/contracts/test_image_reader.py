"""What every reader of images must do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from gallery.domain.ids import new_album_id, new_image_id, new_tag_id
from gallery.domain.images import ContentType, Image
from gallery.domain.pages import (
    ContentTypeStats,
    Direction,
    GalleryStats,
    ImageFilter,
    ImageQuery,
    ImageSortField,
    PageRequest,
    TagMode,
)
from tests.contracts.under_test import Database
from tests.entities import ADA, BOB, NOON, a_rendition, a_tag, after, an_album, an_image

SORT_VALUES: dict[ImageSortField, Callable[[Image], Any]] = {
    ImageSortField.UPLOADED_AT: lambda image: (image.uploaded_at, image.id),
    ImageSortField.TITLE: lambda image: (image.title.lower(), image.id),
    ImageSortField.FILE_SIZE: lambda image: (image.file_size_bytes, image.id),
}
"""What an image has its place by."""


async def found(database: Database, image_filter: ImageFilter) -> list[Image]:
    """All images that the filter leaves, after it was seen that they are counted right."""
    page = await database.images.list_page(ADA, ImageQuery(filter=image_filter, page=PageRequest(limit=100)))
    assert await database.images.count(ADA, image_filter) == len(page.items)
    return sorted(page.items, key=lambda image: image.title)


async def titles(database: Database, **wanted: Any) -> list[str]:  # noqa: ANN401  # any part of a filter
    return [image.title for image in await found(database, ImageFilter(**wanted))]


async def walk(database: Database, query: ImageQuery) -> list[Image]:
    """All items of a list, two at a time in the direction of the request."""
    items: list[Image] = []
    request = PageRequest(limit=2, backward=query.page.backward)
    while True:
        page = await database.images.list_page(ADA, replace(query, page=request))
        items = [*page.items, *items] if request.backward else [*items, *page.items]
        goes_on, came_from = (
            (page.has_previous, page.has_next) if request.backward else (page.has_next, page.has_previous)
        )
        assert came_from is (len(items) > len(page.items))
        if not goes_on:
            return items
        if request.backward:
            request = replace(request, before=page.edges[0].position)
        else:
            request = replace(request, after=page.edges[-1].position)


async def test_images_that_do_not_exist_or_are_deleted_are_left_out(database: Database) -> None:
    image, deleted = an_image(), an_image()
    await database.store(image, deleted)
    await database.save(deleted.deleted(after(1)))

    assert await database.images.get_many(ADA, [deleted.id, image.id, new_image_id()]) == {image.id: image}
    assert await database.images.get_many(ADA, []) == {}
    assert await found(database, ImageFilter()) == [image]


async def test_an_empty_list_has_one_empty_page(database: Database) -> None:
    page = await database.images.list_page(ADA, ImageQuery())

    assert (page.edges, page.has_next, page.has_previous) == ((), False, False)
    assert await database.images.count(ADA, ImageFilter()) == 0


@pytest.mark.parametrize("field", ImageSortField)
@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("backward", [False, True])
async def test_walking_a_list_gives_every_image_once_in_order(
    database: Database, field: ImageSortField, direction: Direction, *, backward: bool
) -> None:
    images = [
        an_image(title=title, uploaded_at=after(minutes), file_size_bytes=size)
        for title, minutes, size in (
            ("beach", 3, 100),
            ("Alp", 1, 300),
            ("beach", 1, 100),
            ("Coast", 2, 200),
            ("alp", 2, 5 * 1024**3),
            ("Écluse", 1, 1),
            ("zoo", 1, 100),
        )
    ]
    await database.store(*images)
    query = ImageQuery(sort_field=field, direction=direction, page=PageRequest(backward=backward))

    assert await walk(database, query) == sorted(images, key=SORT_VALUES[field], reverse=direction is Direction.DESC)


async def test_a_page_lies_between_its_bounds(database: Database) -> None:
    images = sorted((an_image(uploaded_at=after(minutes)) for minutes in range(6)), key=lambda image: image.uploaded_at)
    await database.store(*images)
    query = ImageQuery(direction=Direction.ASC)
    positions = [edge.position for edge in (await database.images.list_page(ADA, query)).edges]

    between = PageRequest(limit=10, after=positions[0], before=positions[4])
    whole = await database.images.list_page(ADA, replace(query, page=between))
    first = await database.images.list_page(ADA, replace(query, page=replace(between, limit=2)))
    last = await database.images.list_page(ADA, replace(query, page=replace(between, limit=2, backward=True)))
    nothing = await database.images.list_page(
        ADA, replace(query, page=PageRequest(after=positions[2], before=positions[3]))
    )

    assert whole.items == (images[1], images[2], images[3])
    assert (first.items, first.has_next, first.has_previous) == ((images[1], images[2]), True, True)
    assert (last.items, last.has_next, last.has_previous) == ((images[2], images[3]), True, True)
    assert nothing.items == ()


async def test_a_position_whose_image_is_gone_still_holds(database: Database) -> None:
    images = [an_image(uploaded_at=after(minutes)) for minutes in range(3)]
    await database.store(*images)
    query = ImageQuery(direction=Direction.ASC, page=PageRequest(limit=2))
    page = await database.images.list_page(ADA, query)
    await database.save(images[1].deleted(after(10)))
    between = an_image(uploaded_at=after(0.5))
    await database.store(between)

    following = await database.images.list_page(
        ADA, replace(query, page=PageRequest(limit=2, after=page.edges[-1].position))
    )

    assert following.items == (images[2],)


async def test_text_is_looked_for_in_title_and_file_name_without_regard_to_case(database: Database) -> None:
    await database.store(
        an_image(title="Harbour", original_filename="1.jpg"),
        an_image(title="Lighthouse", original_filename="HARBOUR.JPG"),
        an_image(title="Éclair", original_filename="2.jpg"),
        an_image(title="Moor", original_filename="3.png"),
    )

    assert await titles(database, text="arBOu") == ["Harbour", "Lighthouse"]
    assert await titles(database, text="éCLAIR") == ["Éclair"]
    assert await titles(database, text="o") == ["Harbour", "Lighthouse", "Moor"]
    assert await titles(database, text="") == ["Harbour", "Lighthouse", "Moor", "Éclair"]
    assert await titles(database, text="harbour lighthouse") == []


@pytest.mark.parametrize("text", ["%", "_", "\\", "'", "100%", "a_b", "\\%", "; --"])
async def test_text_has_no_characters_of_special_meaning(database: Database, text: str) -> None:
    await database.store(an_image(title=f"with {text} inside"), an_image(title="100 aXb without"))

    assert await titles(database, text=text) == [f"with {text} inside"]


async def test_tags_narrow_the_list_by_any_or_all_of_them(database: Database) -> None:
    both, sea_only, neither = an_image(title="both"), an_image(title="sea only"), an_image(title="neither")
    sea, sand = a_tag("Sea"), a_tag("Sand")
    await database.store(both, sea_only, neither, sea, sand, tagged={sea: [both, sea_only], sand: [both]})

    assert await titles(database, tag_names=("SEA",)) == ["both", "sea only"]
    assert await titles(database, tag_names=("sea", "sand"), tag_mode=TagMode.ANY) == ["both", "sea only"]
    assert await titles(database, tag_names=("sea", "sand"), tag_mode=TagMode.ALL) == ["both"]
    assert await titles(database, tag_names=("sea", "SEA"), tag_mode=TagMode.ALL) == ["both", "sea only"]
    assert await titles(database, tag_names=("unheard of",)) == []
    assert await titles(database, tag_names=("sea", "unheard of"), tag_mode=TagMode.ANY) == ["both", "sea only"]
    assert await titles(database, tag_names=("sea", "unheard of"), tag_mode=TagMode.ALL) == []
    assert await titles(database, tag_names=(), tag_mode=TagMode.ALL) == ["both", "neither", "sea only"]


async def test_an_album_and_types_narrow_the_list(database: Database) -> None:
    jpeg, png, gif = (
        an_image(title=content_type.name, content_type=content_type)
        for content_type in (ContentType.JPEG, ContentType.PNG, ContentType.GIF)
    )
    album = an_album()
    await database.store(jpeg, png, gif, album, held={album: [png, jpeg]})

    assert await titles(database, album_id=album.id) == ["JPEG", "PNG"]
    assert await titles(database, album_id=new_album_id()) == []
    assert await titles(database, content_types=(ContentType.PNG,)) == ["PNG"]
    assert await titles(database, content_types=(ContentType.GIF, ContentType.JPEG)) == ["GIF", "JPEG"]
    assert await titles(database, content_types=(ContentType.WEBP,)) == []
    assert await titles(database, album_id=album.id, content_types=(ContentType.GIF, ContentType.PNG)) == ["PNG"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("ri", ["Paris", "Rio"]), ("IR", []), ("東京", ["東京の夜"]), ("京", ["東京の夜"]), ("a b", ["Ca ba"]), ("é", [])],
)
async def test_text_may_be_shorter_than_three_letters(database: Database, text: str, expected: list[str]) -> None:
    names = ("Paris", "Rio", "東京の夜", "Ca ba", "sea")
    await database.store(*(an_image(title=name, original_filename="1.png") for name in names))

    assert await titles(database, text=text) == expected


@pytest.mark.parametrize("field", ImageSortField)
@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize(
    "narrowed",
    [
        {},
        {"text": "east"},
        {"content_types": (ContentType.JPEG,)},
        {"tag_names": ("sea",)},
        {"tag_names": ("sea", "sky")},
        {"tag_names": ("sea", "sky"), "tag_mode": TagMode.ALL},
        {"uploaded_from": after(2)},
    ],
    ids=str,
)
async def test_walking_a_part_of_an_album_gives_every_image_once_in_order(
    database: Database, field: ImageSortField, direction: Direction, narrowed: dict[str, Any]
) -> None:
    held = [
        an_image(title=f"{name} {number % 3}", uploaded_at=after(number % 4), file_size_bytes=1 + number % 2)
        for number, name in enumerate(("East", "east", "west", "East") * 3)
    ]
    elsewhere = [an_image(title="East", uploaded_at=after(3)) for _ in range(3)]
    album, sea, sky = an_album(), a_tag("sea"), a_tag("sky")
    tagged = {sea: [*held[:9], *elsewhere], sky: [*held[6:], *elsewhere]}
    await database.store(*held, *elsewhere, album, sea, sky, tagged=tagged, held={album: held})
    of_album = ImageFilter(album_id=album.id, **narrowed)
    expected = {image.id for image in await found(database, ImageFilter(**narrowed))} & {image.id for image in held}

    walked = await walk(database, ImageQuery(filter=of_album, sort_field=field, direction=direction))

    assert {image.id for image in walked} == expected
    assert len(walked) == len(expected) == await database.images.count(ADA, of_album)
    values = [SORT_VALUES[field](image) for image in walked]
    assert values == sorted(values, reverse=direction is Direction.DESC)


async def test_a_range_of_time_holds_its_beginning_and_not_its_end(database: Database) -> None:
    await database.store(*(an_image(title=f"{minutes}", uploaded_at=after(minutes)) for minutes in range(4)))

    assert await titles(database, uploaded_from=after(1), uploaded_to=after(3)) == ["1", "2"]
    assert await titles(database, uploaded_from=after(2)) == ["2", "3"]
    assert await titles(database, uploaded_to=after(2)) == ["0", "1"]
    assert await titles(database, uploaded_from=after(2), uploaded_to=after(2)) == []


async def test_a_filter_leaves_what_every_part_of_it_leaves(database: Database) -> None:
    images = [an_image(title=f"Harbour {minutes}", uploaded_at=after(minutes)) for minutes in range(4)]
    sea = a_tag("Sea")
    await database.store(*images, an_image(title="Moor", uploaded_at=after(2)), sea, tagged={sea: images[:3]})

    assert await titles(database, text="harbour", tag_names=("sea",), uploaded_from=after(1)) == [
        "Harbour 1",
        "Harbour 2",
    ]


async def test_checksums_are_known_for_the_viewers_own_images_alone(database: Database) -> None:
    own, others, deleted = an_image(owner=ADA.id), an_image(owner=BOB.id), an_image(owner=ADA.id)
    await database.store(own, others, deleted)
    await database.save(deleted.deleted(after(1)))
    checksums = [own.checksum, others.checksum, deleted.checksum, "0" * 64]

    assert await database.images.known_checksums(ADA, checksums) == {own.checksum: own.id}
    assert await database.images.known_checksums(BOB, checksums) == {others.checksum: others.id}
    assert await database.images.known_checksums(ADA, []) == {}


async def test_images_without_renditions_are_left_out(database: Database) -> None:
    image, plain = an_image(), an_image()
    await database.store(image, plain)
    async with database.unit_of_work() as work:
        await work.images.replace_renditions(image.id, [a_rendition(image)])
        await work.commit()

    expected = {image.id: (a_rendition(image),)}
    assert await database.images.renditions(ADA, [plain.id, image.id, new_image_id()]) == expected
    assert await database.images.renditions(ADA, []) == {}


async def test_albums_are_paged_in_their_own_order(database: Database) -> None:
    images = [an_image(uploaded_at=after(-minutes)) for minutes in range(5)]
    album, short, empty = an_album(), an_album("Short"), an_album("Empty")
    shuffled = [images[3], images[0], images[4], images[1]]
    await database.store(*images, album, short, empty, held={album: shuffled, short: [images[2]]})
    ids = [album.id, short.id, empty.id]

    first = await database.images.pages_by_album(ADA, ids, PageRequest(limit=3))
    last = await database.images.pages_by_album(ADA, [album.id], PageRequest(limit=3, backward=True))
    rest = await database.images.pages_by_album(
        ADA, [album.id], PageRequest(limit=3, after=first[album.id].edges[-1].position)
    )

    assert first[album.id].items == tuple(shuffled[:3])
    assert (first[album.id].has_next, first[album.id].has_previous) == (True, False)
    assert first[short.id].items == (images[2],)
    assert (first[short.id].has_next, first[short.id].has_previous) == (False, False)
    assert first[empty.id].items == ()
    assert last[album.id].items == tuple(shuffled[1:])
    assert (last[album.id].has_next, last[album.id].has_previous) == (False, True)
    assert rest[album.id].items == (images[1],)
    assert (rest[album.id].has_next, rest[album.id].has_previous) == (False, True)
    for one, other in pairwise(first[album.id].edges):
        assert isinstance(one.position.value, int)
        assert isinstance(other.position.value, int)
        assert one.position.value < other.position.value
    assert [edge.position.id for edge in first[album.id].edges] == [image.id for image in shuffled[:3]]


async def test_the_images_of_tags_are_paged_newest_upload_first(database: Database) -> None:
    images = [an_image(uploaded_at=after(minutes)) for minutes in (1, 3, 2, 3)]
    sea, unused = a_tag("Sea"), a_tag("Unused")
    await database.store(*images, sea, unused, tagged={sea: images})
    newest_first = sorted(images, key=lambda image: (image.uploaded_at, image.id), reverse=True)

    first = await database.images.pages_by_tag(ADA, [sea.id, unused.id], PageRequest(limit=2))
    rest = await database.images.pages_by_tag(
        ADA, [sea.id], PageRequest(limit=2, after=first[sea.id].edges[-1].position)
    )

    assert first[sea.id].items == tuple(newest_first[:2])
    assert (first[sea.id].has_next, first[sea.id].has_previous) == (True, False)
    assert [edge.position.value for edge in first[sea.id].edges] == [after(3), after(3)]
    assert first[unused.id].items == ()
    assert rest[sea.id].items == tuple(newest_first[2:])
    assert (rest[sea.id].has_next, rest[sea.id].has_previous) == (False, True)


async def test_pages_of_no_albums_and_no_tags_are_none(database: Database) -> None:
    assert await database.images.pages_by_album(ADA, [], PageRequest()) == {}
    assert await database.images.pages_by_tag(ADA, [], PageRequest()) == {}
    assert (await database.images.pages_by_tag(ADA, [tag_id := new_tag_id()], PageRequest()))[tag_id].items == ()


async def test_statistics_count_what_is_there(database: Database) -> None:
    deleted = an_image()
    await database.store(
        an_image(content_type=ContentType.PNG, file_size_bytes=5),
        an_image(content_type=ContentType.JPEG, file_size_bytes=3 * 1024**4),
        an_image(content_type=ContentType.JPEG, file_size_bytes=4),
        deleted,
        a_tag("Sea"),
        a_tag("Sand"),
        an_album(),
    )
    await database.save(deleted.deleted(NOON))

    assert await database.images.stats(ADA) == GalleryStats(
        image_count=3,
        tag_count=2,
        album_count=1,
        size_bytes=3 * 1024**4 + 9,
        content_types=(
            ContentTypeStats(content_type=ContentType.JPEG, image_count=2, size_bytes=3 * 1024**4 + 4),
            ContentTypeStats(content_type=ContentType.PNG, image_count=1, size_bytes=5),
        ),
    )
