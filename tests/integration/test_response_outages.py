"""Kept answers while Valkey is gone, silent, or drops connections, and when it is back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from random import Random

import pytest

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
