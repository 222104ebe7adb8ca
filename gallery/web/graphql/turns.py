"""How many queries are executed at once. Others wait for their turn in the order of their coming, and not for long."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from contextlib import suppress
from typing import TypeVar

from gallery.domain.errors import OverloadedError
from gallery.domain.waiting import Places

T = TypeVar("T")


class Turns:
    """Lets so many work at once, so many others wait for so long, and refuses the rest."""

    def __init__(self, most: int, places: Places, timeout_seconds: float) -> None:
        self._free = most
        self._places = places
        self._timeout_seconds = timeout_seconds
        self._line: deque[asyncio.Future[None]] = deque()

    async def run(self, asker: Hashable, work: Callable[[], Awaitable[T]]) -> T:
        """What the work gives, once it is its turn.

        Raises:
            OverloadedError: if too many wait, or it waits for too long.
        """
        if self._free > 0:
            self._free -= 1
        else:
            await self._wait(asker)
        try:
            return await work()
        finally:
            self._pass_on()

    async def _wait(self, asker: Hashable) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        with self._places.held(asker):
            self._line.append(turn)
            try:
                async with asyncio.timeout(self._timeout_seconds):
                    await turn
            except BaseException as error:
                if turn.done() and not turn.cancelled():  # who gives up at the same moment passes it on
                    self._pass_on()
                else:
                    self._leave(turn)
                if isinstance(error, TimeoutError):
                    raise OverloadedError from None
                raise

    def _leave(self, turn: asyncio.Future[None]) -> None:
        with suppress(ValueError):  # somebody who passed on has seen already that it is of no use
            self._line.remove(turn)

    def _pass_on(self) -> None:
        while self._line:
            turn = self._line.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
