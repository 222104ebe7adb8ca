"""Reads of the database that fill slots: each is shared by everybody in the process who needs it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from gallery.platform.cache.entries import LEASE_SECONDS, Entries, Entry, Fill
from gallery.platform.cache.kinds import Kind, Lifetimes
from gallery.platform.cache.metrics import CacheMetrics
from gallery.platform.cache.valkey import CacheUnavailableError, Valkey

K = TypeVar("K")
V = TypeVar("V")

Load = Callable[[list[K]], Awaitable[Mapping[K, V]]]
"""Asks the database for many at once; what it leaves out is not kept."""

Loaded = dict[str, V]
"""Values by the keys of their entries, without those that do not exist."""

_RENEW_SECONDS = LEASE_SECONDS / 4


class Loads:
    """The reads that are going on, by their leases.

    A read does not end with the request that began it, since others may wait for it. Once nobody does it is cancelled.
    """

    def __init__(self, valkey: Valkey, entries: Entries, lifetimes: Lifetimes, metrics: CacheMetrics) -> None:
        self._valkey = valkey
        self._entries = entries
        self._lifetimes = lifetimes
        self._metrics = metrics
        self._reads: dict[bytes, asyncio.Task[Loaded[Any]]] = {}
        self._filling: set[asyncio.Task[None]] = set()
        self._waiting: Counter[asyncio.Task[Loaded[Any]]] = Counter()

    def begin(
        self, kind: Kind[V], leased: Mapping[K, Entry], lease: bytes, load: Load[K, V]
    ) -> asyncio.Task[Loaded[V]]:
        """Reads what is leased, and fills it afterwards without keeping anybody waiting."""

        async def read() -> Loaded[V]:
            return {leased[key].key: value for key, value in (await load(list(leased))).items()}

        reading = asyncio.create_task(read())
        self._reads[lease] = reading
        filling = asyncio.create_task(self._fill(kind, list(leased.values()), lease, reading))
        self._filling.add(filling)
        filling.add_done_callback(self._filling.discard)
        return reading

    def find(self, entry: Entry) -> asyncio.Task[Loaded[Any]] | None:
        """The read of this process that will fill the entry; None if another process leased it, or it is given up."""
        found = None if entry.lease is None else self._reads.get(entry.lease)
        return None if found is None or found.cancelling() else found

    @contextmanager
    def waiting(self, reads: Collection[asyncio.Task[Loaded[Any]]]) -> Iterator[None]:
        """Waits for reads, all at once. Who leaves last takes those with them that are not done."""
        self._waiting.update(reads)
        try:
            yield
        finally:
            self._waiting.subtract(reads)
            for read in reads:
                if self._waiting[read] <= 0:
                    del self._waiting[read]
                    read.cancel()

    async def settle(self) -> None:
        """Waits until everything that is being read is filled."""
        await asyncio.gather(*self._filling)

    async def _fill(self, kind: Kind[V], entries: list[Entry], lease: bytes, reading: asyncio.Task[Loaded[V]]) -> None:
        try:
            while not (await asyncio.wait({reading}, timeout=_RENEW_SECONDS))[0]:
                with suppress(CacheUnavailableError):
                    await self._valkey.call(lambda: self._entries.renew_leases(entries, lease))
            failed = reading.cancelled() or reading.exception() is not None
            loaded = {} if failed else reading.result()
            with suppress(CacheUnavailableError):
                filled = await self._valkey.call(lambda: self._entries.fill(self._fills(kind, entries, loaded), lease))
                self._metrics.refused += len(entries) - filled
        finally:
            del self._reads[lease]

    def _fills(self, kind: Kind[V], entries: list[Entry], loaded: Loaded[V]) -> list[Fill]:
        """Values where there are some; the leases of the others are given back."""
        return [
            Fill(
                entry,
                kind.codec.encode(loaded[entry.key]) if entry.key in loaded else None,
                self._lifetimes.seconds(kind.lifetime),
            )
            for entry in entries
        ]
