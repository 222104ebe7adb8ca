"""What the gallery counts while it works, for whoever watches over it.

Labels come from lists that the gallery knows, never from what clients send.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from enum import StrEnum, unique
from typing import Final, Protocol

from gallery.domain.uploads import Transport

INTERNAL_ERROR: Final = "INTERNAL_ERROR"
"""The outcome of a file that met a fault of the gallery's own."""


@unique
class OperationOutcome(StrEnum):
    """How a GraphQL operation ended."""

    OK = "ok"
    USER_ERRORS = "user_errors"
    """Something in the input is to be put right."""
    ERRORS = "errors"
    """The answer has top-level errors."""
    REFUSED = "refused"
    """Nothing was executed."""
    ABORTED = "aborted"
    """Nobody waits for the answer any more."""


@unique
class TurnedAway(StrEnum):
    """Why an operation was not executed, or not to its end, because of what it costs."""

    VARIABLES = "variables"
    """Its variables are over a limit."""
    COST = "cost"
    """It costs more than any operation may."""
    THROTTLED = "throttled"
    """Who asks has asked for too much in a short time."""
    DEADLINE = "deadline"
    """It took too long."""


class CostMetrics(Protocol):
    """Counts what operations cost."""

    def priced(self, kind: str, points: int) -> None:
        """An operation was executed that was priced at so many points; `kind` is query, mutation or subscription."""
        ...

    def turned_away(self, reason: TurnedAway) -> None:
        """An operation was refused, or cancelled."""
        ...


class UploadMetrics(Protocol):
    """Counts files."""

    def file(self, transport: Transport, outcome: str, *, size_bytes: int = 0) -> None:
        """A file was taken, with its size, or refused with the code of an error."""
        ...


class WebMetrics(CostMetrics, Protocol):
    """Counts requests."""

    def request(self, method: str, route: str, status: str, seconds: float) -> None:
        """A request was answered. `status` is the class of the answer's, such as `2xx`."""
        ...

    def operation(self, kind: str, outcome: OperationOutcome, seconds: float) -> None:
        """A GraphQL operation has ended; `kind` is query, mutation, subscription or unknown."""
        ...

    def receiving(self, received_bytes: Callable[[], int]) -> AbstractContextManager[None]:
        """Counts the bytes of a request with files, those of one that goes on included."""
        ...

    def connection_refused(self, reason: str) -> None:
        """A connection was refused before it had a request, or ended because its client was too slow."""
        ...


class MetricsPage(Protocol):
    """All that is counted, as text."""

    @property
    def content_type(self) -> str:
        """The media type of the page."""
        ...

    async def render(self) -> bytes:
        """The page, whatever is wrong with the services of the gallery: what they alone know is left out then.

        Raises:
            UnavailableError: if what other processes have counted cannot be had: a page without it would be wrong.
        """
        ...


class OtherProcesses(Protocol):
    """The processes that serve the same gallery at the same address, this one among them."""

    @property
    def number(self) -> int:
        """Which of them this one is."""
        ...

    def join(self, count: Callable[[], bytes]) -> None:
        """From now on `count` is asked what this process has counted."""
        ...

    async def counted(self) -> Sequence[bytes]:
        """What all of them have counted, and what those had that have ended.

        Raises:
            UnavailableError: if that cannot be had in time.
        """
        ...


class NoMetrics:
    """Counts nothing."""

    def file(self, transport: Transport, outcome: str, *, size_bytes: int = 0) -> None:
        """As the port says."""

    def request(self, method: str, route: str, status: str, seconds: float) -> None:
        """As the port says."""

    def operation(self, kind: str, outcome: OperationOutcome, seconds: float) -> None:
        """As the port says."""

    def priced(self, kind: str, points: int) -> None:
        """As the port says."""

    def turned_away(self, reason: TurnedAway) -> None:
        """As the port says."""

    def receiving(self, received_bytes: Callable[[], int]) -> AbstractContextManager[None]:  # noqa: ARG002
        """As the port says."""
        return nullcontext()

    def connection_refused(self, reason: str) -> None:
        """As the port says."""


NO_METRICS: Final = NoMetrics()
