"""Reading through the cache: what is kept, for how long, in which form, and which event drops what."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace

import pytest
from redis.asyncio import Redis

from gallery.domain.access import LOCAL_ADMINISTRATOR as VIEWER
from gallery.domain.errors import UnavailableError
from gallery.domain.events import EventKind, JsonValue
from gallery.domain.images import RenditionSize
from gallery.domain.pages import AlbumQuery, ImageFilter, ImageQuery, PageRequest, TagQuery
from gallery.platform.cache import Cache, CachedAlbumReader, CachedImageReader, CachedTagReader, connect
from tests.entities import a_viewer
from tests.integration.cache_support import (
    MemoryAlbumReader,
    MemoryGallery,
    MemoryImageReader,
    MemoryTagReader,
    a_rendition,
    a_tag,
    an_album,
    an_event,
    an_image,
    cache_settings,
)

FIRST_TEN = PageRequest(limit=10)


@pytest.fixture
async def cache(cache_url: str) -> AsyncIterator[Cache]:
    async with connect(cache_settings(cache_url)) as cache:
        yield cache


@pytest.fixture
async def valkey(cache_url: str) -> AsyncIterator[Redis]:
    """The server behind the cache."""
    async with Redis.from_url(cache_url) as client:
        yield client


@dataclass
class Readers:
    """A gallery with two of everything, read through the cache."""

    gallery: MemoryGallery
    images: CachedImageReader
    tags: CachedTagReader
    albums: CachedAlbumReader
    cache: Cache

    async def asked_by(self, read: Callable[[], Awaitable[object]]) -> list[tuple[str, object]]:
        """What the database is asked in a read, once everything before is kept."""
        await self.cache.settle()
        self.gallery.reads.clear()
        await read()
        await self.cache.settle()
        return list(self.gallery.reads)


@pytest.fixture
def readers(cache: Cache) -> Readers:
    gallery = MemoryGallery()
    newer, older = an_image("Newer", minutes=1), an_image("Older")
    sea, sky = a_tag("sea"), a_tag("sky")
    summer, winter = an_album("Summer"), an_album("Winter")
    gallery.add(newer, older)
    gallery.tags = {sea.id: sea, sky.id: sky}
    gallery.albums = {summer.id: summer, winter.id: winter}
    gallery.image_tags = {newer.id: [sea.id], older.id: [sea.id, sky.id]}
    gallery.album_images = {summer.id: [newer.id, older.id], winter.id: [older.id]}
    gallery.rendition_lists = {newer.id: (a_rendition(newer.id), a_rendition(newer.id, RenditionSize.LARGE))}
    return Readers(
        gallery,
        CachedImageReader(MemoryImageReader(gallery), cache),
        CachedTagReader(MemoryTagReader(gallery), cache),
        CachedAlbumReader(MemoryAlbumReader(gallery), cache),
        cache,
    )


@dataclass(frozen=True)
class Read:
    """A read through the cache, and what it asks of the database for itself."""

    asks: str
    run: Callable[[], Awaitable[object]]


def everything(readers: Readers) -> dict[str, Read]:
    """Every read there is, one id at a time: 1 is the newer image, sea, summer; 2 the older image, sky, winter.

    Entities come first, so that lists find those that they show.
    """
    images, tags, albums = readers.images, readers.tags, readers.albums
    (image_1, image_2), (tag_1, tag_2) = readers.gallery.images, readers.gallery.tags
    album_1, album_2 = readers.gallery.albums
    by_tag = ImageFilter(tag_names=("sea",))
    in_album = ImageFilter(album_id=album_1)
    return {
        "image 1": Read("images", lambda: images.get_many(VIEWER, [image_1])),
        "image 2": Read("images", lambda: images.get_many(VIEWER, [image_2])),
        "tag 1": Read("tags", lambda: tags.get_many(VIEWER, [tag_1])),
        "tag 2": Read("tags", lambda: tags.get_many(VIEWER, [tag_2])),
        "album 1": Read("albums", lambda: albums.get_many(VIEWER, [album_1])),
        "album 2": Read("albums", lambda: albums.get_many(VIEWER, [album_2])),
        "renditions 1": Read("renditions", lambda: images.renditions(VIEWER, [image_1])),
        "renditions 2": Read("renditions", lambda: images.renditions(VIEWER, [image_2])),
        "page of images": Read("page of images", lambda: images.list_page(VIEWER, ImageQuery())),
        "page by tag": Read("page of images", lambda: images.list_page(VIEWER, ImageQuery(filter=by_tag))),
        "page in album 1": Read("page of images", lambda: images.list_page(VIEWER, ImageQuery(filter=in_album))),
        "count of images": Read("count of images", lambda: images.count(VIEWER, ImageFilter())),
        "images of album 1": Read("pages by album", lambda: images.pages_by_album(VIEWER, [album_1], FIRST_TEN)),
        "images of album 2": Read("pages by album", lambda: images.pages_by_album(VIEWER, [album_2], FIRST_TEN)),
        "images of tag 1": Read("pages by tag", lambda: images.pages_by_tag(VIEWER, [tag_1], FIRST_TEN)),
        "images of tag 2": Read("pages by tag", lambda: images.pages_by_tag(VIEWER, [tag_2], FIRST_TEN)),
        "stats": Read("stats", lambda: images.stats(VIEWER)),
        "page of tags": Read("page of tags", lambda: tags.list_page(VIEWER, TagQuery())),
        "count of tags": Read("count of tags", lambda: tags.count(VIEWER, None)),
        "tags of image 1": Read("tags by image", lambda: tags.by_image(VIEWER, [image_1])),
        "tags of image 2": Read("tags by image", lambda: tags.by_image(VIEWER, [image_2])),
        "count of tag 1": Read("image counts by tag", lambda: tags.image_counts(VIEWER, [tag_1])),
        "count of tag 2": Read("image counts by tag", lambda: tags.image_counts(VIEWER, [tag_2])),
        "page of albums": Read("page of albums", lambda: albums.list_page(VIEWER, AlbumQuery())),
        "count of albums": Read("count of albums", lambda: albums.count(VIEWER, None)),
        "albums of image 1": Read("albums by image", lambda: albums.by_image(VIEWER, [image_1])),
        "albums of image 2": Read("albums by image", lambda: albums.by_image(VIEWER, [image_2])),
        "count of album 1": Read("image counts by album", lambda: albums.image_counts(VIEWER, [album_1])),
        "count of album 2": Read("image counts by album", lambda: albums.image_counts(VIEWER, [album_2])),
        "cover of album 1": Read("covers", lambda: albums.cover_ids(VIEWER, [album_1])),
        "cover of album 2": Read("covers", lambda: albums.cover_ids(VIEWER, [album_2])),
    }


IMAGE_LISTS = {"page of images", "page by tag", "page in album 1", "count of images"}
TAG_LISTS = {"page of tags", "count of tags"}
ALBUM_LISTS = {"page of albums", "count of albums"}
TAG_1 = {"images of tag 1", "count of tag 1"}
ALBUM_1 = {"images of album 1", "count of album 1", "cover of album 1", "page in album 1"}

DROPPED = {
    EventKind.IMAGE_UPLOADED: IMAGE_LISTS | {"stats"},
    EventKind.IMAGE_UPDATED: IMAGE_LISTS | {"image 1"},
    EventKind.IMAGE_DELETED: IMAGE_LISTS
    | TAG_1
    | ALBUM_1
    | {"image 1", "renditions 1", "tags of image 1", "albums of image 1", "album 1", "stats"}
    | {"images of tag 2", "count of tag 2"},
    EventKind.IMAGE_RENDERED: {"image 1", "renditions 1"},
    EventKind.IMAGE_RENDERING_FAILED: {"image 1"},
    EventKind.IMAGE_LOST: {"image 1"},
    EventKind.IMAGE_RENDITION_LOST: {"image 1"},
    EventKind.IMAGE_TAGGED: TAG_1 | {"tags of image 1", "page by tag"},
    EventKind.IMAGE_UNTAGGED: TAG_1 | {"tags of image 1", "page by tag"},
    EventKind.TAG_CREATED: TAG_LISTS | {"stats"},
    EventKind.TAG_DELETED: TAG_LISTS | TAG_1 | {"tag 1", "tags of image 1", "tags of image 2", "page by tag", "stats"},
    EventKind.ALBUM_CREATED: ALBUM_LISTS | {"stats"},
    EventKind.ALBUM_UPDATED: ALBUM_LISTS | {"album 1", "cover of album 1"},
    EventKind.ALBUM_DELETED: ALBUM_LISTS | ALBUM_1 | {"album 1", "albums of image 1", "albums of image 2", "stats"},
    EventKind.ALBUM_IMAGES_ADDED: ALBUM_LISTS | ALBUM_1 | {"album 1", "albums of image 2"},
    EventKind.ALBUM_IMAGES_REMOVED: ALBUM_LISTS | ALBUM_1 | {"album 1", "albums of image 2"},
}


@pytest.mark.parametrize("kind", DROPPED)
async def test_an_event_drops_what_it_makes_wrong_and_nothing_else(readers: Readers, kind: EventKind) -> None:
    image_1, image_2 = readers.gallery.images
    tag_1, album_1 = next(iter(readers.gallery.tags)), next(iter(readers.gallery.albums))
    payloads: dict[EventKind, dict[str, JsonValue]] = {
        EventKind.IMAGE_DELETED: {"album_ids": [album_1.hex]},
        EventKind.IMAGE_TAGGED: {"tag_ids": [tag_1.hex]},
        EventKind.IMAGE_UNTAGGED: {"tag_ids": [tag_1.hex]},
        EventKind.ALBUM_IMAGES_ADDED: {"image_ids": [image_2.hex]},
        EventKind.ALBUM_IMAGES_REMOVED: {"image_ids": [image_2.hex]},
    }
    entity_id = {"image": image_1, "tag": tag_1, "album": album_1}[kind.entity]
    reads = everything(readers)
    for read in reads.values():
        await read.run()
    asked = {name: await readers.asked_by(read.run) for name, read in reads.items()}
    assert not any(asked.values())

    await readers.cache.drop([an_event(kind, entity_id, **payloads.get(kind, {}))])

    asked = {name: await readers.asked_by(read.run) for name, read in reads.items()}
    assert {name for name, read in reads.items() if read.asks in [method for method, _ in asked[name]]} == DROPPED[kind]


async def test_what_is_kept_comes_back_equal(readers: Readers) -> None:
    reads = everything(readers)
    from_database = {name: await read.run() for name, read in reads.items()}
    await readers.cache.settle()
    readers.gallery.reads.clear()

    from_cache = {name: await read.run() for name, read in reads.items()}

    assert from_cache == from_database
    assert readers.gallery.reads == []


async def test_fifty_images_are_one_command_when_they_are_kept(readers: Readers, valkey: Redis) -> None:
    images = [an_image() for _ in range(50)]
    readers.gallery.add(*images)
    ids = [image.id for image in images]
    assert await readers.asked_by(lambda: readers.images.get_many(VIEWER, ids)) == [("images", ids)]
    await valkey.config_resetstat()

    found = await readers.images.get_many(VIEWER, ids)

    assert found == {image.id: image for image in images}
    commands = await valkey.info("commandstats")
    assert {name: figures["calls"] for name, figures in commands.items() if "config" not in name} == {"cmdstat_mget": 1}


async def test_only_images_that_are_missing_are_read_from_the_database(readers: Readers) -> None:
    kept, missing = readers.gallery.images
    await readers.images.get_many(VIEWER, [kept])

    assert await readers.asked_by(lambda: readers.images.get_many(VIEWER, [kept, missing])) == [("images", [missing])]


async def test_an_image_that_does_not_exist_is_not_kept(readers: Readers, valkey: Redis) -> None:
    unknown = an_image()

    assert await readers.images.get_many(VIEWER, [unknown.id]) == {}
    await readers.cache.settle()
    assert await valkey.exists(f"gallery:image:{unknown.id.hex}") == 0

    readers.gallery.add(unknown)
    assert await readers.images.get_many(VIEWER, [unknown.id]) == {unknown.id: unknown}


async def test_that_an_image_has_no_tags_albums_or_renditions_is_kept(readers: Readers) -> None:
    lone = an_image()
    readers.gallery.add(lone)

    for read in (
        lambda: readers.tags.by_image(VIEWER, [lone.id]),
        lambda: readers.albums.by_image(VIEWER, [lone.id]),
        lambda: readers.images.renditions(VIEWER, [lone.id]),
    ):
        assert await read() == {}
        assert await readers.asked_by(read) == []


async def test_checksums_are_always_asked_of_the_database(readers: Readers) -> None:
    checksum = next(iter(readers.gallery.images.values())).checksum
    await readers.images.known_checksums(VIEWER, [checksum])

    assert await readers.asked_by(lambda: readers.images.known_checksums(VIEWER, [checksum])) == [
        ("checksums", [checksum])
    ]


@pytest.mark.parametrize(
    ("read", "keys", "seconds"),
    [
        ("image 1", "gallery:image:????????????????????????????????", 7200),
        ("page of images", "gallery:images:page:*", 1800),
        ("page of tags", "gallery:tags:page:*", 1800),
        ("page of albums", "gallery:albums:page:*", 1800),
        ("images of album 1", "gallery:album:*:images:*", 1800),
        ("images of tag 1", "gallery:tag:*:images:*", 1800),
        ("stats", "gallery:images:stats", 300),
        ("count of images", "gallery:images:count:*", 3600),
        ("renditions 1", "gallery:image:*:renditions", 3600),
        ("tag 1", "gallery:tag:*", 3600),
        ("tags of image 1", "gallery:image:*:tags", 3600),
        ("album 1", "gallery:album:*", 3600),
        ("albums of image 1", "gallery:image:*:albums", 3600),
        ("cover of album 1", "gallery:album:*:cover", 3600),
    ],
)
async def test_a_value_lives_as_long_as_its_setting_less_the_jitter(
    readers: Readers, valkey: Redis, read: str, keys: str, seconds: int
) -> None:
    await everything(readers)[read].run()
    await readers.cache.settle()

    [key] = [key async for key in valkey.scan_iter(keys)]

    # A quarter of a minute for a busy machine.
    assert seconds * 0.9 - 15 <= await valkey.ttl(key) <= seconds


async def test_lifetimes_come_from_the_settings_and_differ(cache_url: str, valkey: Redis) -> None:
    gallery = MemoryGallery()
    images = [an_image() for _ in range(20)]
    gallery.add(*images)
    async with connect(cache_settings(cache_url, image_ttl_seconds=100_000, jitter=0.5)) as cache:
        await CachedImageReader(MemoryImageReader(gallery), cache).get_many(VIEWER, [image.id for image in images])

    lifetimes = [await valkey.ttl(f"gallery:image:{image.id.hex}") for image in images]

    assert all(50_000 - 15 <= lifetime <= 100_000 for lifetime in lifetimes)
    assert max(lifetimes) - min(lifetimes) > 100


async def test_a_page_shows_an_image_as_it_is_after_a_change(readers: Readers) -> None:
    newer, older = readers.gallery.images
    await readers.images.list_page(VIEWER, ImageQuery())
    await readers.images.pages_by_album(VIEWER, readers.gallery.albums, FIRST_TEN)
    await readers.cache.settle()

    changed = readers.gallery.retitle(newer, "Changed")
    await readers.cache.drop([an_event(EventKind.IMAGE_RENDERED, newer)])

    page = await readers.images.list_page(VIEWER, ImageQuery())
    assert page.items == (changed, readers.gallery.images[older])
    by_album = await readers.images.pages_by_album(VIEWER, readers.gallery.albums, FIRST_TEN)
    assert [page.items for page in by_album.values()] == [
        (changed, readers.gallery.images[older]),
        (readers.gallery.images[older],),
    ]


async def test_a_page_leaves_out_an_image_that_is_gone(readers: Readers) -> None:
    newer, older = readers.gallery.images
    await readers.images.list_page(VIEWER, ImageQuery())
    await readers.cache.settle()

    del readers.gallery.images[newer]

    page = await readers.images.list_page(VIEWER, ImageQuery())
    assert page.items == (readers.gallery.images[older],)
    assert page.has_next


async def test_pages_that_were_asked_for_differently_are_kept_apart(readers: Readers) -> None:
    narrow = ImageQuery(filter=ImageFilter(text="harbour"))
    await readers.images.list_page(VIEWER, ImageQuery())

    assert await readers.asked_by(lambda: readers.images.list_page(VIEWER, narrow)) == [("page of images", narrow)]


@pytest.mark.parametrize("content", [b"", b"\x80\x04]", b"{}", b"=", b'={"id":1}', b"!"])
@pytest.mark.parametrize("stamped", [True, False])
async def test_damaged_and_foreign_entries_are_read_anew_and_replaced(
    readers: Readers, valkey: Redis, content: bytes, *, stamped: bool
) -> None:
    image_id = next(iter(readers.gallery.images))
    key = f"gallery:image:{image_id.hex}"
    await readers.images.get_many(VIEWER, [image_id])
    await readers.cache.settle()
    kept = await valkey.get(key)
    assert isinstance(kept, bytes)
    await valkey.set(key, kept.partition(b"=")[0] + content if stamped else content)

    found = await readers.images.get_many(VIEWER, [image_id])

    assert found == {image_id: readers.gallery.images[image_id]}
    assert await readers.asked_by(lambda: readers.images.get_many(VIEWER, [image_id])) == []
    assert readers.cache.metrics.errors == 0


async def test_kept_missing_and_damaged_images_come_in_one_answer(readers: Readers, valkey: Redis) -> None:
    kept, damaged = readers.gallery.images
    missing = an_image("Missing")
    readers.gallery.add(missing)
    await readers.images.get_many(VIEWER, [kept, damaged])
    await readers.cache.settle()
    await valkey.append(f"gallery:image:{damaged.hex}", "}")

    found = await readers.images.get_many(VIEWER, [kept, damaged, missing.id])

    assert found == readers.gallery.images
    assert await readers.asked_by(lambda: readers.images.get_many(VIEWER, [kept, damaged, missing.id])) == []


async def test_a_key_of_another_type_is_replaced(readers: Readers, valkey: Redis) -> None:
    image_id = next(iter(readers.gallery.images))
    await valkey.rpush(f"gallery:image:{image_id.hex}", "not a string")

    assert await readers.images.get_many(VIEWER, [image_id]) == {image_id: readers.gallery.images[image_id]}
    assert await readers.asked_by(lambda: readers.images.get_many(VIEWER, [image_id])) == []


async def test_an_evicted_generation_does_not_bring_old_lists_back(readers: Readers, valkey: Redis) -> None:
    for _ in range(2):
        await readers.images.list_page(VIEWER, ImageQuery())
        await readers.cache.settle()
        await valkey.delete("gallery:generation:images")

    assert len(await readers.asked_by(lambda: readers.images.list_page(VIEWER, ImageQuery()))) == 1


async def test_metrics_tell_hits_and_misses(readers: Readers) -> None:
    image_1, image_2 = readers.gallery.images
    await readers.images.get_many(VIEWER, [image_1])
    await readers.cache.settle()
    await readers.images.get_many(VIEWER, [image_1, image_2])

    metrics = readers.cache.metrics
    assert (metrics.hits, metrics.misses, metrics.refused, metrics.errors) == (1, 2, 0, 0)


async def test_a_failure_of_the_database_reaches_the_caller_and_is_not_kept(readers: Readers, valkey: Redis) -> None:
    image_id = next(iter(readers.gallery.images))
    readers.gallery.failure = UnavailableError("database")
    with pytest.raises(UnavailableError):
        await readers.images.get_many(VIEWER, [image_id])
    await readers.cache.settle()
    assert await valkey.exists(f"gallery:image:{image_id.hex}") == 0

    readers.gallery.failure = None
    assert await readers.images.get_many(VIEWER, [image_id]) == {image_id: readers.gallery.images[image_id]}


async def test_an_event_that_is_not_understood_drops_everything(readers: Readers) -> None:
    image_id = next(iter(readers.gallery.images))
    await readers.images.get_many(VIEWER, [image_id])
    await readers.cache.settle()
    changed = replace(readers.gallery.images[image_id], title="Changed")
    readers.gallery.add(changed)

    await readers.cache.drop([an_event(EventKind.IMAGE_TAGGED, image_id)])

    assert await readers.images.get_many(VIEWER, [image_id]) == {image_id: changed}


async def test_everything_is_dropped_when_asked(readers: Readers) -> None:
    kept = list(readers.gallery.images)
    await readers.images.get_many(VIEWER, kept)
    await readers.cache.settle()

    await readers.cache.drop_everything()

    assert await readers.asked_by(lambda: readers.images.get_many(VIEWER, kept)) == [("images", kept)]


async def test_the_cache_answers_a_ping(cache: Cache) -> None:
    await cache.ping()
    assert cache.available


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        (EventKind.IMAGE_TAGGED, "tag_ids"),
        (EventKind.IMAGE_UNTAGGED, "tag_ids"),
        (EventKind.IMAGE_DELETED, "album_ids"),
    ],
)
async def test_what_changes_the_tags_that_somebody_sees_ends_their_statistics(
    readers: Readers, kind: EventKind, payload: str
) -> None:
    image_id, viewer = next(iter(readers.gallery.images)), a_viewer()
    await readers.images.stats(viewer)
    assert await readers.asked_by(lambda: readers.images.stats(viewer)) == []

    await readers.cache.drop([an_event(kind, image_id, **{payload: []})])

    assert await readers.asked_by(lambda: readers.images.stats(viewer)) == [("stats", None)]
