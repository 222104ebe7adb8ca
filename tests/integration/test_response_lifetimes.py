"""How long whole answers are kept, and who makes those anew that are about to end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack
from itertools import islice

import pytest
from redis.asyncio import Redis

from gallery.domain.response_ports import KeptResponse, MadeResponse
from gallery.platform.cache.drops import PREFIX
from gallery.platform.cache.responses_memory import REFRESH_SHARE, Entry
from gallery.platform.cache.responses_store import ResponseStore
from tests.integration.cache_support import MemoryGallery, Pause, an_image, cache_settings
from tests.integration.responses_support import Process, content_of, process_on

IMAGE = an_image("Old")
KEY = f":title {IMAGE.id}".encode()
LIFETIME_SECONDS = 100_000


@pytest.fixture
async def gallery() -> MemoryGallery:
    gallery = MemoryGallery()
    gallery.add(IMAGE)
    return gallery


@pytest.fixture(params=[0, 1_000_000], ids=["valkey alone", "both layers"])
async def processes(
    cache_url: str, gallery: MemoryGallery, request: pytest.FixtureRequest
) -> AsyncIterator[list[Process]]:
    settings = cache_settings(
        cache_url, responses_max_bytes=request.param, response_ttl_seconds=LIFETIME_SECONDS, jitter=0
    )
    async with AsyncExitStack() as stack:
        processes = [await stack.enter_async_context(process_on(settings, gallery)) for _ in range(3)]
        for process in processes:
            await process.until_ready()
        yield processes


async def in_valkey(process: Process) -> Entry:
    """The answer that lies there."""
    entry = (await ResponseStore(process.cache.valkey.commands).read(KEY)).entry
    assert entry is not None
    return entry


async def let_the_last_tenth_begin(processes: Collection[Process]) -> None:
    """As if most of the answer's life were over, wherever it is kept."""
    store = ResponseStore(next(iter(processes)).cache.valkey.commands)
    seen = await store.read(KEY)
    claim = await store.claim(KEY, seen)
    assert seen.entry is not None
    assert claim is not None
    seen.entry.refresh_at = time.monotonic()
    assert await store.fill(KEY, claim, seen.entry)
    for process in processes:
        for entry in process.responses._memory._entries.values():
            entry.refresh_at = seen.entry.refresh_at


async def test_an_answer_in_its_last_tenth_is_made_anew_by_one_who_asks(
    processes: list[Process], gallery: MemoryGallery
) -> None:
    one, other, third = processes
    for process in (one, other):
        assert await process.title(IMAGE.id) == ["Old"]
    first = await in_valkey(one)
    for _ in range(2):
        assert await third.title(IMAGE.id) == ["Old"]
    assert (one.made, other.made, third.made) == (1, 1, 0)

    gallery.retitle(IMAGE.id, "New")  # nobody is told, so what is kept stays right
    await one.cache.valkey.client.delete(f"{PREFIX}image:{IMAGE.id.hex}")
    held = gallery.pause = Pause()
    await let_the_last_tenth_begin(processes)
    asked = [asyncio.create_task(process.title(IMAGE.id)) for _ in range(10) for process in processes]
    try:
        async with asyncio.timeout(20):
            await held.reached.wait()
            kept = [await answer for answer in islice(asyncio.as_completed(asked), len(asked) - 1)]
        assert kept == [["Old"]] * len(kept)
    finally:
        held.end.set()

    assert sorted(await asyncio.gather(*asked)) == [["New"], *kept]
    assert one.made + other.made + third.made == 3
    anew = await in_valkey(one)
    assert content_of(anew.response) == ["New"]
    assert anew.refresh_at > first.refresh_at


async def test_the_last_tenth_begins_when_nine_tenths_are_over(processes: list[Process]) -> None:
    one, other, _ = processes
    began = time.monotonic()
    for process in (one, other):
        await process.title(IMAGE.id)
    ended = time.monotonic()

    entry = await in_valkey(one)
    assert REFRESH_SHARE == 0.1
    assert entry.expires_at - entry.refresh_at == pytest.approx(LIFETIME_SECONDS / 10, abs=0.01)
    assert began + LIFETIME_SECONDS - 1 <= entry.expires_at <= ended + LIFETIME_SECONDS + 1  # clocks are set


async def test_lifetimes_are_shorter_than_their_setting_by_up_to_the_jitter(cache_url: str) -> None:
    async def make() -> MadeResponse | None:
        return MadeResponse(body=b"1", tags=frozenset())

    settings = cache_settings(cache_url, response_ttl_seconds=LIFETIME_SECONDS, jitter=0.5)
    async with process_on(settings, MemoryGallery()) as process, Redis.from_url(cache_url) as valkey:
        await process.until_ready()
        for number in range(40):
            for _ in range(2):
                process.responses._memory.clear()
                assert isinstance(await process.responses.get(b"key %d" % number, make), KeptResponse)
        names = [name async for name in valkey.scan_iter(f"{PREFIX}response:*")]
        lifetimes = [await valkey.ttl(name) for name in names]

    assert len(lifetimes) == 40
    assert all(LIFETIME_SECONDS / 2 - 60 <= lifetime <= LIFETIME_SECONDS for lifetime in lifetimes)
    assert max(lifetimes) - min(lifetimes) > LIFETIME_SECONDS / 10
