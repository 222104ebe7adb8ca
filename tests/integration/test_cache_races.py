"""Reads through the cache while something is written, and while others read the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from redis.asyncio import Redis

from gallery.domain.access import LOCAL_ADMINISTRATOR as VIEWER
from gallery.domain.errors import OverloadedError, UnavailableError
from gallery.domain.events import EventKind
from gallery.domain.images import Image
from gallery.domain.pages import ImageQuery
from gallery.platform.cache import Cache, CachedImageReader, connect
from gallery.platform.cache.entries import LEASE_SECONDS
from tests.integration.cache_support import (
    MemoryGallery,
    MemoryImageReader,
    Pause,
    an_event,
    an_image,
    cache_settings,
    eventually,
)


class Process:
    """What one process has: its cache, and a gallery in memory where others have their connection to the database."""

    def __init__(self, cache: Cache, *images: Image) -> None:
        self.cache = cache
        self.gallery = MemoryGallery()
        self.gallery.add(*images)
        self.images = CachedImageReader(MemoryImageReader(self.gallery), cache)
        self._pauses: list[Pause] = []

    def release(self) -> None:
        """Lets every read end, so that a test that fails does not wait for one."""
        for pause in self._pauses:
            pause.end.set()

    async def begin(self, read: str, image: Image) -> tuple[asyncio.Task[object], Pause]:
        """Begins a read; goes on when the database has read, before it answers."""
        pause = self.gallery.pause = Pause()
        self._pauses.append(pause)
        task: asyncio.Task[object] = asyncio.ensure_future(self.read(read, image))
        await pause.reached.wait()
        self.gallery.pause = None
        return task, pause

    async def read(self, read: str, image: Image) -> object:
        """The title of the image as it is seen alone, or on the page of all."""
        if read == "image":
            return [found.title for found in (await self.images.get_many(VIEWER, [image.id])).values()]
        return [found.title for found in (await self.images.list_page(VIEWER, ImageQuery())).items]


@pytest.fixture
async def two_processes(cache_url: str) -> AsyncIterator[tuple[Process, Process, Image]]:
    image = an_image("Old")
    settings = cache_settings(cache_url)
    async with AsyncExitStack() as stack:
        caches = [await stack.enter_async_context(connect(settings)) for _ in range(2)]
        one, other = (Process(cache, image) for cache in caches)
        yield one, other, image
        one.release()
        other.release()


@pytest.fixture
async def valkey(cache_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(cache_url) as client:
        yield client


@pytest.mark.parametrize("read", ["image", "page"])
async def test_a_read_that_raced_a_write_is_not_kept(two_processes: tuple[Process, Process, Image], read: str) -> None:
    reader, writer, image = two_processes
    task, pause = await reader.begin(read, image)

    writer.gallery.retitle(image.id, "New")
    reader.gallery.retitle(image.id, "New")
    await writer.cache.drop([an_event(EventKind.IMAGE_UPDATED, image.id)])
    pause.end.set()

    assert await task == ["Old"]
    await reader.cache.settle()
    for process in (reader, writer):
        assert await process.read(read, image) == ["New"]


async def test_a_fill_that_raced_a_write_is_counted_as_refused(two_processes: tuple[Process, Process, Image]) -> None:
    reader, writer, image = two_processes
    task, pause = await reader.begin("image", image)
    await writer.cache.drop([an_event(EventKind.IMAGE_UPDATED, image.id)])
    pause.end.set()
    await task
    await reader.cache.settle()

    assert reader.cache.metrics.refused == 1
    assert writer.cache.metrics.refused == 0


@pytest.mark.parametrize("read", ["image", "page"])
async def test_who_asks_after_a_write_does_not_get_what_was_read_before_it(
    two_processes: tuple[Process, Process, Image], read: str
) -> None:
    reader, writer, image = two_processes
    task, pause = await reader.begin(read, image)

    writer.gallery.retitle(image.id, "New")
    reader.gallery.retitle(image.id, "New")
    await writer.cache.drop([an_event(EventKind.IMAGE_UPDATED, image.id)])

    # The old read is still going on, in the same process.
    assert await reader.read(read, image) == ["New"]
    pause.end.set()
    assert await task == ["Old"]
    await reader.cache.settle()
    assert await reader.read(read, image) == ["New"]


async def test_an_older_read_does_not_overwrite_a_newer_one(two_processes: tuple[Process, Process, Image]) -> None:
    reader, writer, image = two_processes
    task, pause = await reader.begin("image", image)
    writer.gallery.retitle(image.id, "New")
    reader.gallery.retitle(image.id, "New")
    await writer.cache.drop([an_event(EventKind.IMAGE_UPDATED, image.id)])
    assert await writer.read("image", image) == ["New"]
    await writer.cache.settle()

    pause.end.set()
    await task
    await reader.cache.settle()

    assert await writer.read("image", image) == ["New"]
    assert writer.gallery.reads == [("images", [image.id])]


@pytest.mark.parametrize("read", ["image", "page"])
async def test_a_hundred_at_once_ask_the_database_once(
    two_processes: tuple[Process, Process, Image], read: str
) -> None:
    process, _, image = two_processes
    first, pause = await process.begin(read, image)
    others = [asyncio.ensure_future(process.read(read, image)) for _ in range(99)]
    await eventually(lambda: process.cache.metrics.hits == 99)
    pause.end.set()

    assert await asyncio.gather(first, *others) == [["Old"]] * 100
    assert [method for method, _ in process.gallery.reads].count("page of images" if read == "page" else "images") == 1


async def test_a_hundred_who_begin_together_ask_the_database_once(
    two_processes: tuple[Process, Process, Image],
) -> None:
    process, _, image = two_processes

    assert await asyncio.gather(*(process.read("image", image) for _ in range(100))) == [["Old"]] * 100
    assert process.gallery.reads == [("images", [image.id])]
    assert (process.cache.metrics.hits, process.cache.metrics.misses) == (99, 1)


async def test_who_waited_for_a_read_gets_its_value_though_it_is_not_kept(
    two_processes: tuple[Process, Process, Image],
) -> None:
    reader, writer, image = two_processes
    first, pause = await reader.begin("image", image)
    second = asyncio.ensure_future(reader.read("image", image))
    await eventually(lambda: reader.cache.metrics.hits == 1)

    await writer.cache.drop([an_event(EventKind.IMAGE_UPDATED, image.id)])
    pause.end.set()

    assert [await first, await second] == [["Old"], ["Old"]]
    assert reader.gallery.reads == [("images", [image.id])]


async def test_who_waited_for_a_read_that_is_refused_reads_for_themselves(
    two_processes: tuple[Process, Process, Image],
) -> None:
    reader, _, image = two_processes
    first, pause = await reader.begin("image", image)
    second = asyncio.ensure_future(reader.read("image", image))
    await eventually(lambda: reader.cache.metrics.hits == 1)

    reader.gallery.failure = OverloadedError()
    reader.gallery.pause = again = Pause()
    pause.end.set()
    with pytest.raises(OverloadedError):
        await first
    await again.reached.wait()
    reader.gallery.failure = None
    again.end.set()

    assert await second == ["Old"]


async def test_two_processes_ask_the_database_once(two_processes: tuple[Process, Process, Image]) -> None:
    one, other, image = two_processes
    first, pause = await one.begin("image", image)
    second = asyncio.ensure_future(other.read("image", image))
    await asyncio.sleep(1.5 * LEASE_SECONDS)  # longer than a lease that nobody renews
    assert not second.done()
    pause.end.set()

    assert [await first, await second] == [["Old"], ["Old"]]
    assert one.gallery.reads == [("images", [image.id])]
    assert other.gallery.reads == []


async def test_processes_that_need_partly_the_same_load_it_once(two_processes: tuple[Process, Process, Image]) -> None:
    one, other, image = two_processes
    more = an_image("More")
    one.gallery.add(more)
    other.gallery.add(more)
    first, pause = await one.begin("image", image)
    second = asyncio.ensure_future(other.images.get_many(VIEWER, [image.id, more.id]))
    await eventually(lambda: bool(other.gallery.reads))
    pause.end.set()

    await first
    assert await second == {image.id: image, more.id: more}
    assert other.gallery.reads == [("images", [more.id])]


async def test_others_go_on_when_the_process_that_loads_has_died(
    two_processes: tuple[Process, Process, Image], valkey: Redis
) -> None:
    dead, alive, image = two_processes
    task, pause = await dead.begin("image", image)
    key = f"gallery:image:{image.id.hex}"
    lease = await valkey.get(key)
    assert 0 < await valkey.pttl(key) <= LEASE_SECONDS * 1000
    assert isinstance(lease, bytes)
    pause.end.set()
    await task
    await dead.cache.settle()
    await valkey.set(key, lease, px=int(LEASE_SECONDS * 1000))  # as if it had never filled

    assert await alive.read("image", image) == ["Old"]
    assert alive.gallery.reads == [("images", [image.id])]


async def test_who_goes_away_does_not_take_the_read_from_the_others(
    two_processes: tuple[Process, Process, Image],
) -> None:
    process, _, image = two_processes
    first, pause = await process.begin("image", image)
    second = asyncio.ensure_future(process.read("image", image))
    await eventually(lambda: process.cache.metrics.hits == 1)
    first.cancel()
    pause.end.set()

    assert await second == ["Old"]
    assert process.gallery.reads == [("images", [image.id])]
    assert first.cancelled()


async def test_a_read_that_nobody_waits_for_any_more_is_cancelled_and_gives_its_lease_back(
    two_processes: tuple[Process, Process, Image],
) -> None:
    one, other, image = two_processes
    first, _ = await one.begin("image", image)
    second = asyncio.ensure_future(one.read("image", image))
    await eventually(lambda: one.cache.metrics.hits == 1)
    third = asyncio.ensure_future(other.read("image", image))
    for task in (first, second):
        task.cancel()

    async with asyncio.timeout(10):
        assert await third == ["Old"]
    assert await one.read("image", image) == ["Old"]
    await one.cache.settle()
    assert first.cancelled()
    assert second.cancelled()
    assert one.gallery.reads == [("images", [image.id])]
    assert other.gallery.reads == [("images", [image.id])]


async def test_who_comes_while_a_read_is_given_up_reads_anew(two_processes: tuple[Process, Process, Image]) -> None:
    process, _, image = two_processes
    first, _ = await process.begin("image", image)
    first.cancel()
    await asyncio.sleep(0)

    assert await process.read("image", image) == ["Old"]
    assert process.gallery.reads == [("images", [image.id])] * 2


async def test_a_failed_read_gives_its_lease_back(two_processes: tuple[Process, Process, Image], valkey: Redis) -> None:
    one, other, image = two_processes
    first, pause = await one.begin("image", image)
    one.gallery.failure = UnavailableError("database")
    pause.end.set()
    with pytest.raises(UnavailableError):
        await first
    await one.cache.settle()

    assert await valkey.exists(f"gallery:image:{image.id.hex}") == 0
    assert await other.read("image", image) == ["Old"]


async def test_a_drop_is_finished_though_its_caller_goes_away(two_processes: tuple[Process, Process, Image]) -> None:
    writer, reader, image = two_processes
    assert await reader.read("image", image) == ["Old"]
    await reader.cache.settle()
    reader.gallery.retitle(image.id, "New")

    task = asyncio.ensure_future(writer.cache.drop([an_event(EventKind.IMAGE_UPDATED, image.id)]))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await writer.cache.settle()

    assert await reader.read("image", image) == ["New"]
