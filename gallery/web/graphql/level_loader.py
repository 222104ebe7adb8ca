"""A data loader that many ask for one key each, and compiled operations for the keys of a whole level."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable, Sequence
from typing import Any, TypeVar

from aiodataloader import DataLoader

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class LevelLoader(DataLoader[K, V]):
    """Both ways share what was loaded and what is being loaded, so that nothing is read twice in a request."""

    def __init__(self, load: Callable[[list[K]], Coroutine[Any, Any, list[V]]]) -> None:
        self._futures: dict[K, asyncio.Future[V]] = {}
        super().__init__(load, cache_map=self._futures)

    async def load_level(self, keys: Sequence[K]) -> list[V]:
        """The values of the keys, in their order; those that nobody has asked for before by one read, at once.

        Raises:
            GalleryError: whatever the read raises. It may be tried again.
        """
        futures = self._futures
        unknown = [key for key in dict.fromkeys(keys) if key not in futures]
        if unknown:
            await self._load_now(unknown)
        return [await futures[key] for key in keys]

    async def _load_now(self, keys: list[K]) -> None:
        loop = asyncio.get_running_loop()
        awaited = {key: loop.create_future() for key in keys}
        self._futures.update(awaited)
        try:
            values = await self.batch_load_fn(keys)
        except BaseException as error:
            for key, future in awaited.items():
                del self._futures[key]
                _fail(future, error)
            raise
        for future, value in zip(awaited.values(), values, strict=True):
            future.set_result(value)


def _fail(future: asyncio.Future[Any], error: BaseException) -> None:
    """Tells others who wait for the same read, if there are any."""
    if isinstance(error, asyncio.CancelledError):
        future.cancel()
    else:
        future.set_exception(error)
        future.exception()  # whoever raises it here has seen it
