"""Buckets in memory are bounded, and fill by the clock."""

from __future__ import annotations

from gallery.domain.budgets import Allowance
from gallery.platform.budgets import LocalBudget

ALLOWANCE = Allowance(points=100, points_per_second=10)


class Clock:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


async def test_a_bucket_fills_by_the_clock() -> None:
    clock = Clock()
    budget = LocalBudget(ALLOWANCE, clock=clock)
    await budget.take("a", 100)
    clock.seconds = 4

    assert (await budget.take("a", 50)).wait_seconds == 1
    assert (await budget.take("a", 40)).available == 0


async def test_who_was_not_seen_for_longest_is_forgotten() -> None:
    budget = LocalBudget(ALLOWANCE, most_holders=2, clock=Clock())
    for holder in ("a", "b", "a", "c"):
        await budget.take(holder, 50)

    assert (await budget.take("a", 0)).available == 0
    assert (await budget.take("b", 0)).available == 100


async def test_who_is_forgotten_is_given_nothing_back() -> None:
    budget = LocalBudget(ALLOWANCE, clock=Clock())
    budget.give_back("a", 50)

    assert (await budget.take("a", 0)).available == 100
