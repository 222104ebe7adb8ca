"""A time limit on others that a late event loop of one's own does not use up."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from types import TracebackType
from typing import Final, Self

_SLICES: Final = 5
_LONGEST_SLICE_SECONDS: Final = 0.05
_LATE_COST: Final = 0.25
"""What of its length a slice costs that ended late. Not nothing: a loop that is late for ever would wait for ever."""


_AROUND: ContextVar[Patience | None] = ContextVar("_AROUND", default=None)


class Patience:
    """Raises TimeoutError once others were waited for so long, as `asyncio.timeout`.

    The time is counted in slices. What keeps the loop busy for longer than one makes it end late; it then says nothing
    about the others, whose answer may lie there unread, and costs little.
    """

    def __init__(self, seconds: float) -> None:
        self._slice_seconds = min(seconds / _SLICES, _LONGEST_SLICE_SECONDS)
        self._left = seconds / self._slice_seconds
        self._loop = asyncio.get_running_loop()
        self._limit = asyncio.timeout(None)
        self.outer: Patience | None = None
        """The one around this one."""
        self.was_late = False
        """Whether the loop was late meanwhile."""

    @property
    def is_over(self) -> bool:
        """Whether the time is up: the client of Valkey may have swallowed the word that it is."""
        return self._left <= 0

    async def __aenter__(self) -> Self:
        await self._limit.__aenter__()
        self.outer = _AROUND.get()
        _AROUND.set(self)
        self._timer = self._loop.call_later(self._slice_seconds, self._spend)
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._timer.cancel()
        _AROUND.set(self.outer)
        await self._limit.__aexit__(exc_type, exc, traceback)

    def _spend(self) -> None:
        now = self._loop.time()
        is_late = now - self._timer.when() > self._slice_seconds
        self.was_late |= is_late
        self._left -= _LATE_COST if is_late else 1
        if self._left > 0:
            self._timer = self._loop.call_later(min(self._left, 1) * self._slice_seconds, self._spend)
        else:
            self._limit.reschedule(now)


def is_time_up() -> bool:
    """Whether a Patience around the present code is over: what is cancelled now took too long, nobody went away."""
    around = _AROUND.get()
    while around is not None:
        if around.is_over:
            return True
        around = around.outer
    return False
