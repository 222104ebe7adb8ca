"""Values and leases in Valkey: the protocol by which a value from before a write never outlives the write.

An entry is a stamp, a mark, and a value or a lease. The stamp is the format and the numbers of the entry's generations
as they were before the database was read; an entry with another stamp than the present one counts as not there.

Who finds nothing takes a lease, reads the database, and fills: the value is written only if the lease still lies
there. A drop removes value and lease alike, so a fill that raced a write is refused (leases as in Nishtala et al.,
"Scaling Memcache at Facebook", NSDI 2013, section 3.2.1). Who finds the lease of somebody else waits.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gallery.platform.cache.codec import FORMAT
from gallery.platform.cache.keys import EVERYTHING, Slot
from gallery.platform.cache.pipelining import Commands, Part
from gallery.platform.cache.valkey import PREFIX

LEASE_SECONDS: Final = 1.0
"""How long a lease lives unless it is renewed: how long others wait for a process that died."""

_GENERATION_SECONDS = 7 * 24 * 3600
"""Keeps generations of things that are gone from staying for ever. Losing one costs a read, not correctness."""

_VALUE, _LEASE = b"=", b"?"

_BEGIN = """
for i = 2, #ARGV do
  if ARGV[i] ~= '' then redis.call('SET', KEYS[i - 1], ARGV[i], 'NX', 'EX', ARGV[1]) end
end
local found = {}
for i = 1, #KEYS, 1000 do
  for _, content in ipairs(redis.call('MGET', unpack(KEYS, i, math.min(i + 999, #KEYS)))) do
    found[#found + 1] = content
  end
end
return found
"""

_TAKE_LEASES = """
local found = {}
for i, key in ipairs(KEYS) do
  local stamp = ARGV[i + 2]
  local entry = redis.call('MGET', key)[1]
  if entry and string.sub(entry, 1, #stamp) == stamp then
    found[i] = entry
  else
    redis.call('SET', key, stamp .. ARGV[2], 'PX', ARGV[1])
    found[i] = false
  end
end
return found
"""

_RENEW_LEASES = """
for i, key in ipairs(KEYS) do
  if redis.call('MGET', key)[1] == ARGV[i + 1] then redis.call('PEXPIRE', key, ARGV[1]) end
end
return 1
"""

_FILL = """
local filled = 0
for i, key in ipairs(KEYS) do
  local lease, value, lifetime = ARGV[3 * i - 2], ARGV[3 * i - 1], ARGV[3 * i]
  if redis.call('MGET', key)[1] == lease then
    if lifetime == '0' then redis.call('UNLINK', key) else redis.call('SET', key, value, 'PX', lifetime) end
    filled = filled + 1
  end
end
return filled
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """What was found in a slot: `body` is what follows a valid stamp, or None."""

    key: str
    stamp: bytes
    body: bytes | None

    @property
    def value(self) -> bytes | None:
        """The value as it was encoded, if one is there."""
        return self.body[1:] if self.body is not None and self.body.startswith(_VALUE) else None

    @property
    def lease(self) -> bytes | None:
        """The name of the lease, if somebody is about to fill the slot."""
        return self.body[1:] if self.body is not None and self.body.startswith(_LEASE) else None

    @classmethod
    def of(cls, key: str, stamp: bytes, content: bytes | None) -> Entry:
        """The entry that the content of a key is under the present stamp."""
        valid = content is not None and content.startswith(stamp)
        return cls(key, stamp, content[len(stamp) :] if content is not None and valid else None)


@dataclass(frozen=True, slots=True)
class Fill:
    """A value for a slot, or None to give its lease back."""

    entry: Entry
    value: bytes | None
    lifetime_seconds: float


class Entries:
    """The slots of one Valkey. Every method is one round trip, unless a generation has to be begun."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands
        self._begin_generations = commands.script(_BEGIN)
        self._take = commands.script(_TAKE_LEASES)
        self._renew = commands.script(_RENEW_LEASES)
        self._fill = commands.script(_FILL)

    async def read(self, slots: Sequence[Slot]) -> list[Entry]:
        """What lies in the slots, in their order, all at the same moment."""
        generations = list(dict.fromkeys([EVERYTHING, *(name for slot in slots for name in slot.generations)]))
        names = [PREFIX + name for name in (*generations, *(slot.key for slot in slots))]
        contents = _contents(await self._commands.run("MGET", *names), len(names))
        if None in contents[: len(generations)]:
            contents = await self._begin(names, contents[: len(generations)])
        numbers = dict(zip(generations, map(_known, contents), strict=False))
        return [
            Entry.of(PREFIX + slot.key, _stamp(slot, numbers), content)
            for slot, content in zip(slots, contents[len(generations) :], strict=True)
        ]

    async def take_leases(self, entries: Sequence[Entry], lease: bytes) -> list[Entry]:
        """Leases what is not there; answers with what is there by now, without a body where the lease was got."""
        milliseconds = int(LEASE_SECONDS * 1000)
        answer = await self._take(
            [entry.key for entry in entries], [milliseconds, _LEASE + lease, *(entry.stamp for entry in entries)]
        )
        contents = _contents(answer, len(entries))
        return [Entry.of(entry.key, entry.stamp, content) for entry, content in zip(entries, contents, strict=True)]

    async def renew_leases(self, entries: Sequence[Entry], lease: bytes) -> None:
        """Lets leases live on."""
        leases = [entry.stamp + _LEASE + lease for entry in entries]
        await self._renew([entry.key for entry in entries], [int(LEASE_SECONDS * 1000), *leases])

    async def fill(self, fills: Sequence[Fill], lease: bytes) -> int:
        """Replaces leases by values; answers with how many leases were still there."""
        arguments: list[Part] = []
        for fill in fills:
            content = b"" if fill.value is None else fill.entry.stamp + _VALUE + fill.value
            milliseconds = 0 if fill.value is None else max(1, int(fill.lifetime_seconds * 1000))
            arguments += [fill.entry.stamp + _LEASE + lease, content, milliseconds]
        return int(await self._fill([fill.entry.key for fill in fills], arguments))

    async def discard(self, entries: Sequence[Entry]) -> None:
        """Removes what cannot be read."""
        await self._commands.run("UNLINK", *(entry.key for entry in entries))

    async def _begin(self, names: Sequence[str], generations: Sequence[bytes | None]) -> list[bytes | None]:
        """Gives numbers to generations that have none, and reads again."""
        numbers = [secrets.token_urlsafe(9) if number is None else "" for number in generations]
        return _contents(await self._begin_generations(names, [_GENERATION_SECONDS, *numbers]), len(names))


def _stamp(slot: Slot, numbers: Mapping[str, bytes]) -> bytes:
    return b"|".join([FORMAT, *(numbers[name] for name in (EVERYTHING, *slot.generations)), b""])


def _known(number: bytes | None) -> bytes:
    if number is None:
        message = "a generation is no string"
        raise ValueError(message)
    return number


def _contents(answer: object, expected: int) -> list[bytes | None]:
    """The answer of Valkey, if it has the form that it must have.

    Raises:
        ValueError: if not.
    """
    if not isinstance(answer, list) or len(answer) != expected:
        message = "Valkey's answer is not what was asked for"
        raise ValueError(message)
    if not all(content is None or isinstance(content, bytes) for content in answer):
        message = "Valkey's answer is of another type than what was asked for"
        raise ValueError(message)
    return answer
