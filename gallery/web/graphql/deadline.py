"""How long a query may take. What it waits for is cancelled then: statements of the database, calls of the storage."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from http import HTTPStatus
from typing import TypeVar

from gallery.web.errors import RequestCode, RequestError

T = TypeVar("T")


class DeadlineExceededError(RequestError):
    """A query took too long, and was cancelled."""

    def __init__(self, seconds: float) -> None:
        message = f"The query took longer than {seconds:g} s and was cancelled. Ask for less at once."
        super().__init__(RequestCode.DEADLINE_EXCEEDED, message, HTTPStatus.GATEWAY_TIMEOUT)


async def within(seconds: float, work: Awaitable[T]) -> T:
    """What the work gives.

    Raises:
        DeadlineExceededError: if it does not in time; then it was cancelled, and has ended.
    """
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            return await work
    except TimeoutError:
        if limit.expired():
            raise DeadlineExceededError(seconds) from None
        raise
