"""Waiting for what another process is about to do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

_LIMIT_SECONDS = 60
_POLL_SECONDS = 0.05


async def eventually(happened: Callable[[], Awaitable[bool]]) -> None:
    """Returns once it has happened; raises TimeoutError if it does not happen within a minute."""
    async with asyncio.timeout(_LIMIT_SECONDS):
        while not await happened():  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(_POLL_SECONDS)
