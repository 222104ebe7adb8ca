"""How long GraphQL operations take and how they end. What clients call them is never looked at."""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from typing import Final, Self

from graphql import ExecutionResult, OperationType

from gallery.domain.metrics import OperationOutcome, WebMetrics
from gallery.web.body import ClientDisconnectedError
from gallery.web.errors import RequestError
from gallery.web.graphql.context import Context
from gallery.web.graphql.deadline import DeadlineExceededError
from gallery.web.graphql.execution import is_request_error

UNKNOWN: Final = "unknown"
"""The kind of a document that was refused before anybody could tell."""


class MeasuredOperation:
    """An operation, from when this is made until a context of it is left in which it has ended.

    A subscription leaves the context that it begins in without an outcome, and enters another one for its results.
    """

    def __init__(self, metrics: WebMetrics) -> None:
        self._metrics = metrics
        self._started = time.perf_counter()
        self._kind = UNKNOWN
        self._outcome: OperationOutcome | None = None

    def is_a(self, kind: OperationType) -> None:
        """Tells what kind of operation it is."""
        self._kind = kind.value

    def refused(self) -> None:
        """Tells that nothing was executed."""
        self._outcome = OperationOutcome.REFUSED

    def failed(self) -> None:
        """Tells that it ended by a fault of the gallery, which somebody else told the client of."""
        self._outcome = OperationOutcome.ERRORS

    def found(self) -> None:
        """Tells that somebody had the answer, without errors as all that are kept."""
        self._outcome = OperationOutcome.OK

    def ended(self, result: ExecutionResult, context: Context) -> None:
        """Tells what it gave. Of the results of a subscription the last one counts."""
        if result.errors:
            self._outcome = OperationOutcome.REFUSED if is_request_error(result) else OperationOutcome.ERRORS
        elif context.has_user_errors:
            self._outcome = OperationOutcome.USER_ERRORS
        else:
            self._outcome = OperationOutcome.OK

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        outcome = self._outcome if exc is None or isinstance(exc, GeneratorExit) else _of_failure(exc)
        if outcome is not None:
            self._metrics.operation(self._kind, outcome, time.perf_counter() - self._started)


def _of_failure(error: BaseException) -> OperationOutcome:
    match error:
        case ClientDisconnectedError() | asyncio.CancelledError():
            return OperationOutcome.ABORTED
        case DeadlineExceededError():
            return OperationOutcome.ERRORS
        case RequestError():
            return OperationOutcome.REFUSED
    return OperationOutcome.ERRORS
