"""Numbers of this process alone, each for a while."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

_MOST: Final = 10_000


class LocalCounters:
    """The port `Counters` for one process. When there are too many numbers, those that were used least lately go."""

    def __init__(self, *, most: int = _MOST, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._numbers: OrderedDict[str, tuple[int, float]] = OrderedDict()

    async def add(self, key: str, amount: int, ttl_seconds: int) -> int:
        """As the port says."""
        number, until = self._numbers.pop(key, (0, 0.0))
        now = self._clock()
        if now >= until:
            number, until = 0, now + ttl_seconds
        self._numbers[key] = number + amount, until
        if len(self._numbers) > self._most:
            self._numbers.popitem(last=False)
        return number + amount

    async def get(self, key: str) -> int:
        """As the port says."""
        number, until = self._numbers.get(key, (0, 0.0))
        return number if self._clock() < until else 0
