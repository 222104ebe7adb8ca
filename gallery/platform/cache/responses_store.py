"""Whole answers in Valkey, where all processes find them.

An answer lies there with its tags and its position in the order of drops: whoever reads it is told at the same moment
how far that order is by now, and finds out by itself whether a tag was dropped in between. So a drop need not know
which answers it makes wrong, and one that was read before a drop is wrong wherever and whenever it is written.
"""

from __future__ import annotations

import secrets
import struct
import time
from array import array
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from gallery.domain.response_ports import KeptResponse
from gallery.platform.cache.codec import FORMAT
from gallery.platform.cache.drops import PREFIX, STATE, STATE_SCRIPT, Position, fresh_epoch
from gallery.platform.cache.pipelining import Commands, Part
from gallery.platform.cache.responses_memory import REFRESH_SHARE, Entry

LEASE_SECONDS: Final = 2.0
"""How long others wait for the one who makes an answer."""
PASS_SECONDS: Final = 2.0
"""For how long nobody waits for anybody, once an answer was found to be none that is kept."""
REFRESH_SECONDS: Final = 5.0
LARGEST_BYTES: Final = 1024 * 1024
"""The largest answer that is kept. One that is larger takes the place of many."""

_VALUE, _LEASE, _PASS, _SIGHTED = b"=", b"?", b"!", b"."
_WANTED: Final = b"+"
"""What follows a claim once the answer was asked for before or meanwhile. Of others only the sighting is kept: else
anybody could fill Valkey with answers that nobody asks for again."""
_TOKEN_BYTES: Final = 12
_HEAD: Final = struct.Struct(f"<c{_TOKEN_BYTES}sQdd32sHHII")
"""Mark, token, number, expiry and when to refresh (both in Unix time), digest; then how long the rest is: epoch, name
of the coding, tags in bytes, body. What remains are the bytes in that coding."""

_READ = (
    STATE_SCRIPT
    + """
local entry = redis.call('MGET', KEYS[2])[1]
if not entry then
  redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
elseif string.sub(entry, 1, 1) == '?' and #entry == #ARGV[2] then
  redis.call('APPEND', KEYS[2], '+')
end
local head = redis.call('HMGET', KEYS[1], 'epoch', 'number')
return {entry, head[1], head[2]}
"""
)

_LOOK = (
    STATE_SCRIPT
    + """
local entries = redis.call('MGET', unpack(KEYS, 2))
local head = redis.call('HMGET', KEYS[1], 'epoch', 'number')
return {entries, head[1], head[2]}
"""
)

_REPLACE = """
local entry = redis.call('MGET', KEYS[1])[1]
if not entry or string.sub(entry, 1, #ARGV[1]) ~= ARGV[1] then return 0 end
if ARGV[3] == '0' then redis.call('UNLINK', KEYS[1]) else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
return 1
"""

_FILL = """
local entry = redis.call('MGET', KEYS[1])[1]
if not entry or string.sub(entry, 1, #ARGV[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], #entry > #ARGV[1] and ARGV[2] or ARGV[4], 'PX', ARGV[3])
return 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was found under a key, and how far the order of drops was then.

    `claim` is what has to lie there for something else to be put in its place; None if nobody else may do so.
    """

    position: Position
    entry: Entry | None = None
    claim: bytes | None = None
    is_passed: bool = False
    is_claimed: bool = False
    """Whether the place is taken for whoever has read, to be filled."""


class ResponseStore:
    """The answers in one Valkey. Every method is one round trip."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands
        self._read = commands.script(_READ)
        self._look = commands.script(_LOOK)
        self._replace = commands.script(_REPLACE)
        self._fill = commands.script(_FILL)

    async def look(self, keys: Collection[bytes]) -> tuple[Position, dict[bytes, Entry]]:
        """Which answers lie there, and how far the order of drops was then."""
        entries, epoch, number = await self._look([STATE, *map(_name, keys)], [fresh_epoch()])
        decoded = {key: _decoded(entry) for key, entry in zip(keys, entries, strict=True) if entry is not None}
        return Position.of(epoch, number), {key: entry for key, entry in decoded.items() if entry is not None}

    async def read(self, key: bytes) -> Seen:
        """What lies there; if nothing does, the place is claimed."""
        claim = _claim()
        answer = await self._read([STATE, _name(key)], [fresh_epoch(), claim, _milliseconds(LEASE_SECONDS)])
        content, epoch, number = answer
        position = Position.of(epoch, number)
        if content is None:
            return Seen(position=position, claim=claim, is_claimed=True)
        mark = content[:1]
        if mark == _LEASE:
            return Seen(position=position)
        if mark == _PASS:
            return Seen(position=position, is_passed=True)
        return Seen(position=position, entry=_decoded(content), claim=content[: 1 + _TOKEN_BYTES])

    async def claim(self, key: bytes, seen: Seen) -> bytes | None:
        """Claims the place of something that is wrong, unless somebody else did."""
        claim = _claim()
        arguments: list[Part] = [seen.claim or b"", claim + _WANTED, _milliseconds(LEASE_SECONDS)]
        return claim if await self._replace([_name(key)], arguments) else None

    async def may_refresh(self, key: bytes) -> bool:
        """Whether the one who asks is to make an answer anew that is still right."""
        name = _name(key) + ":refresh"
        return bool(await self._commands.run("SET", name, b"", "NX", "PX", _milliseconds(REFRESH_SECONDS)))

    async def fill(self, key: bytes, claim: bytes, entry: Entry) -> bool:
        """Puts an answer in its place, or that it was asked for once; answers whether that was still claimed."""
        lifetime_seconds = entry.expires_at - time.monotonic()
        sighting = _SIGHTED + secrets.token_bytes(_TOKEN_BYTES)
        arguments: list[Part] = [claim, _encoded(entry), max(1, _milliseconds(lifetime_seconds)), sighting]
        return bool(await self._fill([_name(key)], arguments))

    async def give_back(self, key: bytes, claim: bytes) -> None:
        """Gives a claim back."""
        await self._replace([_name(key)], [claim, b"", 0])

    async def pass_by(self, key: bytes, claim: bytes) -> None:
        """Says in the claimed place that this is no answer to be kept."""
        await self._replace([_name(key)], [claim, _PASS, _milliseconds(PASS_SECONDS)])


def _name(key: bytes) -> str:
    """Two releases that run side by side do not find each other's answers."""
    return f"{PREFIX}response:{FORMAT.decode()}:{key.hex()}"


def _claim() -> bytes:
    return _LEASE + secrets.token_bytes(_TOKEN_BYTES)


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1000)


def _encoded(entry: Entry) -> bytes:
    """The entry as bytes, with one of its codings."""
    response, tags = entry.response, entry.tags.tobytes()
    coding, encoded = next(iter(response.encoded.items()), ("", b""))
    now, wall = time.monotonic(), time.time()
    head = _HEAD.pack(
        _VALUE,
        secrets.token_bytes(_TOKEN_BYTES),
        entry.position.number,
        wall + entry.expires_at - now,
        wall + entry.refresh_at - now,
        response.digest.encode(),
        len(entry.position.epoch),
        len(coding),
        len(tags),
        len(response.body),
    )
    return b"".join([head, entry.position.epoch, coding.encode(), tags, response.body, encoded])


def _decoded(content: bytes) -> Entry | None:
    """The entry that bytes are, or None if they are none."""
    try:
        mark, _, number, expires_at, refresh_at, digest, *lengths = _HEAD.unpack_from(content)
        parts, start = [], _HEAD.size
        for length in lengths:
            parts.append(content[start : start + length])
            start += length
        epoch, coding, tag_bytes, body = parts
        tags = array("I")
        tags.frombytes(tag_bytes)
        if mark != _VALUE or start > len(content):
            return None
        encoded = {coding.decode(): content[start:]} if coding else {}
        response = KeptResponse(body=body, digest=digest.decode(), encoded=encoded)
    except (struct.error, ValueError):
        return None
    ahead = time.monotonic() - time.time()
    return Entry(
        response=response,
        position=Position(epoch, number),
        tags=tags,
        expires_at=expires_at + ahead,
        refresh_at=max(refresh_at, 0) + ahead,
    )


def new_entry(response: KeptResponse, position: Position, tags: array[int], lifetime_seconds: float) -> Entry:
    """An answer that was read since a position."""
    now = time.monotonic()
    return Entry(
        response=response,
        position=position,
        tags=tags,
        expires_at=now + lifetime_seconds,
        refresh_at=now + (1 - REFRESH_SHARE) * lifetime_seconds,
    )
