"""What all counters must do: those of one process, and those in Valkey."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator

import pytest

from gallery.domain.session_ports import Counters
from gallery.platform.cache import connect
from gallery.platform.cache.counters import ValkeyCounters
from gallery.platform.counters import LocalCounters
from tests.integration.cache_support import cache_settings


@pytest.fixture
def local_counters() -> Counters:
    return LocalCounters()


@pytest.fixture
async def valkey_counters(cache_url: str) -> AsyncIterator[Counters]:
    async with connect(cache_settings(cache_url)) as cache:
        yield ValkeyCounters(cache, LocalCounters())


@pytest.fixture(params=["local", "valkey"])
def counters(request: pytest.FixtureRequest) -> Counters:
    found: Counters = request.getfixturevalue(f"{request.param}_counters")
    return found


@pytest.fixture
def key() -> str:
    return secrets.token_hex(8)


async def test_a_number_begins_with_nothing(counters: Counters, key: str) -> None:
    assert await counters.get(key) == 0


async def test_what_is_added_adds_up(counters: Counters, key: str) -> None:
    assert [await counters.add(key, amount, 60) for amount in (1, 1, 5, -2)] == [1, 2, 7, 5]
    assert await counters.get(key) == 5
    assert await counters.get(f"{key} of another") == 0


async def test_those_who_add_at_once_get_different_sums(counters: Counters, key: str) -> None:
    sums = await asyncio.gather(*(counters.add(key, 1, 60) for _ in range(20)))

    assert sorted(sums) == list(range(1, 21))


async def test_a_number_is_gone_so_long_after_it_began_however_often_it_grew(counters: Counters, key: str) -> None:
    await counters.add(key, 1, 1)
    async with asyncio.timeout(20):
        while await counters.add(key, 1, 1) > 1:  # noqa: ASYNC110  # one that each addition kept would go on for ever
            await asyncio.sleep(0.05)


async def test_processes_count_together_in_valkey_and_apart_without_it(cache_url: str, key: str) -> None:
    async with connect(cache_settings(cache_url)) as first, connect(cache_settings(cache_url)) as second:
        one, other = ValkeyCounters(first, LocalCounters()), ValkeyCounters(second, LocalCounters())
        assert [await one.add(key, 1, 60), await other.add(key, 1, 60), await one.get(key)] == [1, 2, 2]

        await second.valkey.stop()

        assert [await other.get(key), await other.add(key, 1, 60), await other.get(key)] == [0, 1, 1]
        assert await one.get(key) == 2


async def test_of_too_many_numbers_of_a_process_those_go_that_were_used_least_lately() -> None:
    counters = LocalCounters(most=2)
    for key in ("first", "second", "first", "third"):
        await counters.add(key, 1, 60)

    assert [await counters.get(key) for key in ("first", "second", "third")] == [2, 0, 1]
