"""Queries whose clients went away: nobody waits for their answers."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Final, Protocol

from gallery.web.body import ClientDisconnectedError, RequestBody
from gallery.web.errors import RequestError
from gallery.web.graphql.deadline import DeadlineExceededError

MOMENT_SECONDS: Final = 0.05
"""How long a query may take before anybody looks whether its client is still there: most are over by then."""


class Presence(Protocol):
    """A context in which somebody waits for what is done."""

    async def __aenter__(self) -> None: ...

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    async def look(self) -> None:
        """Passes if somebody is there."""
        ...


class _SomebodyWaits:
    """For work that is cancelled by others if nobody waits for it."""

    async def __aenter__(self) -> None:
        """Begins nothing."""

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Ends nothing."""

    async def look(self) -> None:
        """Passes."""


SOMEBODY: Final = _SomebodyWaits()


class WhileSomebodyWaits:
    """A context that ends by ClientDisconnectedError once the client has gone: what is awaited in it is cancelled.

    With a deadline it ends by DeadlineExceededError then. For a request whose body was read to its end. Looking takes
    a task, so that it begins only after a moment; so does the deadline, which most requests then know nothing of.
    """

    def __init__(
        self, body: RequestBody, moment_seconds: float = MOMENT_SECONDS, *, deadline_seconds: float | None = None
    ) -> None:
        self._body = body
        self._moment_seconds = moment_seconds
        self._deadline_seconds = deadline_seconds
        self._watching: asyncio.Task[None] | None = None
        self._is_over = False
        self._reason: RequestError | None = None
        """Why what is awaited was cancelled, if it was from here."""

    async def __aenter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # coroutines run in tasks
        self._task = task
        self._cancellations = task.cancelling()
        self._timer = asyncio.get_running_loop().call_later(self._moment_seconds, self._watch)

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._is_over = True
        self._timer.cancel()
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait([self._watching])
        if self._reason and self._task.uncancel() <= self._cancellations and exc_type is asyncio.CancelledError:
            raise self._reason from None

    async def look(self) -> None:
        """Looks at once. If the client has gone, this is where the task is cancelled."""
        if self._watching is None:
            self._timer.cancel()
            self._watch()
        await asyncio.sleep(0)  # the watching begins, and is over if there is nobody
        await asyncio.sleep(0)  # then the task is cancelled

    def _watch(self) -> None:
        self._watching = asyncio.create_task(self._body.wait_for_disconnect())
        self._watching.add_done_callback(lambda _watching: self._end(ClientDisconnectedError()))
        if self._deadline_seconds is not None:
            left_seconds = max(0.0, self._deadline_seconds - self._moment_seconds)
            self._timer = asyncio.get_running_loop().call_later(
                left_seconds, self._end, DeadlineExceededError(self._deadline_seconds)
            )

    def _end(self, reason: RequestError) -> None:
        """Cancels the task, unless it is over or was cancelled before."""
        if not self._is_over and self._reason is None:
            self._reason = reason
            self._task.cancel()
