"""Whole answers: in the memory of the process, else in Valkey, else made once for all who ask.

`docs/adr/0018-response-cache.md` says what is guaranteed and why it is built this way.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from array import array
from collections.abc import Callable, Collection, Coroutine, Mapping
from contextlib import suppress
from typing import Any, Final

from gallery.domain.response_ports import KeptResponse, MadeResponse, Make
from gallery.platform.cache.cache import FIRST_POLL_SECONDS, LAST_POLL_SECONDS, Cache
from gallery.platform.cache.drop_history import tag_number
from gallery.platform.cache.drops import Position
from gallery.platform.cache.joint_lookups import JointLookups
from gallery.platform.cache.metrics import Layer, ResponseMetrics
from gallery.platform.cache.responses_memory import Entry, ResponseMemory
from gallery.platform.cache.responses_store import (
    LARGEST_BYTES,
    LEASE_SECONDS,
    PASS_SECONDS,
    REFRESH_SECONDS,
    ResponseStore,
    Seen,
    new_entry,
)
from gallery.platform.cache.valkey import CacheUnavailableError
from gallery.services.single_flight import SingleFlight
from gallery.settings import CacheSettings

_MAX_PASSED: Final = 10_000


class CachedResponses:
    """The port `ResponseCache`. Whatever is wrong with Valkey, nothing is kept and nothing fails."""

    def __init__(self, cache: Cache, settings: CacheSettings) -> None:
        self._valkey = cache.valkey
        self._listener = cache.valkey.listener
        self._store = ResponseStore(cache.valkey.commands)
        self._has_memory = settings.responses_max_bytes > 0
        self._memory = ResponseMemory(settings.responses_max_bytes)
        self._settings = settings
        self._flights = SingleFlight[Entry | None]()
        self._lookups = JointLookups(self._look_up)
        self._making: dict[bytes, object] = {}
        self._passed: dict[bytes, float] = {}
        self._loose_ends: set[asyncio.Task[None]] = set()
        self.metrics = ResponseMetrics(size_bytes=lambda: self._memory.size_bytes)
        self._valkey.on_lost = self._memory.clear

    def find(self, key: bytes) -> KeptResponse | None:
        """As the port says."""
        if not self._has_memory:
            return None
        may_answer = self._listener.may_answer() and self._valkey.available
        found = self._memory.find(key, self._listener.history) if may_answer else None
        if found is None:
            self.metrics.misses[Layer.MEMORY] += 1
        else:
            self.metrics.hits[Layer.MEMORY] += 1
        return found

    async def look(self, key: bytes) -> KeptResponse | None:
        """As the port says."""
        if self._has_memory or not self._is_worth_asking(key):
            return None
        entry = await self._lookups.find(key)
        if entry is None or time.monotonic() >= entry.refresh_at or not entry.is_right(self._listener.history):
            return None
        self.metrics.hits[Layer.VALKEY] += 1
        return entry.response

    async def get(self, key: bytes, make: Make) -> KeptResponse | None:
        """As the port says."""
        pause_seconds, until = FIRST_POLL_SECONDS, time.monotonic() + LEASE_SECONDS
        while self._is_worth_asking(key) and time.monotonic() < until:
            seen = await self._read(key)
            if seen is None:
                return None
            if seen.is_passed:
                self._pass_by(key)
                return None
            if seen.entry is not None and seen.entry.is_right(self._listener.history):
                return await self._found(key, seen, seen.entry, make)
            claim = await self._claimed(key, seen)
            if claim is not None:
                self.metrics.misses[Layer.VALKEY] += 1
                return _response(await self._make(key, claim, seen.position, make))
            if (flight := self._making.get(key)) is not None:
                await self._flights.run(flight, _nothing)  # then look again: it may have begun before a drop
                continue
            await asyncio.sleep(pause_seconds)
            pause_seconds = min(2 * pause_seconds, LAST_POLL_SECONDS)
        return None

    async def settle(self) -> None:
        """Waits until what was begun in Valkey is done."""
        await asyncio.gather(*self._loose_ends)

    def _is_worth_asking(self, key: bytes) -> bool:
        if not self._valkey.available or not self._listener.is_listening:
            return False
        passed_until = self._passed.get(key)
        return passed_until is None or time.monotonic() >= passed_until

    def _pass_by(self, key: bytes) -> None:
        """Asks no more for a moment: this is no answer to be kept."""
        while len(self._passed) >= _MAX_PASSED:
            del self._passed[next(iter(self._passed))]
        self._passed[key] = time.monotonic() + PASS_SECONDS

    async def _look_up(self, keys: Collection[bytes]) -> Mapping[bytes, Entry]:
        """The answers in Valkey, on the same condition as one that is read."""
        try:
            position, entries = await self._valkey.call(lambda: self._store.look(keys))
        except CacheUnavailableError:
            return {}
        return entries if await self._listener.reach(position, self._settings.timeout_seconds) else {}

    async def _read(self, key: bytes) -> Seen | None:
        """What is in Valkey, once this process has heard of every drop that Valkey had then; None without it."""
        try:
            seen = await self._valkey.call(lambda: self._store.read(key))
        except CacheUnavailableError:
            return None
        if await self._listener.reach(seen.position, self._settings.timeout_seconds):
            return seen
        if seen.is_claimed:
            self._later(lambda: self._store.give_back(key, seen.claim or b""))
        return None

    async def _found(self, key: bytes, seen: Seen, entry: Entry, make: Make) -> KeptResponse | None:
        """An answer of Valkey, or a new one if it is old and nobody else is making one."""
        self.metrics.hits[Layer.VALKEY] += 1
        now = time.monotonic()
        if now >= entry.refresh_at:
            entry.refresh_at = now + REFRESH_SECONDS
            with suppress(CacheUnavailableError):
                if await self._valkey.call(lambda: self._store.may_refresh(key)):
                    return _response(await self._make(key, seen.claim or b"", seen.position, make))
        self._remember(key, entry)
        return entry.response

    async def _claimed(self, key: bytes, seen: Seen) -> bytes | None:
        """What shows that the place is this request's to fill, if it is."""
        if seen.is_claimed:
            return seen.claim
        if seen.claim is None:
            return None
        with suppress(CacheUnavailableError):
            return await self._valkey.call(lambda: self._store.claim(key, seen))
        return None

    async def _make(self, key: bytes, claim: bytes, since: Position, make: Make) -> Entry | None:
        """A new answer. It is made to its end as long as anybody waits for it."""
        flight = object()

        async def work() -> Entry | None:
            self._making[key] = flight
            try:
                return await self._made(key, claim, since, make)
            finally:
                if self._making.get(key) is flight:
                    del self._making[key]

        return await self._flights.run(flight, work)

    async def _made(self, key: bytes, claim: bytes, since: Position, make: Make) -> Entry | None:
        """A new answer, kept unless something was dropped meanwhile that it was read from."""
        try:
            made = await make()
        except BaseException:
            self._later(lambda: self._store.give_back(key, claim))
            raise
        if made is None:
            self._pass_by(key)
            self._later(lambda: self._store.pass_by(key, claim))
            return None
        entry = self._entry(made, since)
        if len(made.body) > LARGEST_BYTES:
            self._pass_by(key)
            self._later(lambda: self._store.pass_by(key, claim))
        elif entry.is_right(self._listener.history):
            self._remember(key, entry)
            with suppress(CacheUnavailableError):
                is_kept = await self._valkey.call(lambda: self._store.fill(key, claim, entry))
                self.metrics.refused[Layer.VALKEY] += not is_kept
        else:
            self.metrics.refused[Layer.MEMORY] += self._has_memory
            self.metrics.refused[Layer.VALKEY] += 1
            self._later(lambda: self._store.give_back(key, claim))
        return entry

    def _entry(self, made: MadeResponse, since: Position) -> Entry:
        digest = hashlib.blake2b(made.body, digest_size=16).hexdigest()
        response = KeptResponse(body=made.body, digest=digest, encoded=dict(made.encoded))
        share = 1 - self._settings.jitter * random.random()  # noqa: S311  # nothing to guess here
        tags = array("I", sorted(map(tag_number, made.tags)))
        return new_entry(response, since, tags, share * self._settings.response_ttl_seconds)

    def _remember(self, key: bytes, entry: Entry) -> None:
        if self._has_memory:
            self._memory.keep(key, entry)

    def _later(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Does something in Valkey that nobody waits for."""

        async def try_it() -> None:
            with suppress(CacheUnavailableError):
                await self._valkey.call(work)

        task = asyncio.create_task(try_it())
        self._loose_ends.add(task)
        task.add_done_callback(self._loose_ends.discard)


def _response(entry: Entry | None) -> KeptResponse | None:
    return None if entry is None else entry.response


async def _nothing() -> Entry | None:
    """What others have begun needs no work of one's own."""
    return None
