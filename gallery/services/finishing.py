"""Work that is finished whether or not its caller still waits: a commit that is cut off could not be told from none."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Finishing:
    """Runs work to its end, and knows what is still running."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What the work gives. A caller that is cancelled meanwhile leaves when the work has ended.

        One that is cancelled twice leaves at once; then `settle` alone waits for the end.
        """
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait([task])
            raise

    async def settle(self) -> None:
        """Waits for everything that is running now."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
