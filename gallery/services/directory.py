"""What is looked up again and again under keys that anybody can make up: remembered for a few seconds, read together.

Guessing costs the database next to nothing: whatever many strangers make up at once is one statement, at most every so
often, and whoever shows something real waits for no more than that.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping
from typing import Final, Generic, TypeVar

from gallery.domain.waiting import context_of_others, own_patience
from gallery.services.remembered import Remembered

PAUSE_SECONDS: Final = 0.02
"""How long after one statement the next is sent."""

MOST_AT_ONCE: Final = 500

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

Read = Callable[[Collection[K]], Awaitable[Mapping[K, V]]]


class Directory(Generic[K, V]):
    """Finds values.

    Those that exist are remembered apart from keys that nobody has, so that these cannot drive them out.
    """

    def __init__(
        self,
        read: Read[K, V],
        *,
        pause_seconds: float = PAUSE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read_many = read
        self._pause_seconds = pause_seconds
        self._known: Remembered[K, V] = Remembered(clock)
        self._unknown: Remembered[K, bool] = Remembered(clock)
        self._wanted: dict[K, asyncio.Future[V | None]] = {}
        self._reading: asyncio.Task[None] | None = None
        self._forgotten = 0

    async def find(self, key: K) -> V | None:
        """The value of the key.

        Raises:
            UnavailableError: if the database does not answer, or others make it wait for too long.
        """
        known = self._known.get(key)
        if known is not None or self._unknown.get(key):
            return known
        if (wanted := self._wanted.get(key)) is None:
            wanted = self._wanted[key] = asyncio.get_running_loop().create_future()
            if self._reading is None:
                self._reading = asyncio.create_task(self._read_all(), context=context_of_others())
        async with own_patience():
            return await asyncio.shield(wanted)

    def forget(self) -> None:
        """Remembers no value any more: one is wrong by now. What is being read was read too early to be remembered."""
        self._forgotten += 1
        self._known.clear()

    async def _read_all(self) -> None:
        try:
            while self._wanted:
                batch = {key: self._wanted.pop(key) for key in list(self._wanted)[:MOST_AT_ONCE]}
                await self._read(batch)
                await asyncio.sleep(self._pause_seconds)
        finally:
            self._reading = None

    async def _read(self, batch: dict[K, asyncio.Future[V | None]]) -> None:
        forgotten = self._forgotten
        try:
            found = await self._read_many(batch)
        except Exception as error:  # noqa: BLE001  # told to those who wait, whatever it is
            for wanted in batch.values():
                wanted.set_exception(error)
            return
        for key, wanted in batch.items():
            if (value := found.get(key)) is None:
                self._unknown.keep(key, True)  # noqa: FBT003  # the value, no flag
            elif forgotten == self._forgotten:
                self._known.keep(key, value)
            wanted.set_result(value)
