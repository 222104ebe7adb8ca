"""Awaitables that nobody waits for any more: they are brought to an end so that none is left dangling."""

from __future__ import annotations

from asyncio import Future, gather, get_running_loop
from collections.abc import Awaitable, Sequence
from inspect import iscoroutine
from typing import Any

_unfinished: set[Future[Any]] = set()
"""References, as the event loop holds none."""


def settle_in_background(awaitables: Sequence[Awaitable[Any]]) -> None:
    """Lets awaitables run to their end unwatched, as graphql-core does; without an event loop they are closed."""
    if not awaitables:
        return
    try:
        get_running_loop()
    except RuntimeError:
        for awaitable in awaitables:
            if iscoroutine(awaitable):
                awaitable.close()
        return
    future = gather(*awaitables, return_exceptions=True)
    _unfinished.add(future)
    future.add_done_callback(_unfinished.discard)
