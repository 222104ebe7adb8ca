"""A data loader that many ask for one key each, and compiled operations for the keys of a whole level."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Generic, TypeVar

from aiodataloader import DataLoader

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class LevelLoader(Generic[K, V]):
    """Both ways share what was loaded and what is being loaded, so that nothing is read twice in a request.

    A read belongs to nobody who waits for it: whoever is cancelled meanwhile takes nothing from the others. A level
    keeps one task, and not a future for each key. Keys that the reader leaves out have the value `missing`.
    """

    def __init__(self, read: Callable[[list[K]], Awaitable[Mapping[K, V]]], missing: V) -> None:
        self._read_many = read
        self._missing = missing
        self._futures: dict[K, asyncio.Future[V]] = {}
        self._values: dict[K, V] = {}
        self._levels: dict[K, asyncio.Task[None]] = {}

    def load(self, key: K) -> asyncio.Future[V]:
        """The value of a key, read together with all that are asked for in the same turn of the event loop."""
        if key in self._values or key in self._levels:
            return asyncio.ensure_future(self._of_level(key))
        return asyncio.shield(self._one_by_one.load(key))

    def load_many(self, keys: Iterable[K]) -> asyncio.Future[list[V]]:
        """The same for several keys."""
        return asyncio.gather(*map(self.load, keys))

    async def load_level(self, keys: Sequence[K]) -> list[V]:
        """The values of the keys, in their order; those that nobody has asked for before by one read, at once.

        Raises:
            GalleryError: whatever the read raises. It may be tried again.
        """
        values, futures, levels = self._values, self._futures, self._levels
        if values or futures or levels:
            unknown = [key for key in dict.fromkeys(keys) if not (key in values or key in levels or key in futures)]
            if unknown:
                self._begin(unknown)
            awaited = {levels.get(key) or futures[key] for key in keys if key not in values}
            if awaited:
                await asyncio.wait(awaited)
                for one in awaited:
                    one.result()
            return [values[key] if key in values else futures[key].result() for key in keys]
        if keys:
            await asyncio.shield(self._begin(list(dict.fromkeys(keys))))
        return [values[key] for key in keys]

    @cached_property
    def _one_by_one(self) -> DataLoader[K, V]:
        return DataLoader(self._load, cache_map=self._futures)

    async def _of_level(self, key: K) -> V:
        (value,) = await self.load_level([key])
        return value

    def _begin(self, keys: list[K]) -> asyncio.Task[None]:
        reading = asyncio.get_running_loop().create_task(self._read(keys))
        self._levels.update(dict.fromkeys(keys, reading))
        reading.add_done_callback(_told)
        return reading

    async def _read(self, keys: list[K]) -> None:
        try:
            values = dict.fromkeys(keys, self._missing)
            values.update(await self._read_many(keys))
            self._values.update(values)
        finally:
            for key in keys:
                del self._levels[key]

    async def _load(self, keys: list[K]) -> list[V]:
        found = await self._read_many(keys)
        return [found.get(key, self._missing) for key in keys]


def _told(reading: asyncio.Task[None]) -> None:
    """Perhaps nobody waits any more for a read that failed."""
    if not reading.cancelled():
        reading.exception()
