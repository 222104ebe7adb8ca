"""Kept answers while Valkey is gone, silent, or drops connections, and when it is back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from random import Random

import pytest

from gallery.domain.access import LOCAL_ADMINISTRATOR as VIEWER
from gallery.domain.events import EventKind
from tests.fault_proxy import FaultProxy
from tests.integration.cache_support import MemoryGallery, an_event, an_image, cache_settings, eventually
from tests.integration.responses_support import Process, process_on

IMAGE = an_image("0")
KEY = f":title {IMAGE.id}".encode()
TIMEOUT_SECONDS = 0.2

Fault = Callable[[FaultProxy], Awaitable[None]]


async def refuse(proxy: FaultProxy) -> None:
    await proxy.refuse()


async def swallow(proxy: FaultProxy) -> None:
    proxy.black_hole = True


async def reset(proxy: FaultProxy) -> None:
    proxy.reset_all()


FAULTS: dict[str, Fault] = {"refused": refuse, "swallowed": swallow, "reset": reset}


@pytest.fixture
async def gallery() -> MemoryGallery:
    gallery = MemoryGallery()
    gallery.add(IMAGE)
    return gallery


@pytest.fixture
async def proxy(cache_url: str) -> AsyncIterator[FaultProxy]:
    async with FaultProxy.to(cache_url) as proxy:
        yield proxy
        await proxy.heal()


@pytest.fixture
async def processes(cache_url: str, proxy: FaultProxy, gallery: MemoryGallery) -> AsyncIterator[list[Process]]:
    """One whose way to Valkey breaks, and one whose does not."""
    async with AsyncExitStack() as stack:
        processes = []
        for url in (proxy.url_of(cache_url), cache_url):
            settings = cache_settings(url, timeout_seconds=TIMEOUT_SECONDS)
            processes.append(await stack.enter_async_context(process_on(settings, gallery)))
            await processes[-1].until_ready()
        yield processes
        await proxy.heal()


async def change(process: Process) -> str:
    title = str(int(process.gallery.images[IMAGE.id].title) + 1)
    process.gallery.retitle(IMAGE.id, title)
    await process.cache.drop([an_event(EventKind.IMAGE_UPDATED, IMAGE.id)])
    return title


@pytest.mark.parametrize("name", FAULTS)
async def test_memory_is_not_answered_from_once_drops_are_not_heard(
    processes: list[Process], proxy: FaultProxy, name: str
) -> None:
    cut_off, well = processes
    await cut_off.title(IMAGE.id)
    assert cut_off.responses.find(KEY) is not None
    await FAULTS[name](proxy)
    title = await change(well)

    assert cut_off.responses.find(KEY) is None
    assert await cut_off.title(IMAGE.id) == [title]


async def test_memory_is_empty_once_the_channel_is_lost_and_used_again_once_it_is_back(
    processes: list[Process], proxy: FaultProxy
) -> None:
    cut_off, well = processes
    await cut_off.title(IMAGE.id)
    assert cut_off.responses.metrics.size_bytes() > 0
    await proxy.refuse()
    await eventually(lambda: cut_off.responses.metrics.size_bytes() == 0)
    title = await change(well)
    assert await cut_off.title(IMAGE.id) == [title]
    assert cut_off.responses.metrics.size_bytes() == 0

    await proxy.heal()
    await eventually(lambda: cut_off.cache.available)
    await cut_off.until_ready()
    assert await cut_off.title(IMAGE.id) == [title]
    assert cut_off.responses.find(KEY) is not None
    title = await change(well)
    assert await cut_off.title(IMAGE.id) == [title]


@pytest.mark.parametrize("name", FAULTS)
async def test_no_read_fails_whenever_valkey_breaks(processes: list[Process], proxy: FaultProxy, name: str) -> None:
    cut_off, well = processes
    random = Random(name)  # noqa: S311  # a schedule, no secret
    least = 0
    ended = asyncio.Event()

    async def read() -> None:
        while not ended.is_set():
            known = least
            (title,) = await cut_off.title(IMAGE.id)
            assert int(title) >= known
            await asyncio.sleep(random.random() / 500)

    async def break_and_change() -> None:
        nonlocal least
        for _ in range(4):
            await FAULTS[name](proxy)
            await asyncio.sleep(random.random() / 4)
            least = int(await change(well))
            await asyncio.sleep(random.random() / 4)
            await proxy.heal()
            await asyncio.sleep(random.random() / 2)
        ended.set()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(break_and_change())
        for _ in range(10):
            tasks.create_task(read())


async def test_a_process_that_cannot_drop_answers_from_nothing_that_is_kept(
    processes: list[Process], proxy: FaultProxy
) -> None:
    cut_off, _ = processes
    await cut_off.title(IMAGE.id)
    proxy.black_hole = True
    title = await change(cut_off)

    assert not cut_off.cache.available
    assert cut_off.responses.find(KEY) is None
    assert await cut_off.title(IMAGE.id) == [title]
    await proxy.heal()


async def test_a_process_listens_anew_if_it_does_not_hear_of_what_it_is_told_was_dropped(
    processes: list[Process],
) -> None:
    cut_off, well = processes
    await cut_off.cache.valkey.listener._channel.close()  # as if the connection were half dead
    cut_off.cache.valkey.listener._channel.is_subscribed.set()
    title = await change(well)
    await cut_off.until_ready()

    assert await cut_off.title(IMAGE.id) == [title]
    assert cut_off.responses.find(KEY) is not None


async def test_what_lies_in_valkey_is_not_believed_before_its_drops_were_heard_of(
    cache_url: str, gallery: MemoryGallery
) -> None:
    settings = cache_settings(cache_url, responses_max_bytes=0)
    async with process_on(settings, gallery) as deaf, process_on(settings, gallery) as writer:
        await eventually(lambda: deaf.cache.valkey.listener.is_listening)
        await deaf.title(IMAGE.id)
        await deaf.cache.valkey.listener._channel.close()  # its messages are late
        deaf.cache.valkey.listener._channel.is_subscribed.set()
        title = await change(writer)

        assert await deaf.title(IMAGE.id) == [title]


async def test_a_process_whose_loop_is_late_drops_before_a_write_is_acknowledged(processes: list[Process]) -> None:
    late, other = processes
    await other.title(IMAGE.id)
    assert other.responses.find(KEY) is not None
    asyncio.get_running_loop().call_soon(time.sleep, 3 * TIMEOUT_SECONDS)
    title = await change(late)

    assert other.responses.find(KEY) is None
    assert await other.title(IMAGE.id) == [title]
    assert late.cache.available


async def test_a_loop_that_is_late_is_no_reason_to_suspend_the_cache(processes: list[Process]) -> None:
    late, _ = processes
    for _ in range(5):
        asyncio.get_running_loop().call_soon(time.sleep, 2 * TIMEOUT_SECONDS)
        await late.images.get_many(VIEWER, [IMAGE.id])

    assert late.cache.available


async def test_a_suspended_process_drops_before_a_write_is_acknowledged(
    processes: list[Process], proxy: FaultProxy
) -> None:
    """What it missed meanwhile is dropped with it, and the others have heard of both."""
    suspended, well = processes
    proxy.black_hole = True
    missed = an_image("0")
    well.gallery.add(missed)
    await well.title(missed.id)
    well.gallery.retitle(missed.id, "1")
    await suspended.cache.drop([an_event(EventKind.IMAGE_UPDATED, missed.id)])
    assert not suspended.cache.available
    await well.title(IMAGE.id)
    suspended.cache.valkey._recovery.cancel()  # type: ignore[union-attr]  # nobody but the writer makes it good
    await proxy.heal()
    proxy.reset_all()
    title = await change(suspended)

    assert await well.title(IMAGE.id) == [title]
    assert await well.title(missed.id) == ["1"]


async def test_a_database_of_another_number_is_not_heard(cache_url: str, gallery: MemoryGallery) -> None:
    async with AsyncExitStack() as stack:
        mine, others = [
            await stack.enter_async_context(process_on(cache_settings(f"{cache_url}?db={number}"), gallery))
            for number in (5, 6)
        ]
        await mine.until_ready()
        await others.until_ready()
        await mine.title(IMAGE.id)
        for _ in range(3):
            await change(others)
        await mine.until_ready()  # the first change may have waited for longer than a lease lasts

        assert mine.responses.find(KEY) is not None
