"""Readers against a real PostgreSQL: pages in every order, filters, and pages of many parents at once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from itertools import pairwise

import pytest

from gallery.domain.albums import Album
from gallery.domain.errors import ErrorCode, InvalidInputError
from gallery.domain.ids import new_album_id, new_image_id, new_tag_id
from gallery.domain.images import ContentType, Image, RenditionSize
from gallery.domain.pages import (
    AlbumQuery,
    AlbumSortField,
    Direction,
    ImageFilter,
    ImageQuery,
    ImageSortField,
    Page,
    PageRequest,
    Position,
    TagMode,
    TagQuery,
)
from gallery.platform.database.albums import SqlAlbumReader
from gallery.platform.database.images import SqlImageReader
from gallery.platform.database.tags import SqlTagReader
from tests.entities import ADA, BOB, a_rendition, after, an_album, an_image
from tests.integration.database_support import Database, open_database
from tests.statements import recorded_statements

ListPage = Callable[[PageRequest], Awaitable[Page[Image]]]


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url) as database:
        yield database


@pytest.fixture
def images(database: Database) -> SqlImageReader:
    return SqlImageReader(database.engine)


@pytest.fixture
def tags(database: Database) -> SqlTagReader:
    return SqlTagReader(database.engine)


@pytest.fixture
def albums(database: Database) -> SqlAlbumReader:
    return SqlAlbumReader(database.engine)


async def forward(list_page: ListPage, limit: int) -> list[Image]:
    """All items, page by page from the start."""
    items: list[Image] = []
    request = PageRequest(limit=limit)
    while True:
        page = await list_page(request)
        items += page.items
        assert page.has_previous is (request.after is not None)
        if not page.has_next:
            return items
        assert len(page.edges) == limit
        request = PageRequest(limit=limit, after=page.edges[-1].position)


async def backward(list_page: ListPage, limit: int) -> list[Image]:
    """All items, page by page from the end, in the order of the list."""
    items: list[Image] = []
    request = PageRequest(limit=limit, backward=True)
    while True:
        page = await list_page(request)
        items = [*page.items, *items]
        assert page.has_next is (request.before is not None)
        if not page.has_previous:
            return items
        assert len(page.edges) == limit
        request = PageRequest(limit=limit, before=page.edges[0].position, backward=True)


SORT_KEYS: dict[ImageSortField, Callable[[Image], tuple[object, bytes]]] = {
    ImageSortField.UPLOADED_AT: lambda image: (image.uploaded_at, image.id.bytes),
    ImageSortField.TITLE: lambda image: (image.title.lower(), image.id.bytes),
    ImageSortField.FILE_SIZE: lambda image: (image.file_size_bytes, image.id.bytes),
}


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("field", ImageSortField)
async def test_pages_hold_every_image_once_in_order_even_among_equals(
    database: Database, images: SqlImageReader, field: ImageSortField, direction: Direction
) -> None:
    stored = [
        an_image(title=title, uploaded_at=after(index // 3), file_size_bytes=1000 + index // 4)
        for index, title in enumerate(["b", "B", "a", "Z", "é", "_", "a", "B", "10", "9", "Éa"])
    ]
    await database.store(*stored)
    expected = sorted(stored, key=SORT_KEYS[field], reverse=direction is Direction.DESC)

    async def list_page(request: PageRequest) -> Page[Image]:
        return await images.list_page(ADA, ImageQuery(sort_field=field, direction=direction, page=request))

    assert await forward(list_page, 2) == expected
    assert await backward(list_page, 3) == expected
    whole = await list_page(PageRequest(limit=11))
    assert whole.items == tuple(expected)
    assert not whole.has_next
    between = await list_page(PageRequest(limit=3, after=whole.edges[2].position, before=whole.edges[5].position))
    assert between.items == tuple(expected[3:5])
    assert (between.has_next, between.has_previous) == (False, True)
    last_between = await list_page(
        PageRequest(limit=1, after=whole.edges[2].position, before=whole.edges[5].position, backward=True)
    )
    assert last_between.items == (expected[4],)
    assert (last_between.has_next, last_between.has_previous) == (True, True)


async def test_positions_hold_the_value_that_a_list_is_sorted_by(database: Database, images: SqlImageReader) -> None:
    image = an_image(title="Ümit", file_size_bytes=5_000_000_000, uploaded_at=after(1.25))
    await database.store(image)
    positions = [
        (await images.list_page(ADA, ImageQuery(sort_field=field))).edges[0].position for field in ImageSortField
    ]
    assert positions == [
        Position(after(1.25), image.id),
        Position("ümit", image.id),
        Position(5_000_000_000, image.id),
    ]


async def test_a_position_of_another_kind_of_list_is_refused(images: SqlImageReader) -> None:
    request = PageRequest(after=Position("harbour", new_image_id()))
    with pytest.raises(InvalidInputError) as refused:
        await images.list_page(ADA, ImageQuery(page=request))
    assert (refused.value.code, refused.value.field) == (ErrorCode.INVALID_CURSOR, ("after",))


async def test_what_is_added_meanwhile_moves_nothing_between_pages(database: Database, images: SqlImageReader) -> None:
    first, second, third = (an_image(uploaded_at=after(minute)) for minute in (3, 2, 1))
    await database.store(first, second, third)
    page = await images.list_page(ADA, ImageQuery(page=PageRequest(limit=1)))
    await database.store(an_image(uploaded_at=after(9)))
    rest = await images.list_page(ADA, ImageQuery(page=PageRequest(after=page.edges[-1].position)))
    assert rest.items == (second, third)


@pytest.mark.parametrize(
    ("image_filter", "titles"),
    [
        (ImageFilter(), ["harbour", "Cat_1", "100% wool", "C:\\temp"]),
        (ImageFilter(text="HARB"), ["harbour"]),
        (ImageFilter(text="dsc"), ["Cat_1"]),
        (ImageFilter(text="_"), ["Cat_1"]),
        (ImageFilter(text="0%"), ["100% wool"]),
        (ImageFilter(text="\\t"), ["C:\\temp"]),
        (ImageFilter(text="nowhere"), []),
        (ImageFilter(tag_names=("SEA",)), ["harbour", "100% wool"]),
        (ImageFilter(tag_names=("sea", "cat")), ["harbour", "Cat_1", "100% wool"]),
        (ImageFilter(tag_names=("sea", "warm", "Sea"), tag_mode=TagMode.ALL), ["100% wool"]),
        (ImageFilter(tag_names=("sea", "cat"), tag_mode=TagMode.ALL), []),
        (ImageFilter(tag_names=("no such tag",)), []),
        (ImageFilter(content_types=(ContentType.PNG,)), ["Cat_1"]),
        (ImageFilter(content_types=(ContentType.PNG, ContentType.GIF)), ["Cat_1", "C:\\temp"]),
        (ImageFilter(uploaded_from=after(2), uploaded_to=after(4)), ["Cat_1", "100% wool"]),
        (ImageFilter(text="a", tag_names=("cat", "sea"), uploaded_from=after(3)), ["harbour", "Cat_1"]),
    ],
)
async def test_a_filter_leaves_and_counts_the_images_that_it_is_for(
    database: Database, images: SqlImageReader, image_filter: ImageFilter, titles: list[str]
) -> None:
    harbour = an_image(title="harbour", original_filename="1.jpg", uploaded_at=after(4))
    cat = an_image(title="Cat_1", original_filename="DSC1.png", content_type=ContentType.PNG, uploaded_at=after(3))
    wool = an_image(title="100% wool", original_filename="2.jpg", uploaded_at=after(2))
    temp = an_image(title="C:\\temp", original_filename="3.gif", content_type=ContentType.GIF, uploaded_at=after(1))
    await database.store(
        harbour, cat, wool, temp, tags={"Sea": [harbour, wool], "cat": [cat], "warm": [cat, wool], "unused": []}
    )
    page = await images.list_page(ADA, ImageQuery(filter=image_filter))
    assert [image.title for image in page.items] == titles
    assert await images.count(ADA, image_filter) == len(titles)


async def test_a_filter_by_album_leaves_the_images_of_the_album(database: Database, images: SqlImageReader) -> None:
    inside, outside, album = an_image(), an_image(), an_album()
    await database.store(inside, outside, albums={album: [inside]})
    image_filter = ImageFilter(album_id=album.id)
    assert (await images.list_page(ADA, ImageQuery(filter=image_filter))).items == (inside,)
    assert await images.count(ADA, image_filter) == 1
    assert await images.count(ADA, ImageFilter(album_id=new_album_id())) == 0


async def test_deleted_images_are_nowhere(
    database: Database, images: SqlImageReader, tags: SqlTagReader, albums: SqlAlbumReader
) -> None:
    image, album = an_image(), an_album()
    await database.store(image, tags={"sea": [image]}, albums={album: [image]})
    sea = (await tags.list_page(ADA, TagQuery())).items[0]
    async with database.work() as work:
        await work.images.replace_renditions(image.id, [a_rendition(image)])
        await work.albums.save(album.with_details(title="Summer", description=None, cover_id=image.id, now=after(1)))
        await work.images.save(image.deleted(after(2)))
        await work.commit()
    assert await images.get_many(ADA, [image.id]) == {}
    assert (await images.list_page(ADA, ImageQuery())).items == ()
    assert await images.count(ADA, ImageFilter()) == 0
    assert await images.known_checksums(ADA, [image.checksum]) == {}
    assert await images.renditions(ADA, [image.id]) == {}
    assert (await images.pages_by_album(ADA, [album.id], PageRequest()))[album.id].items == ()
    assert (await images.pages_by_tag(ADA, [sea.id], PageRequest()))[sea.id].items == ()
    assert (await images.stats(ADA)).image_count == 0
    assert await tags.by_image(ADA, [image.id]) == {}
    assert await tags.image_counts(ADA, [sea.id]) == {}
    assert await albums.by_image(ADA, [image.id]) == {}
    assert await albums.image_counts(ADA, [album.id]) == {}
    assert await albums.cover_ids(ADA, [album.id]) == {}
    assert (await albums.get_many(ADA, [album.id]))[album.id].cover_id is None


async def test_an_image_comes_back_as_it_was_stored(database: Database, images: SqlImageReader) -> None:
    image = an_image(title="Ümit 🌊", description="two\nlines", processing_error="none", version=7).rendered(after(1))
    await database.store(image)
    assert await images.get_many(ADA, [image.id, new_image_id()]) == {image.id: image}


async def test_only_the_viewers_own_checksums_are_known(database: Database, images: SqlImageReader) -> None:
    mine, anothers = an_image(), an_image(owner=BOB.id)
    await database.store(mine, anothers)
    assert await images.known_checksums(ADA, [mine.checksum, anothers.checksum, "0" * 64]) == {mine.checksum: mine.id}


async def test_renditions_come_smallest_first(database: Database, images: SqlImageReader) -> None:
    image, without = an_image(), an_image()
    small, medium, large = (a_rendition(image, size) for size in RenditionSize)
    await database.store(image, without)
    async with database.work() as work:
        await work.images.replace_renditions(image.id, [large])
        await work.images.replace_renditions(image.id, [large, small, medium])
        assert await work.images.renditions(image.id) == (small, medium, large)
        await work.commit()
    assert await images.renditions(ADA, [without.id, image.id]) == {image.id: (small, medium, large)}


async def test_one_statement_reads_the_same_part_of_many_albums(database: Database, images: SqlImageReader) -> None:
    stored = [an_image(uploaded_at=after(index)) for index in range(6)]
    ascending, descending, empty = an_album("up"), an_album("down"), an_album("empty")
    await database.store(*stored, albums={ascending: stored, descending: stored[::-1], empty: []})
    album_ids = [ascending.id, descending.id, empty.id]
    with recorded_statements(database.engine) as statements:
        first = await images.pages_by_album(ADA, album_ids, PageRequest(limit=2))
    assert len(statements) == 1
    assert first[ascending.id].items == tuple(stored[:2])
    assert first[descending.id].items == tuple(stored[:3:-1])
    assert first[empty.id] == Page.of((), has_next=False, has_previous=False)
    assert [edge.position.value for edge in first[ascending.id].edges] == [1, 2]
    assert first[ascending.id].has_next

    second = await images.pages_by_album(
        ADA, [ascending.id], PageRequest(limit=4, after=first[ascending.id].edges[-1].position)
    )
    assert second[ascending.id].items == tuple(stored[2:])
    assert not second[ascending.id].has_next
    last = await images.pages_by_album(ADA, album_ids, PageRequest(limit=2, backward=True))
    assert last[ascending.id].items == tuple(stored[4:])
    assert last[descending.id].items == (stored[1], stored[0])
    assert (last[ascending.id].has_next, last[ascending.id].has_previous) == (False, True)


async def test_one_statement_reads_the_newest_images_of_many_tags(
    database: Database, images: SqlImageReader, tags: SqlTagReader
) -> None:
    stored = [an_image(uploaded_at=after(index // 2)) for index in range(6)]
    await database.store(*stored, tags={"even": stored[::2], "all": stored, "unused": []})
    by_name = {tag.name: tag.id for tag in (await tags.list_page(ADA, TagQuery())).items}
    newest_first = sorted(stored, key=SORT_KEYS[ImageSortField.UPLOADED_AT], reverse=True)
    with recorded_statements(database.engine) as statements:
        pages = await images.pages_by_tag(ADA, list(by_name.values()), PageRequest(limit=4))
    assert len(statements) == 1
    assert pages[by_name["all"]].items == tuple(newest_first[:4])
    assert pages[by_name["even"]].items == (stored[4], stored[2], stored[0])
    assert pages[by_name["unused"]].items == ()
    assert (pages[by_name["all"]].has_next, pages[by_name["even"]].has_next) == (True, False)
    values = [edge.position.value for edge in pages[by_name["all"]].edges]
    assert all(isinstance(value, datetime) for value in values)
    assert all(newer >= older for newer, older in pairwise(image.uploaded_at for image in newest_first))
    rest = await images.pages_by_tag(ADA, [by_name["all"]], PageRequest(after=pages[by_name["all"]].edges[-1].position))
    assert rest[by_name["all"]].items == tuple(newest_first[4:])


async def test_stats_add_up_what_there_is(database: Database, images: SqlImageReader) -> None:
    jpegs = [an_image(file_size_bytes=3_000_000_000), an_image(file_size_bytes=10)]
    png = an_image(file_size_bytes=5, content_type=ContentType.PNG)
    await database.store(*jpegs, png, tags={"sea": jpegs, "sky": []}, albums={an_album(): [png]})
    stats = await images.stats(ADA)
    assert (stats.image_count, stats.tag_count, stats.album_count, stats.size_bytes) == (3, 2, 1, 3_000_000_015)
    assert [(one.content_type, one.image_count, one.size_bytes) for one in stats.content_types] == [
        (ContentType.JPEG, 2, 3_000_000_010),
        (ContentType.PNG, 1, 5),
    ]


async def test_stats_of_an_empty_gallery_are_zero(images: SqlImageReader) -> None:
    stats = await images.stats(ADA)
    assert (stats.image_count, stats.size_bytes, stats.content_types) == (0, 0, ())


async def test_tags_are_listed_counted_and_found_by_name_without_regard_to_case(
    database: Database, tags: SqlTagReader
) -> None:
    await database.store(tags=dict.fromkeys(["sky", "Sea", "STRASSE", "a_b", "axb"], ()))
    listed = await tags.list_page(ADA, TagQuery(page=PageRequest(limit=3)))
    assert [tag.name for tag in listed.items] == ["a_b", "axb", "Sea"]
    assert listed.edges[-1].position == Position("sea", listed.items[-1].id)
    rest = await tags.list_page(ADA, TagQuery(page=PageRequest(after=listed.edges[-1].position)))
    assert [tag.name for tag in rest.items] == ["sky", "STRASSE"]
    for text, names in {"S": ["Sea", "sky", "STRASSE"], "_": ["a_b"], "straße": ["STRASSE"], "%": []}.items():
        assert [tag.name for tag in (await tags.list_page(ADA, TagQuery(text=text))).items] == names
        assert await tags.count(ADA, text) == len(names)
    assert await tags.count(ADA, None) == 5


async def test_tags_and_albums_of_images_and_their_counts(
    database: Database, tags: SqlTagReader, albums: SqlAlbumReader
) -> None:
    first, second, bare = an_image(), an_image(), an_image()
    older, newer = an_album("older", created_at=after(1)), an_album("newer", created_at=after(2))
    await database.store(
        first,
        second,
        bare,
        tags={"b": [first], "A": [first, second]},
        albums={newer: [first], older: [second, first]},
    )
    image_ids = [first.id, second.id, bare.id]
    by_image = await tags.by_image(ADA, image_ids)
    assert {id_: [tag.name for tag in found] for id_, found in by_image.items()} == {
        first.id: ["A", "b"],
        second.id: ["A"],
    }
    a, b = by_image[first.id]
    assert await tags.get_many(ADA, [a.id, new_tag_id()]) == {a.id: a}
    assert await tags.image_counts(ADA, [a.id, b.id, new_tag_id()]) == {a.id: 2, b.id: 1}
    assert await albums.by_image(ADA, image_ids) == {first.id: (older, newer), second.id: (older,)}
    assert await albums.image_counts(ADA, [older.id, newer.id, new_album_id()]) == {older.id: 2, newer.id: 1}


async def test_the_cover_of_an_album_is_the_chosen_image_or_the_first(
    database: Database, albums: SqlAlbumReader
) -> None:
    first, second = an_image(), an_image()
    chosen, unchosen, empty = an_album("chosen"), an_album("unchosen"), an_album("empty")
    await database.store(first, second, albums={chosen: [first, second], unchosen: [first, second], empty: []})
    async with database.work() as work:
        await work.albums.save(chosen.with_details(title="chosen", description=None, cover_id=second.id, now=after(1)))
        await work.commit()
    assert await albums.cover_ids(ADA, [chosen.id, unchosen.id, empty.id]) == {
        chosen.id: second.id,
        unchosen.id: first.id,
    }


@pytest.mark.parametrize(
    ("field", "ascending"),
    [
        (AlbumSortField.TITLE, ["a", "B", "c"]),
        (AlbumSortField.CREATED_AT, ["c", "B", "a"]),
        (AlbumSortField.UPDATED_AT, ["B", "a", "c"]),
    ],
)
async def test_albums_are_sorted_both_ways_and_found_by_title(
    database: Database, albums: SqlAlbumReader, field: AlbumSortField, ascending: list[str]
) -> None:
    stored: list[Album] = [
        an_album(title, created_at=after(created), updated_at=after(updated))
        for title, created, updated in (("a", 3, 5), ("B", 2, 4), ("c", 1, 6))
    ]
    await database.store(albums=dict.fromkeys(stored, ()))
    for direction, titles in ((Direction.ASC, ascending), (Direction.DESC, ascending[::-1])):
        page = await albums.list_page(ADA, AlbumQuery(sort_field=field, direction=direction))
        assert [album.title for album in page.items] == titles
        rest = await albums.list_page(
            ADA,
            AlbumQuery(sort_field=field, direction=direction, page=PageRequest(after=page.edges[0].position)),
        )
        assert [album.title for album in rest.items] == titles[1:]
    assert (await albums.list_page(ADA, AlbumQuery(text="b"))).items == (stored[1],)
    assert (await albums.count(ADA, "B"), await albums.count(ADA, "_"), await albums.count(ADA, None)) == (1, 0, 3)


async def test_asking_for_nothing_answers_nothing(
    images: SqlImageReader, tags: SqlTagReader, albums: SqlAlbumReader
) -> None:
    assert await images.get_many(ADA, []) == {}
    assert await images.pages_by_album(ADA, [], PageRequest()) == {}
    assert await tags.by_image(ADA, []) == {}
    assert await albums.cover_ids(ADA, []) == {}
