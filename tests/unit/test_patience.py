"""Waiting for others while the own event loop is late."""

from __future__ import annotations

import asyncio
import time

import pytest

from gallery.platform.cache.patience import Patience

SHORT_SECONDS, LONG_SECONDS = 0.05, 0.2


async def test_others_are_waited_for_no_longer_than_that() -> None:
    with pytest.raises(TimeoutError):
        async with Patience(SHORT_SECONDS) as patience:
            await asyncio.Event().wait()

    assert patience.is_over


async def test_an_answer_in_time_is_one() -> None:
    async with Patience(LONG_SECONDS) as patience:
        await asyncio.sleep(0)

    assert not patience.is_over
    assert not patience.was_late


async def test_what_keeps_the_loop_busy_does_not_use_it_up() -> None:
    """Two answers lie there after it, of which the second one is asked for once the first one was read."""
    loop = asyncio.get_running_loop()
    async with Patience(SHORT_SECONDS) as patience:
        loop.call_soon(time.sleep, LONG_SECONDS)
        for _ in range(2):
            answered = asyncio.Event()
            loop.call_later(SHORT_SECONDS / 10, answered.set)
            await answered.wait()

    assert patience.was_late


async def test_a_loop_that_is_always_late_waits_no_longer_than_for_ever() -> None:
    loop = asyncio.get_running_loop()
    is_waited_for = True

    def be_busy() -> None:
        time.sleep(SHORT_SECONDS)
        if is_waited_for:
            loop.call_soon(be_busy)

    loop.call_soon(be_busy)
    with pytest.raises(TimeoutError):
        async with Patience(SHORT_SECONDS):
            await asyncio.Event().wait()
    is_waited_for = False
