"""How long the storage may leave a request unattended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress


@asynccontextmanager
async def silence_limit(seconds: float) -> AsyncIterator[Callable[[], None]]:
    """Raises TimeoutError if that much time passes without a call of the function that it gives.

    aiohttp limits how long an answer may take, but neither how long the store may leave a body unread nor how long
    it may think before it asks for one (`100 Continue`).
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(seconds) as limit:

        def progress() -> None:
            with suppress(RuntimeError):  # an attempt that was cut off still reads after the call has ended
                limit.reschedule(loop.time() + seconds)

        yield progress
