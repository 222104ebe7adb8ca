"""Records have the fields that were asked for, as the entities have them, and no other column is read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from gallery.domain.albums import Album
from gallery.domain.images import Image, Rendition, RenditionSize
from gallery.domain.pages import AlbumQuery, ImageFilter, ImageQuery, Page, PageRequest, TagQuery
from gallery.domain.records import AlbumRecord, Fields, ImageRecord, RenditionRecord, TagRecord
from gallery.domain.tags import Tag
from gallery.platform.database.albums import SqlAlbumReader
from gallery.platform.database.images import SqlImageReader
from gallery.platform.database.selecting import SelectingRecords
from gallery.platform.database.tags import SqlTagReader
from tests.entities import ADA, a_rendition, after, an_album, an_image
from tests.integration.database_support import Database, open_database
from tests.statements import recorded_statements

FIELDS: dict[type, frozenset[str]] = {
    record: frozenset(name for name, member in vars(record).items() if isinstance(member, property))
    for record in (ImageRecord, RenditionRecord, TagRecord, AlbumRecord)
}
ALL = Fields(
    images=FIELDS[ImageRecord],
    renditions=FIELDS[RenditionRecord],
    tags=FIELDS[TagRecord],
    albums=FIELDS[AlbumRecord],
)
NONE = Fields(images=frozenset(), renditions=frozenset(), tags=frozenset(), albums=frozenset())
SHAPES = {Image: ImageRecord, Rendition: RenditionRecord, Tag: TagRecord, Album: AlbumRecord}


@dataclass(frozen=True)
class Filled:
    """A database with images, of which the last one is in the album and has the tag and a rendition."""

    database: Database
    images: tuple[Image, ...]
    album: Album
    tag: Tag


@pytest.fixture
async def filled(database_url: str) -> AsyncIterator[Filled]:
    images = tuple(an_image(uploaded_at=after(minute), description=f"No. {minute}") for minute in range(3))
    album = an_album("Summer")
    async with open_database(database_url) as database:
        await database.store(*images, tags={"sea": images[-1:]}, albums={album: images[-1:]})
        async with database.work() as work:
            await work.images.replace_renditions(images[-1].id, [a_rendition(images[-1], RenditionSize.SMALL)])
            await work.commit()
        (tag,) = (await SqlTagReader(database.engine).list_page(ADA, TagQuery())).items
        yield Filled(database, images, album, tag)


def shown(things: Iterable[Any], kind: type) -> list[dict[str, Any]]:
    """All that records or entities have to show."""
    return [{name: getattr(thing, name) for name in FIELDS[SHAPES[kind]]} for thing in things]


def assert_same(records: Mapping[Any, Any], entities: Mapping[Any, Any], kind: type) -> None:
    assert records.keys() == entities.keys()
    assert shown(records.values(), kind) == shown(entities.values(), kind) != []


def edges(page: Page[Any], kind: type) -> list[Any]:
    return [*shown(page.items, kind), *page.positions, page.has_next, page.has_previous]


async def test_records_with_all_fields_say_what_entities_say(filled: Filled) -> None:
    engine = filled.database.engine
    records, whole = SelectingRecords(engine)(ALL), SqlImageReader(engine)
    tags, albums = SqlTagReader(engine), SqlAlbumReader(engine)
    ids, tag_ids, album_ids = [image.id for image in filled.images], [filled.tag.id], [filled.album.id]

    assert_same(await records.images.get_many(ADA, ids), await whole.get_many(ADA, ids), Image)
    assert_same(await records.tags.get_many(ADA, tag_ids), await tags.get_many(ADA, tag_ids), Tag)
    assert_same(await records.albums.get_many(ADA, album_ids), await albums.get_many(ADA, album_ids), Album)


async def test_relations_of_records_are_those_of_entities(filled: Filled) -> None:
    engine, last = filled.database.engine, filled.images[-1]
    records, whole = SelectingRecords(engine)(ALL), SqlImageReader(engine)
    tags, albums = SqlTagReader(engine), SqlAlbumReader(engine)
    ids = [image.id for image in filled.images]

    renditions, whole_renditions = await records.images.renditions(ADA, ids), await whole.renditions(ADA, ids)
    tags_of, whole_tags_of = await records.tags.by_image(ADA, ids), await tags.by_image(ADA, ids)
    albums_of, whole_albums_of = await records.albums.by_image(ADA, ids), await albums.by_image(ADA, ids)

    assert list(renditions) == list(tags_of) == list(albums_of) == [last.id]
    assert shown(renditions[last.id], Rendition) == shown(whole_renditions[last.id], Rendition) != []
    assert shown(tags_of[last.id], Tag) == shown(whole_tags_of[last.id], Tag) != []
    assert shown(albums_of[last.id], Album) == shown(whole_albums_of[last.id], Album) != []


async def test_pages_of_records_are_cut_as_those_of_entities(filled: Filled) -> None:
    engine, page = filled.database.engine, PageRequest(limit=2)
    records, whole = SelectingRecords(engine)(ALL), SqlImageReader(engine)
    tags, albums = SqlTagReader(engine), SqlAlbumReader(engine)
    tag_id, album_id, query = filled.tag.id, filled.album.id, ImageQuery(page=page)

    for one, other, kind in (
        (await records.images.list_page(ADA, query), await whole.list_page(ADA, query), Image),
        (await records.tags.list_page(ADA, TagQuery()), await tags.list_page(ADA, TagQuery()), Tag),
        (await records.albums.list_page(ADA, AlbumQuery()), await albums.list_page(ADA, AlbumQuery()), Album),
        (
            (await records.images.pages_by_album(ADA, [album_id], page))[album_id],
            (await whole.pages_by_album(ADA, [album_id], page))[album_id],
            Image,
        ),
        (
            (await records.images.pages_by_tag(ADA, [tag_id], page))[tag_id],
            (await whole.pages_by_tag(ADA, [tag_id], page))[tag_id],
            Image,
        ),
    ):
        assert edges(one, kind) == edges(other, kind)


async def test_columns_that_nobody_looks_at_are_not_read(filled: Filled) -> None:
    reading = SelectingRecords(filled.database.engine)
    titles = reading(Fields(images=frozenset({"title"}), renditions=frozenset(), tags=frozenset(), albums=frozenset()))
    query = ImageQuery(filter=ImageFilter(text="No"), page=PageRequest(limit=2))
    with recorded_statements(filled.database.engine) as statements:
        await titles.images.list_page(ADA, query)
        await titles.images.get_many(ADA, [filled.images[0].id])
        await titles.images.renditions(ADA, [filled.images[-1].id])
        await titles.albums.by_image(ADA, [filled.images[-1].id])
        await titles.tags.by_image(ADA, [filled.images[-1].id])

    columns = [statement.split("FROM")[0].replace("\n", "") for statement in statements]
    assert columns == [
        "SELECT images.id, images.title, images.uploaded_at AS sort_value ",
        "SELECT images.id, images.title ",
        "SELECT renditions.image_id, renditions.size ",
        "SELECT albums.id, album_images.image_id ",
        "SELECT tags.id, image_tags.image_id ",
    ]


async def test_a_field_that_was_not_asked_for_is_an_error(filled: Filled) -> None:
    records = SelectingRecords(filled.database.engine)(NONE)
    image_id = filled.images[0].id

    image = (await records.images.get_many(ADA, [image_id]))[image_id]

    assert image.id == image_id
    with pytest.raises(AttributeError, match="title"):
        _ = image.title


async def test_statements_are_rendered_once_for_all_values(filled: Filled) -> None:
    records = SelectingRecords(filled.database.engine)(NONE)
    with recorded_statements(filled.database.engine) as statements:
        for limit, text in ((1, "a"), (2, "b")):
            query = ImageQuery(filter=ImageFilter(text=text), page=PageRequest(limit=limit))
            await records.images.list_page(ADA, query)

    assert len(statements) == 2
    assert statements[0] is statements[1]


async def test_choices_of_fields_are_remembered_up_to_a_limit(filled: Filled) -> None:
    reading = SelectingRecords(filled.database.engine)
    kept = reading(NONE)

    assert reading(NONE) is kept
    for number in range(256):
        reading(Fields(images=frozenset({str(number)}), renditions=frozenset(), tags=frozenset(), albums=frozenset()))
    assert reading(NONE) is not kept
