"""A data loader that many ask for one key each, and compiled operations for the keys of a whole level."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable, Mapping, Sequence
from typing import Any, TypeVar

from aiodataloader import DataLoader

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class LevelLoader(DataLoader[K, V]):
    """Both ways share what was loaded and what is being loaded, so that nothing is read twice in a request.

    A read belongs to nobody who waits for it: whoever is cancelled meanwhile takes nothing from the others.
    """

    def __init__(self, load: Callable[[list[K]], Coroutine[Any, Any, list[V]]]) -> None:
        self._futures: dict[K, asyncio.Future[V]] = {}
        self._reads: set[asyncio.Task[None]] = set()
        super().__init__(load, cache_map=self._futures)

    def load(self, key: K) -> asyncio.Future[V]:
        """The value of a key, read together with all that are asked for in the same turn of the event loop."""
        return asyncio.shield(super().load(key))

    async def load_level(self, keys: Sequence[K]) -> list[V]:
        """The values of the keys, in their order; those that nobody has asked for before by one read, at once.

        Raises:
            GalleryError: whatever the read raises. It may be tried again.
        """
        known = self._futures
        unknown = [key for key in dict.fromkeys(keys) if key not in known]
        if unknown:
            self._begin(unknown)
        futures = [known[key] for key in keys]
        if pending := {future for future in futures if not future.done()}:
            await asyncio.wait(pending)
        return [future.result() for future in futures]

    def _begin(self, keys: Sequence[K]) -> None:
        loop = asyncio.get_running_loop()
        futures: dict[K, asyncio.Future[V]] = {key: loop.create_future() for key in keys}
        self._futures.update(futures)
        reading = loop.create_task(self._read(futures))
        self._reads.add(reading)
        reading.add_done_callback(self._reads.discard)

    async def _read(self, futures: Mapping[K, asyncio.Future[V]]) -> None:
        try:
            values = await self.batch_load_fn(list(futures))
            for future, value in zip(futures.values(), values, strict=True):
                future.set_result(value)
        except Exception as error:  # noqa: BLE001  # told to all who wait, whatever it is
            for key, future in futures.items():
                self.clear(key)
                if not future.done():
                    future.set_exception(error)
                    future.exception()  # perhaps nobody waits any more
