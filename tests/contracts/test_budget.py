"""What every place for buckets of points must do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from gallery.domain.budgets import Allowance, Budget
from gallery.platform.budgets import LocalBudget
from gallery.platform.cache import connect
from gallery.platform.cache.budgets import GIVING_SECONDS, ValkeyBudget
from tests.integration.cache_support import cache_settings

SLOW = Allowance(points=100, points_per_second=0.001)
"""Nothing that counts comes back while a test runs."""
FAST = Allowance(points=100, points_per_second=1_000)


Make = Callable[[Allowance], Budget]


@pytest.fixture
def local_budgets() -> Make:
    return LocalBudget


@pytest.fixture
async def valkey_budgets(cache_url: str) -> AsyncIterator[Make]:
    async with connect(cache_settings(cache_url, timeout_seconds=2)) as cache:
        made: list[ValkeyBudget] = []

        def make(allowance: Allowance) -> Budget:
            made.append(ValkeyBudget(cache, allowance))
            return made[-1]

        yield make
        for budget in made:
            await budget.settle()


@pytest.fixture(params=["local", "valkey"])
def budgets(request: pytest.FixtureRequest) -> Make:
    found: Make = request.getfixturevalue(f"{request.param}_budgets")
    return found


async def test_a_bucket_begins_full_and_is_emptied(budgets: Make) -> None:
    budget = budgets(SLOW)

    first, second, third = [await budget.take("a", 40) for _ in range(3)]

    assert [first.is_enough, second.is_enough, third.is_enough] == [True, True, False]
    assert first.available == pytest.approx(60, abs=0.1)
    assert third.available == pytest.approx(20, abs=0.1)
    assert third.wait_seconds == pytest.approx(20 / 0.001, rel=0.01)


async def test_what_is_refused_takes_nothing(budgets: Make) -> None:
    budget = budgets(SLOW)
    await budget.take("a", 60)

    assert not (await budget.take("a", 50)).is_enough
    assert (await budget.take("a", 40)).is_enough


async def test_all_that_a_bucket_holds_may_be_taken_at_once(budgets: Make) -> None:
    budget = budgets(SLOW)

    assert (await budget.take("a", 100)).is_enough
    assert not (await budget.take("a", 1)).is_enough


async def test_everybody_has_a_bucket_of_their_own(budgets: Make) -> None:
    budget = budgets(SLOW)
    await budget.take("a", 100)

    assert (await budget.take("b", 100)).is_enough


async def test_what_is_given_back_may_be_taken_again(budgets: Make) -> None:
    budget = budgets(SLOW)
    await budget.take("a", 100)
    budget.give_back("a", 70)

    assert not (await budget.take("a", 80)).is_enough
    assert (await budget.take("a", 70)).is_enough


async def test_nothing_more_is_given_back_than_a_bucket_holds(budgets: Make) -> None:
    budget = budgets(SLOW)
    await budget.take("a", 10)
    budget.give_back("a", 1_000)
    await asyncio.sleep(2 * GIVING_SECONDS)

    assert (await budget.take("a", 0)).available == pytest.approx(100)


async def test_points_come_back_with_time(budgets: Make) -> None:
    budget = budgets(FAST)
    await budget.take("a", 100)
    refused = await budget.take("a", 100)
    assert not refused.is_enough

    await asyncio.sleep(refused.wait_seconds + 0.01)

    assert (await budget.take("a", 90)).is_enough


async def test_what_is_given_back_survives_whoever_is_cancelled_with_it(cache_url: str) -> None:
    async with connect(cache_settings(cache_url, timeout_seconds=2)) as cache:
        budget = ValkeyBudget(cache, SLOW)
        await budget.take("a", 100)
        budget.give_back("a", 70)
        taking = asyncio.create_task(budget.take("a", 0))
        await asyncio.sleep(0)
        taking.cancel()
        await asyncio.wait([taking])
        await budget.settle()

        assert taking.cancelled()
        assert (await budget.take("a", 70)).is_enough
