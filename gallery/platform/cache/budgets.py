"""Buckets of points in Valkey, so that all processes take from the same.

A script reads a bucket, fills it by the time that Valkey's own clock says has passed, and takes: in one step and one
round trip. Points to be put back wait for a moment, or for the next that is taken, and travel with it. While Valkey is
away each process has buckets of its own, which begin full: no request fails of it, or waits.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import Final

from gallery.domain.budgets import Allowance, Balance
from gallery.platform.budgets import LocalBudget
from gallery.platform.cache.cache import Cache
from gallery.platform.cache.valkey import PREFIX, CacheUnavailableError

log = logging.getLogger(__name__)

GIVING_SECONDS: Final = 0.05
"""How long points wait to be put back."""

_TAKE: Final = """
local capacity, per_second = tonumber(ARGV[1]), tonumber(ARGV[2])
local points, returned = tonumber(ARGV[3]), tonumber(ARGV[4])
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
local found = redis.call('HMGET', KEYS[1], 'points', 'at')
local available, at = tonumber(found[1] or ''), tonumber(found[2] or '')
if not available or not at then available, at = capacity, now end
available = math.min(capacity, available + math.max(0, now - at) * per_second + returned)
local missing = points - available
if missing <= 0 then available = available - points end
if available >= capacity then
  redis.call('DEL', KEYS[1])
else
  redis.call('HSET', KEYS[1], 'points', string.format('%.6f', available), 'at', string.format('%.6f', now))
  redis.call('PEXPIRE', KEYS[1], math.ceil((capacity - available) / per_second * 1000) + 1000)
end
return {string.format('%.6f', available), missing > 0 and string.format('%.6f', missing + 0.000001) or '0'}
"""


class ValkeyBudget:
    """The port `Budget`, for all processes that share a Valkey."""

    def __init__(self, cache: Cache, allowance: Allowance) -> None:
        self.allowance = allowance
        self._valkey = cache.valkey
        self._script = cache.valkey.commands.script(_TAKE)
        self._local = LocalBudget(allowance)
        self._returned: Counter[str] = Counter()
        self._returning: set[asyncio.Task[Balance]] = set()
        """What is under way with points to be put back."""
        self._giving: asyncio.Task[None] | None = None

    async def take(self, holder: str, points: int) -> Balance:
        """As the port says. Who is cancelled meanwhile may have taken the points, but those put back are not lost."""
        returned = self._returned.pop(holder, 0)
        if not returned:
            return await self._take(holder, points, 0)
        # Whether a call that is broken off was heard is not known: they would be lost, or put back twice.
        taking = asyncio.create_task(self._take(holder, points, returned))
        self._returning.add(taking)
        taking.add_done_callback(self._returning.discard)
        return await asyncio.shield(taking)

    async def _take(self, holder: str, points: int, returned: int) -> Balance:
        try:
            available, missing = await self._valkey.call(lambda: self._run(holder, points, returned))
        except CacheUnavailableError as error:
            log.debug("what this viewer asks of other processes is not known: %r", error)
            if returned:
                self._local.give_back(holder, returned)
            return await self._local.take(holder, points)
        return Balance(available=available, wait_seconds=missing / self.allowance.points_per_second)

    def give_back(self, holder: str, points: int) -> None:
        """As the port says."""
        self._returned[holder] += points
        if self._giving is None or self._giving.done():
            self._giving = asyncio.create_task(self._give())

    async def settle(self) -> None:
        """Waits until everything is put back."""
        while self._giving is not None and not self._giving.done():
            await asyncio.wait([self._giving])
        while self._returning:
            await asyncio.wait(self._returning)

    async def _give(self) -> None:
        while self._returned:
            await asyncio.sleep(GIVING_SECONDS)
            for holder in list(self._returned):
                if self._returned.get(holder):  # else it has travelled with what was taken
                    await self.take(holder, 0)

    async def _run(self, holder: str, points: int, returned: int) -> tuple[float, float]:
        arguments = [self.allowance.points, self.allowance.points_per_second, points, returned]
        available, missing = await self._script([f"{PREFIX}budget:{holder}"], arguments)
        return float(available), float(missing)
