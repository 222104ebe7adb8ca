"""A data loader that many ask for one key each, and compiled operations for the keys of a whole level."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from typing import Generic, TypeVar

from aiodataloader import DataLoader

from gallery.web.graphql.lazily import made_once

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class _Read(Generic[K, V]):
    """A read that somebody is at. `values` has its keys, each with the missing value until it is over.

    There is no task and no future unless somebody else waits.
    """

    __slots__ = ("_waiters", "values")

    def __init__(self, keys: Iterable[K], missing: V) -> None:
        self.values = dict.fromkeys(keys, missing)
        self._waiters: list[asyncio.Future[None]] = []

    def ended(self) -> asyncio.Future[None]:
        """What those wait for who do not read themselves; it raises what the read raises."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        return waiter

    def end(self, error: Exception | None) -> None:
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
        self._reads: list[_Read[K, V]] = []

    def load(self, key: K) -> asyncio.Future[V]:
        """The value of a key, read together with all that are asked for in the same turn of the event loop."""
        return asyncio.shield(self._one_by_one.load(key))

    def load_many(self, keys: Iterable[K]) -> asyncio.Future[list[V]]:
        """The same for several keys."""
        return asyncio.gather(*map(self.load, keys))

    async def load_level(self, keys: Sequence[K]) -> list[V]:
        """The values of the keys, in their order; those that nobody has asked for before by one read, at once.

        Raises:
            GalleryError: whatever the read raises. It may be tried again.
        """
        values = self._values
        if keys and not values and not self._reads:
            await self._read(_Read(keys, self._missing))
            return [values[key] for key in keys]
        while lacking := [key for key in keys if key not in values]:
            unread = [key for key in lacking if self._read_of(key) is None]
            if unread:
                await self._read(_Read(unread, self._missing))
            elif (read := self._read_of(lacking[0])) is not None:
                await read.ended()
        return [values[key] for key in keys]

    def _read_of(self, key: K) -> _Read[K, V] | None:
        """Who is reading a key, if anybody is."""
        return next((read for read in self._reads if key in read.values), None)

    @made_once
    def _one_by_one(self) -> DataLoader[K, V]:
        return DataLoader(self.load_level, cache=False)  # what was read is remembered here

    async def _read(self, read: _Read[K, V]) -> None:
        self._reads.append(read)
        error: Exception | None = None
        try:
            read.values.update(await self._read_many(list(read.values)))
            self._values.update(read.values)
        except Exception as failure:
            error = failure
            raise
        finally:
            self._reads.remove(read)
            read.end(error)
