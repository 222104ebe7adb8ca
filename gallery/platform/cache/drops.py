"""The order of all drops, kept in Valkey: each has a number, is told to every process, and names who must have heard.

What lies in the memory of processes is right as long as their leases last (Gray and Cheriton, "Leases", SOSP 1989): a
drop says whose do, and the writer waits until each of them has heard of it, or its lease is over.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from redis.asyncio import Redis

from gallery.platform.cache.channels import channel_of
from gallery.platform.cache.pipelining import Commands, Part

PREFIX: Final = "gallery:"
STATE: Final = f"{PREFIX}drops"
HOLDER_SECONDS: Final = 1.0
"""How long a process may answer from its memory without asking: how long a writer waits for one that is gone."""

# A state that was lost (evicted, flushed) may have held leases that nobody knows of: its successor is `young` for the
# length of one, and whoever drops meanwhile waits that long.
STATE_SCRIPT: Final = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
if redis.call('TYPE', KEYS[1]).ok ~= 'hash' then
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'number', 0, 'since', now)
end
"""

_DROP = (
    STATE_SCRIPT
    + """
for i = 2, #KEYS, 1000 do redis.call('UNLINK', unpack(KEYS, i, math.min(i + 999, #KEYS))) end
local number = redis.call('HINCRBY', KEYS[1], 'number', 1)
local head = redis.call('HMGET', KEYS[1], 'epoch', 'since')
redis.call('PUBLISH', ARGV[3], head[1] .. ' ' .. number .. ' ' .. ARGV[2] .. ARGV[4])
local answer = {head[1], number, tonumber(ARGV[5]) - (now - head[2])}
local fields = redis.call('HGETALL', KEYS[1])
for i = 1, #fields, 2 do
  if string.sub(fields[i], 1, 6) == 'lease:' then
    if tonumber(fields[i + 1]) > now then
      answer[#answer + 1] = string.sub(fields[i], 7)
      answer[#answer + 1] = fields[i + 1] - now
    else
      redis.call('HDEL', KEYS[1], fields[i])
    end
  end
end
return answer
"""
)

_RENEW = (
    STATE_SCRIPT
    + """
redis.call('HSET', KEYS[1], 'lease:' .. ARGV[2], now + ARGV[3])
return redis.call('HMGET', KEYS[1], 'epoch', 'number')
"""
)


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the order of drops. Numbers begin again with every epoch; those of two epochs say nothing."""

    epoch: bytes
    number: int

    @classmethod
    def of(cls, epoch: object, number: object) -> Position:
        """The position in an answer of Valkey.

        Raises:
            ValueError: if it holds none.
        """
        if not isinstance(epoch, bytes) or not isinstance(number, bytes | int):
            message = "Valkey's answer holds no position"
            raise ValueError(message)  # noqa: TRY004  # as for all that makes no sense in Valkey
        return cls(epoch, int(number))

    def reaches(self, other: Position) -> bool:
        """Whether this is the other place, or behind it."""
        return self.epoch == other.epoch and self.number >= other.number


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """A drop that Valkey has: where it is in the order, what it dropped, and for how long whom it must be told."""

    position: Position
    keys: Collection[str]
    holders: dict[str, float]
    """For how many seconds the leases of processes last, by their names."""
    unknown_seconds: float
    """For how long there may be leases that Valkey has lost."""


class Drops:
    """The order of drops in one Valkey. Every method is one round trip."""

    def __init__(self, client: Redis, commands: Commands) -> None:
        self._commands = commands
        self.channel = channel_of(client, f"{PREFIX}drops")
        """A message for every drop: its position and its writer, then a line for every key."""
        self._drop = commands.script(_DROP)
        self._renew = commands.script(_RENEW)

    async def drop(self, keys: Collection[str], writer: str) -> Drop:
        """Removes keys, and tells every process that listens, at the same moment."""
        told = "".join(f"\n{key}" for key in keys)
        arguments: list[Part] = [fresh_epoch(), writer, self.channel, told, int(HOLDER_SECONDS * 1000)]
        answer = await self._drop([STATE, *(PREFIX + key for key in keys)], arguments)
        if not isinstance(answer, list) or len(answer) < 3:  # noqa: PLR2004  # without holders
            message = "Valkey does not say that keys were removed"
            raise TypeError(message)
        epoch, number, young, *leases = answer
        return Drop(
            position=Position.of(epoch, number),
            keys=keys,
            holders=_holders(leases),
            unknown_seconds=max(0, int(young)) / 1000,
        )

    async def renew(self, name: str) -> Position:
        """Takes a lease for the process of this name, and says which drops came before."""
        answer = await self._renew([STATE], [fresh_epoch(), name, int(HOLDER_SECONDS * 1000)])
        epoch, number = answer
        return Position.of(epoch, number)

    async def tell(self, writer: str, message: bytes) -> None:
        """Sends a message to the process of this name alone."""
        await self._commands.run("PUBLISH", f"{self.channel}:{writer}", message)

    async def release(self, name: str) -> None:
        """Gives the lease of a process back, so that nobody waits for it."""
        await self._commands.run("HDEL", STATE, f"lease:{name}")


def fresh_epoch() -> str:
    """The name of an epoch that nobody had before."""
    return secrets.token_urlsafe(9)


def _holders(leases: Sequence[bytes | int]) -> dict[str, float]:
    names, milliseconds = leases[::2], leases[1::2]
    return {str(name, "ascii"): int(left) / 1000 for name, left in zip(names, milliseconds, strict=True)}  # type: ignore[arg-type]  # names are bytes
