"""How buckets of points fill, and how long it takes."""

from __future__ import annotations

import pytest

from gallery.domain.budgets import Allowance, Balance

ALLOWANCE = Allowance(points=100, points_per_second=10)


@pytest.mark.parametrize(
    ("available", "seconds", "expected"),
    [(0, 0, 0), (0, 3, 30), (90, 1, 100), (90, 60, 100), (50, -5, 50), (-20, 1, -10)],
    ids=["at once", "later", "to the brim", "no further", "clock went back", "in debt"],
)
def test_a_bucket_fills_with_time_and_no_further_than_it_holds(
    available: float, seconds: float, expected: float
) -> None:
    assert ALLOWANCE.filled(available, seconds) == expected


@pytest.mark.parametrize(("available", "points", "expected"), [(30, 30, 0), (30, 20, 0), (30, 50, 2), (29.5, 30, 0.05)])
def test_who_asks_for_more_than_there_is_waits_as_long_as_it_takes(
    available: float, points: int, expected: float
) -> None:
    assert ALLOWANCE.wait_seconds(available, points) == pytest.approx(expected)


@pytest.mark.parametrize(("wait_seconds", "is_enough"), [(0, True), (0.001, False)])
def test_who_has_to_wait_has_not_got_any(wait_seconds: float, *, is_enough: bool) -> None:
    assert Balance(available=5, wait_seconds=wait_seconds).is_enough is is_enough
