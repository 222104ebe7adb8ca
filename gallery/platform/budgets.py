"""Buckets of points in the memory of this process."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from gallery.domain.budgets import Allowance, Balance

MOST_HOLDERS: Final = 10_000
"""How many buckets are remembered. Who was not seen for longest is forgotten first, and has a full one then."""


class LocalBudget:
    """The port `Budget`, for one process."""

    def __init__(
        self,
        allowance: Allowance,
        *,
        most_holders: int = MOST_HOLDERS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.allowance = allowance
        self._most_holders = most_holders
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """What was in each, and when."""

    async def take(self, holder: str, points: int) -> Balance:
        """As the port says."""
        now = self._clock()
        available = self._available(holder, now)
        wait_seconds = self.allowance.wait_seconds(available, points)
        if wait_seconds <= 0:
            available -= points
        self._put(holder, available, now)
        return Balance(available=available, wait_seconds=wait_seconds)

    def give_back(self, holder: str, points: int) -> None:
        """As the port says."""
        if holder in self._buckets:  # else it is full
            now = self._clock()
            self._put(holder, self.allowance.filled(self._available(holder, now) + points, 0), now)

    def _available(self, holder: str, now: float) -> float:
        available, since = self._buckets.get(holder, (float(self.allowance.points), now))
        return self.allowance.filled(available, now - since)

    def _put(self, holder: str, available: float, now: float) -> None:
        self._buckets[holder] = available, now
        self._buckets.move_to_end(holder)
        while len(self._buckets) > self._most_holders:
            self._buckets.popitem(last=False)
