"""Look-ups that are sent together: what is asked for while an answer is under way goes out with the next question."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from itertools import islice
from typing import Final, Generic, TypeVar

V = TypeVar("V")

_MAX_TOGETHER: Final = 16
"""How many may be asked for at a time: an answer takes as long as all that is in it."""


class JointLookups(Generic[V]):
    """Asks for many keys with one call of `look_up`, which leaves out what it does not find, and does not fail.

    Nobody gets what was looked up before it asked.
    """

    def __init__(self, look_up: Callable[[Collection[bytes]], Awaitable[Mapping[bytes, V]]]) -> None:
        self._look_up = look_up
        self._waiting: dict[bytes, list[asyncio.Future[V | None]]] = {}
        self._asking: asyncio.Task[None] | None = None

    async def find(self, key: bytes) -> V | None:
        """What lies under a key."""
        waiter: asyncio.Future[V | None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, []).append(waiter)
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask())
        return await waiter

    async def _ask(self) -> None:
        """Asks as long as anybody waits. It begins when all have asked who do so in this turn of the event loop."""
        try:
            while self._waiting:
                asked = {key: self._waiting.pop(key) for key in list(islice(self._waiting, _MAX_TOGETHER))}
                found: Mapping[bytes, V] = {}
                try:
                    found = await self._look_up(asked)
                finally:
                    for key, waiters in asked.items():
                        _tell(waiters, found.get(key))
        finally:
            self._asking = None
            for waiters in self._waiting.values():
                _tell(waiters, None)
            self._waiting.clear()


def _tell(waiters: Collection[asyncio.Future[V | None]], value: V | None) -> None:
    for waiter in waiters:
        if not waiter.done():  # else who waited was cancelled
            waiter.set_result(value)
