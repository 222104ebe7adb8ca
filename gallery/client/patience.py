"""Calls that fail are made again, with pauses, for as long as somebody is willing to wait."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import stamina

from gallery.client.errors import GaveUpError, TransientError

T = TypeVar("T")

_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 5.0
_JITTER_SECONDS = 0.3


class Patience:
    """How long a call may fail, in seconds, from its first failure on: a long transfer has its full measure, too."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    async def persist(self, call: Callable[[], Awaitable[T]]) -> T:
        """What the call gives, in the end.

        Raises:
            GaveUpError: if it failed for longer.
            Exception: whatever else it raises.
        """
        bearable = _Bearable(self._seconds)
        try:
            async for attempt in stamina.retry_context(
                on=bearable,
                attempts=None,
                timeout=None,
                wait_initial=_FIRST_PAUSE_SECONDS,
                wait_max=_LONGEST_PAUSE_SECONDS,
                wait_jitter=_JITTER_SECONDS,
            ):
                with attempt:
                    return await call()
        except TransientError as error:
            message = f"{error} Gave up after {self._seconds:g} seconds; what has arrived stays: start again later."
            raise GaveUpError(message) from error
        raise AssertionError  # the loop ends by returning or raising


class _Bearable:
    """Whether to try again after an error. For one call."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._ends: float | None = None

    def __call__(self, error: Exception) -> bool:
        if not isinstance(error, TransientError):
            return False
        now = time.monotonic()
        if self._ends is None:
            self._ends = now + self._seconds
        return now < self._ends
