"""A data loader that many ask for one key each, and compiled operations for the keys of a whole level."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class _Read:
    """A read that somebody is at. It costs no more than this object as long as nobody else waits for it."""

    __slots__ = ("_waiters",)

    def __init__(self) -> None:
        self._waiters: list[asyncio.Future[None]] = []

    def ended(self) -> asyncio.Future[None]:
        """What those wait for who do not read themselves; it raises what the read raises."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        return waiter

    def end(self, error: Exception | None = None) -> None:
        """Wakes all who wait."""
        for waiter in self._waiters:
            if waiter.done():
                continue
            if error is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(error)


class LevelLoader(Generic[K, V]):
    """Both ways share what was loaded and what is being loaded, so that nothing is read twice in a request.

    Whoever asks first reads, in a task of their own, and others wait. If the one who reads is cancelled, the first of
    those who still wait reads instead. Keys that the reader leaves out have the value `missing`.
    """

    def __init__(self, read: Callable[[list[K]], Awaitable[Mapping[K, V]]], missing: V) -> None:
        self._read_many = read
        self._missing = missing
        self._values: dict[K, V] = {}
        self._reads: dict[K, _Read] = {}
        self._gathered: list[K] | None = None

    async def load(self, key: K) -> V:
        """The value of a key, read together with all that are asked for in the same turn of the event loop.

        Raises:
            GalleryError: as `load_level`.
        """
        if key not in self._values and key not in self._reads:
            if self._gathered is None:
                await self._read([key], is_gathering=True)
            else:
                self._reads[key] = self._reads[self._gathered[0]]
                self._gathered.append(key)
        return (await self.load_level([key]))[0]

    def load_many(self, keys: Iterable[K]) -> asyncio.Future[list[V]]:
        """The same for several keys."""
        return asyncio.gather(*map(self.load, keys))

    async def load_level(self, keys: Sequence[K]) -> list[V]:
        """The values of the keys, in their order; those that nobody has asked for before by one read, at once.

        Raises:
            GalleryError: whatever the read raises. It may be tried again.
        """
        values, reads = self._values, self._reads
        while lacking := [key for key in dict.fromkeys(keys) if key not in values]:
            unread = [key for key in lacking if key not in reads]
            if unread:
                await self._read(unread)
            else:
                await reads[lacking[0]].ended()
        return [values[key] for key in keys]

    async def _read(self, keys: list[K], *, is_gathering: bool = False) -> None:
        """Reads the keys, and those that others add meanwhile if they may."""
        read = _Read()
        self._reads.update(dict.fromkeys(keys, read))
        error: Exception | None = None
        try:
            if is_gathering:
                await self._gather(keys)
            found = await self._read_many(keys)
            values = self._values
            for key in keys:
                values[key] = found.get(key, self._missing)
        except Exception as failure:
            error = failure
            raise
        finally:
            for key in keys:
                del self._reads[key]
            read.end(error)

    async def _gather(self, keys: list[K]) -> None:
        self._gathered = keys
        try:
            await asyncio.sleep(0)
        finally:
            self._gathered = None
