"""Numbers in Valkey, which all processes share."""

from __future__ import annotations

import logging
from typing import Final

from gallery.domain.session_ports import Counters
from gallery.platform.cache.cache import Cache
from gallery.platform.cache.valkey import PREFIX, CacheUnavailableError

log = logging.getLogger(__name__)

_ADD: Final = """
local sum = redis.call('INCRBY', KEYS[1], ARGV[1])
if redis.call('TTL', KEYS[1]) < 0 then
  redis.call('EXPIRE', KEYS[1], ARGV[2])
end
return sum
"""


class ValkeyCounters:
    """The port `Counters`. While Valkey is gone each process counts by itself."""

    def __init__(self, cache: Cache, local: Counters) -> None:
        self._valkey = cache.valkey
        self._local = local
        self._add = cache.valkey.commands.script(_ADD)

    async def add(self, key: str, amount: int, ttl_seconds: int) -> int:
        """As the port says."""
        try:
            return int(await self._valkey.call(lambda: self._add([PREFIX + "count:" + key], [amount, ttl_seconds])))
        except CacheUnavailableError as error:
            log.debug("attempts are counted by this process alone: %r", error)
            return await self._local.add(key, amount, ttl_seconds)

    async def get(self, key: str) -> int:
        """As the port says."""
        try:
            number = await self._valkey.call(lambda: self._valkey.commands.run("GET", PREFIX + "count:" + key))
        except CacheUnavailableError as error:
            log.debug("attempts are counted by this process alone: %r", error)
            return await self._local.get(key)
        return int(number or 0)
