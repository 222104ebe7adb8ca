"""Reading through the cache: from Valkey, else from the database once, then into Valkey."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from gallery.domain import footprints
from gallery.domain.errors import OverloadedError
from gallery.domain.events import Event
from gallery.platform.cache.entries import Entries, Entry
from gallery.platform.cache.keys import EVERYTHING, Slot, dropped_by
from gallery.platform.cache.kinds import Kind, Lifetimes
from gallery.platform.cache.loads import Load, Loaded, Loads
from gallery.platform.cache.metrics import CacheMetrics
from gallery.platform.cache.valkey import CacheUnavailableError, Valkey, create_client
from gallery.settings import CacheSettings

log = logging.getLogger(__name__)

K = TypeVar("K")
V = TypeVar("V")

FIRST_POLL_SECONDS, LAST_POLL_SECONDS = 0.005, 0.05
"""How often a process looks for what another one is loading: less often the longer it takes."""


@dataclass(slots=True)
class _Seen(Generic[K, V]):
    """What was found in slots."""

    values: dict[K, V] = field(default_factory=dict)
    missing: dict[K, Entry] = field(default_factory=dict)
    leased: dict[K, Entry] = field(default_factory=dict)
    unreadable: dict[K, Entry] = field(default_factory=dict)


class Cache:
    """Values of slots, shared by all processes; a slot of `keys.seen_by` is what one viewer is shown.

    `docs/adr/0004-cache-aside.md` says what is guaranteed.
    """

    def __init__(self, valkey: Valkey, settings: CacheSettings, metrics: CacheMetrics) -> None:
        self.valkey = valkey
        self._entries = Entries(valkey.commands)
        self._loads = Loads(valkey, self._entries, Lifetimes(settings), metrics)
        self._drops: set[asyncio.Task[None]] = set()
        self.metrics = metrics

    @property
    def available(self) -> bool:
        """Whether the cache is used at present; if not, everything is read from the database."""
        return self.valkey.available

    async def ping(self) -> None:
        """Passes if Valkey answers in time.

        Raises:
            CacheUnavailableError: if not.
        """
        await self.valkey.ping()

    async def get(self, kind: Kind[V], slot: Slot, load: Callable[[], Awaitable[V]]) -> V:
        """The value of a slot, from the database if need be."""

        async def load_one(_: list[Slot]) -> dict[Slot, V]:
            return {slot: await load()}

        return (await self.get_many(kind, {slot: slot}, load_one))[slot]

    async def get_many(self, kind: Kind[V], slots: Mapping[K, Slot], load: Load[K, V]) -> dict[K, V]:
        """The values of the slots, without those that the database does not have either."""
        _report(kind, slots.values())
        values: dict[K, V] = {}
        pending = dict(slots)
        pause_seconds = FIRST_POLL_SECONDS
        while pending:
            lease = secrets.token_urlsafe(9).encode()
            try:
                seen = await self.valkey.call(lambda: self._look_up(kind, pending, lease))  # noqa: B023  # at once
            except CacheUnavailableError:
                self.metrics.misses_by_kind[kind.name] += len(pending)
                return values | dict(await load(list(pending)))
            values |= seen.values
            values |= await self._load(kind, seen, lease, load)
            pending = {key: pending[key] for key in (*seen.leased, *seen.unreadable)}
            if pending:
                await asyncio.sleep(pause_seconds)
                pause_seconds = min(2 * pause_seconds, LAST_POLL_SECONDS)
        return values

    async def drop(self, events: Sequence[Event]) -> None:
        """Removes what the events of a transaction made wrong. To be awaited after its commit; never raises.

        Goes on to its end even if the caller is cancelled.
        """
        dropping = asyncio.create_task(self._drop(events))
        self._drops.add(dropping)
        dropping.add_done_callback(self._drops.discard)
        await asyncio.shield(dropping)

    async def drop_everything(self) -> None:
        """Removes all that is kept; what cannot be removed now is not used before it is."""
        await self.valkey.drop([EVERYTHING])

    async def settle(self) -> None:
        """Waits until everything that is being read is kept, and what is being dropped is gone."""
        await asyncio.gather(self._loads.settle(), *self._drops)

    async def _drop(self, events: Sequence[Event]) -> None:
        try:
            keys = dropped_by(events)
        except (LookupError, TypeError):
            log.exception("the cache does not understand an event and drops everything")
            keys = [EVERYTHING]
        if keys:
            await self.valkey.drop(keys)

    async def _look_up(self, kind: Kind[V], slots: Mapping[K, Slot], lease: bytes) -> _Seen[K, V]:
        """What lies in the slots; what is missing is leased, or was found by now."""
        entries = await self._entries.read(list(slots.values()))
        seen = _sort(kind, dict(zip(slots, entries, strict=True)))
        if seen.unreadable:
            await self._entries.discard(list(seen.unreadable.values()))
            seen.missing |= seen.unreadable
        if seen.missing:
            taken = await self._entries.take_leases(list(seen.missing.values()), lease)
            now = _sort(kind, dict(zip(seen.missing, taken, strict=True)))
            seen = _Seen(seen.values | now.values, now.missing, seen.leased | now.leased, now.unreadable)
        self.metrics.hits_by_kind[kind.name] += len(seen.values)
        return seen

    async def _load(self, kind: Kind[V], seen: _Seen[K, V], lease: bytes, load: Load[K, V]) -> dict[K, V]:
        """What this process is reading from the database; takes that out of what others have leased."""
        reads: dict[K, asyncio.Task[Loaded[V]]] = {}
        own = None
        if seen.missing:
            own = self._loads.begin(kind, seen.missing, lease, load)
            reads = dict.fromkeys(seen.missing, own)
            self.metrics.misses_by_kind[kind.name] += len(seen.missing)
        entries = dict(seen.missing)
        for key, entry in tuple(seen.leased.items()):
            if (read := self._loads.find(entry)) is not None:
                reads[key] = read
                entries[key] = seen.leased.pop(key)
                self.metrics.hits_by_kind[kind.name] += 1
        values: dict[K, V] = {}
        refused: list[K] = []
        with self._loads.waiting(set(reads.values())):
            for key, read in reads.items():
                try:
                    loaded = await asyncio.shield(read)
                except OverloadedError:
                    if read is own:
                        raise
                    refused.append(key)  # whoever began it had no more patience, which is not that of others
                    continue
                if (entry := entries[key]).key in loaded:
                    values[key] = loaded[entry.key]
        return values | dict(await load(refused)) if refused else values


@asynccontextmanager
async def connect(settings: CacheSettings) -> AsyncIterator[Cache]:
    """The cache in the Valkey of the settings, whether or not it answers yet.

    Leave it before what its readers read from is closed.

    Raises:
        ValueError: if the settings hold no address, or one of another kind than redis://, valkey:// or unix://.
    """
    metrics = CacheMetrics()
    valkey = Valkey(create_client(settings), settings.timeout_seconds, metrics)
    cache = Cache(valkey, settings, metrics)
    try:
        await valkey.start()
        yield cache
    finally:
        await cache.settle()
        await valkey.stop()


def _report(kind: Kind[V], slots: Collection[Slot]) -> None:
    """Tells the request what its answer depends on, before anything is read."""
    footprints.report(tag for slot in slots for tag in (slot.key, *slot.generations))
    if not kind.exact:
        footprints.spoil()


def _sort(kind: Kind[V], entries: Mapping[K, Entry]) -> _Seen[K, V]:
    seen = _Seen[K, V]()
    for key, entry in entries.items():
        if entry.body is None:
            seen.missing[key] = entry
        elif entry.lease is not None:
            seen.leased[key] = entry
        else:
            try:
                seen.values[key] = kind.codec.decode(entry.value or b"")
            except ValueError:
                seen.unreadable[key] = entry
    return seen
