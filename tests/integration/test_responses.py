"""Whole answers that are kept: who gets them, who makes them, and what ends them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from redis.asyncio import Redis

from gallery.domain.access import LOCAL_ADMINISTRATOR as VIEWER
from gallery.domain.events import EventKind
from gallery.domain.ids import new_album_id
from gallery.domain.response_ports import MadeResponse
from gallery.platform.cache.drops import HOLDER_SECONDS, PREFIX, STATE
from gallery.platform.cache.keys import EVERYTHING
from gallery.platform.cache.metrics import Layer
from gallery.platform.cache.responses_store import LARGEST_BYTES
from tests.integration.cache_support import MemoryGallery, Pause, an_event, an_image, cache_settings, eventually
from tests.integration.responses_support import Process, content_of, process_on

IMAGE = an_image("Old")
KEY = b"a key"


@pytest.fixture
async def gallery() -> MemoryGallery:
    gallery = MemoryGallery()
    gallery.add(IMAGE)
    return gallery


@pytest.fixture
async def valkey(cache_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(cache_url) as client:
        yield client


@pytest.fixture
async def processes(cache_url: str, gallery: MemoryGallery) -> AsyncIterator[list[Process]]:
    settings = cache_settings(cache_url)
    async with AsyncExitStack() as stack:
        processes = [await stack.enter_async_context(process_on(settings, gallery)) for _ in range(2)]
        for process in processes:
            await process.until_ready()
        yield processes


async def retitle(process: Process, title: str) -> None:
    process.gallery.retitle(IMAGE.id, title)
    await process.cache.drop([an_event(EventKind.IMAGE_UPDATED, IMAGE.id)])


async def test_an_answer_that_was_asked_for_twice_is_made_no_more_for_any_process(
    cache_url: str, processes: list[Process], gallery: MemoryGallery
) -> None:
    one, other = processes
    async with process_on(cache_settings(cache_url), gallery) as third:
        await third.until_ready()
        for process in (one, one, other, other, third, third):
            assert await process.title(IMAGE.id) == ["Old"]

        assert (one.made, other.made, third.made) == (1, 1, 0)
        assert one.responses.metrics.hits == {Layer.MEMORY: 1}
        assert third.responses.metrics.hits == {Layer.MEMORY: 1, Layer.VALKEY: 1}


async def test_answers_that_nobody_asks_for_again_take_no_room_in_valkey(
    processes: list[Process], valkey: Redis
) -> None:
    async def make() -> MadeResponse | None:
        return MadeResponse(body=bytes(100_000), tags=frozenset())

    for number in range(20):
        await processes[0].responses.get(b"key %d" % number, make)

    names = [key async for key in valkey.scan_iter(f"{PREFIX}response:*")]
    assert len(names) == 20
    assert sum([await valkey.strlen(name) for name in names]) < 1000


async def test_an_answer_that_others_waited_for_is_kept_in_valkey(processes: list[Process], valkey: Redis) -> None:
    one, other = processes
    begun, ended = asyncio.Event(), asyncio.Event()

    async def make() -> MadeResponse | None:
        begun.set()
        await ended.wait()
        return MadeResponse(body=b"1", tags=frozenset())

    async def fail() -> MadeResponse | None:
        raise AssertionError

    first = asyncio.create_task(one.responses.get(KEY, make))
    await begun.wait()
    (name,) = [key async for key in valkey.scan_iter(f"{PREFIX}response:*")]
    claimed = await valkey.get(name)
    second = asyncio.create_task(other.responses.get(KEY, fail))
    async with asyncio.timeout(20):
        while await valkey.get(name) == claimed:  # noqa: ASYNC110  # Valkey has no event for it
            await asyncio.sleep(0.005)
    ended.set()

    for kept in await asyncio.gather(first, second):
        assert kept is not None
        assert content_of(kept) == 1


async def test_an_answer_that_is_too_large_is_given_and_not_kept(processes: list[Process]) -> None:
    one, _ = processes
    made = 0

    async def make() -> MadeResponse | None:
        nonlocal made
        made += 1
        return MadeResponse(body=bytes(LARGEST_BYTES + 1), tags=frozenset())

    kept = await one.responses.get(KEY, make)
    assert kept is not None
    assert len(kept.body) == LARGEST_BYTES + 1
    assert one.responses.find(KEY) is None
    assert await one.responses.get(KEY, make) is None
    assert made == 1


async def test_an_answer_ends_in_every_process_with_what_it_was_read_from(processes: list[Process]) -> None:
    one, other = processes
    for process in processes:
        await process.title(IMAGE.id)
    await retitle(one, "New")

    assert await other.title(IMAGE.id) == ["New"]
    assert await one.title(IMAGE.id) == ["New"]


async def test_an_answer_that_has_nothing_to_do_with_a_write_stays(processes: list[Process]) -> None:
    one, other = processes
    await other.title(IMAGE.id)
    await one.cache.drop([an_event(EventKind.IMAGE_UPDATED, an_image().id)])

    assert await other.title(IMAGE.id) == ["Old"]
    assert other.made == 1


@pytest.mark.parametrize("kind", [EventKind.IMAGE_UPDATED, EventKind.IMAGE_RENDERED], ids=["updated", "rendered"])
async def test_items_that_came_with_a_list_end_its_answer_too(
    processes: list[Process], gallery: MemoryGallery, kind: EventKind
) -> None:
    one, other = processes
    album = new_album_id()
    gallery.album_images[album] = [IMAGE.id]
    await other.album(album)
    gallery.retitle(IMAGE.id, "New")
    await one.cache.drop([an_event(kind, IMAGE.id)])

    assert await other.album(album) == {IMAGE.id.hex: "New"}


async def test_an_answer_that_raced_a_write_is_kept_nowhere(processes: list[Process], gallery: MemoryGallery) -> None:
    one, other = processes
    held = gallery.pause = Pause()
    reading = asyncio.create_task(one.title(IMAGE.id))
    await held.reached.wait()
    gallery.pause = None
    await retitle(other, "New")
    held.end.set()

    assert await reading == ["Old"]
    assert one.responses.metrics.refused == {Layer.MEMORY: 1, Layer.VALKEY: 1}
    for process in processes:
        assert await process.title(IMAGE.id) == ["New"]


async def test_who_asks_after_a_write_does_not_wait_for_what_is_read_from_before_it(
    processes: list[Process], gallery: MemoryGallery
) -> None:
    one, other = processes
    held = gallery.pause = Pause()
    early = asyncio.create_task(one.title(IMAGE.id))
    await held.reached.wait()
    gallery.pause = None
    await retitle(other, "New")
    late = asyncio.create_task(one.title(IMAGE.id))
    await asyncio.sleep(0.02)
    held.end.set()

    assert await early == ["Old"]
    assert await late == ["New"]


@pytest.mark.parametrize("max_bytes", [0, 1_000_000], ids=["valkey alone", "both layers"])
async def test_two_hundred_who_miss_at_once_load_once(cache_url: str, gallery: MemoryGallery, max_bytes: int) -> None:
    settings = cache_settings(cache_url, responses_max_bytes=max_bytes)
    async with process_on(settings, gallery) as one, process_on(settings, gallery) as other:
        await one.until_ready()
        await other.until_ready()
        asked = [process.title(IMAGE.id) for process in (one, other) for _ in range(100)]

        assert await asyncio.gather(*asked) == [["Old"]] * 200
        assert one.made + other.made == 1
        assert [method for method, _ in gallery.reads] == ["images"]


async def test_whoever_goes_away_leaves_the_work_to_those_who_wait(
    processes: list[Process], gallery: MemoryGallery
) -> None:
    one, _ = processes
    held = gallery.pause = Pause()
    first = asyncio.create_task(one.title(IMAGE.id))
    await held.reached.wait()
    second = asyncio.create_task(one.title(IMAGE.id))
    await asyncio.sleep(0.02)
    first.cancel()
    held.end.set()

    assert await second == ["Old"]
    assert one.made == 1


async def test_two_viewers_never_get_each_others_answers(processes: list[Process], gallery: MemoryGallery) -> None:
    one, other = processes
    for process in processes:
        assert await process.title(IMAGE.id, scope="ann") == ["Old"]
    gallery.retitle(IMAGE.id, "For Bob alone")
    await one.cache.valkey.client.delete(f"{PREFIX}image:{IMAGE.id.hex}")

    assert await other.title(IMAGE.id, scope="bob") == ["For Bob alone"]
    for process in processes:
        assert await process.title(IMAGE.id, scope="ann") == ["Old"]
        assert await process.title(IMAGE.id, scope="bob") == ["For Bob alone"]


async def test_what_is_read_past_the_cache_is_not_kept(processes: list[Process]) -> None:
    one, _ = processes

    async def checksums(process: Process) -> object:
        return [id_.hex for id_ in (await process.images.known_checksums(VIEWER, [IMAGE.checksum])).values()]

    for _ in range(3):
        assert await one.ask("checksums", checksums) == [IMAGE.id.hex]
    assert one.responses.metrics.hits.total() == 0


async def test_statistics_are_not_kept_for_no_event_says_when_they_change(processes: list[Process]) -> None:
    one, _ = processes

    async def statistics(process: Process) -> object:
        return (await process.images.stats(VIEWER)).image_count

    for _ in range(3):
        assert await one.ask("stats", statistics) == 1
    assert one.responses.metrics.hits.total() == 0


async def test_what_is_not_to_be_kept_is_not_waited_for(processes: list[Process]) -> None:
    one, _ = processes
    made = 0

    async def make() -> MadeResponse | None:
        nonlocal made
        made += 1
        return None

    assert [await one.responses.get(KEY, make) for _ in range(3)] == [None] * 3
    assert made == 1


async def test_work_that_fails_fails_for_who_asked_and_is_done_again(processes: list[Process]) -> None:
    one, other = processes

    async def fail() -> MadeResponse | None:
        raise LookupError

    async def make() -> MadeResponse | None:
        return MadeResponse(body=b"1", tags=frozenset())

    with pytest.raises(LookupError):
        await one.responses.get(KEY, fail)
    await one.responses.settle()
    kept = await other.responses.get(KEY, make)
    assert kept is not None
    assert content_of(kept) == 1


async def test_answers_come_with_the_codings_they_were_sent_in(processes: list[Process]) -> None:
    one, other = processes

    async def make() -> MadeResponse | None:
        return MadeResponse(body=b"as it is", tags=frozenset(), encoded={"br": b"short"})

    async def fail() -> MadeResponse | None:
        raise AssertionError

    await one.responses.get(KEY, make)
    await one.responses.get(KEY, make)
    kept = await other.responses.get(KEY, fail)
    assert kept is not None
    assert kept.encoded == {"br": b"short"}


@pytest.mark.parametrize("content", [b"", b"=", b"=" + bytes(100), b"garbage"], ids=["empty", "mark", "zeros", "other"])
async def test_what_makes_no_sense_is_as_if_it_were_not_there(
    processes: list[Process], valkey: Redis, content: bytes
) -> None:
    one, other = processes
    await one.title(IMAGE.id)
    (name,) = [key async for key in valkey.scan_iter(f"{PREFIX}response:*")]
    await valkey.set(name, content)

    assert await other.title(IMAGE.id) == ["Old"]


async def test_what_a_process_begins_with_ends_all_answers(
    cache_url: str, processes: list[Process], gallery: MemoryGallery
) -> None:
    one, _ = processes
    await one.title(IMAGE.id)
    gallery.retitle(IMAGE.id, "New")  # by a process that was killed before it could say so
    async with process_on(cache_settings(cache_url), gallery):
        await eventually(lambda: one.responses.find(f":title {IMAGE.id}".encode()) is None)

        assert await one.title(IMAGE.id) == ["New"]


async def test_whoever_has_not_heard_of_a_drop_holds_up_its_writer(processes: list[Process]) -> None:
    one, other = processes
    await other.cache.valkey.listener._channel.close()  # it still believes that it hears
    await other.title(IMAGE.id)
    assert other.cache.valkey.listener.may_answer()
    await retitle(one, "New")

    assert not other.cache.valkey.listener.may_answer()
    assert await other.title(IMAGE.id) == ["New"]


async def test_a_lost_order_of_drops_holds_up_writers_for_the_length_of_a_lease(
    processes: list[Process], valkey: Redis
) -> None:
    one, other = processes
    await other.cache.valkey.listener._channel.close()  # as above
    await other.title(IMAGE.id)
    await valkey.delete(STATE)  # with the lease of the other process
    await retitle(one, "New")

    assert not other.cache.valkey.listener.may_answer()


async def test_drops_of_a_new_order_end_what_was_kept_in_the_old_one(processes: list[Process], valkey: Redis) -> None:
    one, other = processes
    await other.title(IMAGE.id)
    await valkey.delete(STATE)
    await retitle(one, "New")

    assert await other.title(IMAGE.id) == ["New"]
    assert await one.title(IMAGE.id) == ["New"]


async def test_a_drop_of_everything_ends_everything(processes: list[Process], gallery: MemoryGallery) -> None:
    one, other = processes
    await other.title(IMAGE.id)
    gallery.retitle(IMAGE.id, "New")
    await one.cache.valkey.drop([EVERYTHING])

    assert await other.title(IMAGE.id) == ["New"]


async def test_what_is_no_drop_is_passed_over(processes: list[Process], valkey: Redis) -> None:
    one, other = processes
    await valkey.publish(STATE, b"nonsense")
    await retitle(one, "New")

    assert await other.title(IMAGE.id) == ["New"]
    assert HOLDER_SECONDS > 0
