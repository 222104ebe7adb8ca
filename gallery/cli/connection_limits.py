"""How many connections a process has, and who is turned away when there are too many."""

from __future__ import annotations

import logging
import sys
from collections.abc import Collection
from enum import Enum, auto, unique
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

from gallery.cli.refusals import refusal_parts
from gallery.cli.told_refusals import Reason, ToldRefusals
from gallery.settings_connections import ConnectionSettings
from gallery.web.errors import BusyError, RequestCode
from gallery.web.paths import PROBE_PATHS

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, Scope

log = logging.getLogger(__name__)

PROBES_MAX: Final = 64
"""How many connections there may be beyond the limit, for whoever looks how the process is."""
RETRY_AFTER_SECONDS: Final = 1
_OTHER_FILES: Final = 300
"""How many files, sockets and connections to services there may be beside the connections of clients."""
_CLOSED_AT_ONCE: Final = 10
"""Into how many parts the limit is divided: so many connections are closed at once when there is no room."""


class TooManyConnectionsError(BusyError):
    """The process has as many connections as it may have."""

    def __init__(self) -> None:
        message = "The gallery has too many connections. Send the request again in a moment."
        super().__init__(RequestCode.OVERLOADED, message, RETRY_AFTER_SECONDS)


@unique
class Place(Enum):
    """What a new connection may do."""

    ANY = auto()
    PROBES_ALONE = auto()
    """Asks how the process is. Nothing else is answered."""
    NONE = auto()


@runtime_checkable
class Idle(Protocol):
    """A connection that may wait for no answer, and can be closed then."""

    @property
    def is_idle(self) -> bool:
        """Whether everything was answered, and nothing of the next request has come."""
        ...

    def close_idle(self) -> None:
        """Closes it."""
        ...


class ConnectionLimits:
    """Decides about new connections by how many there are."""

    def __init__(self, settings: ConnectionSettings, refusals: ToldRefusals) -> None:
        self._max = settings.max_connections
        self._max_of_client = settings.max_connections_per_client
        self.refusals = refusals

    def place(self, others: Collection[Any], host: str | None) -> Place:
        """What a connection from an address may do beside the others, of which some that are idle may be closed."""
        if self._max_of_client and host is not None:
            of_client = sum(1 for other in others if other.client and other.client[0] == host)
            if of_client >= self._max_of_client:
                self.refusals.tell(Reason.TOO_MANY_OF_CLIENT)
                return Place.NONE
        if len(others) < self._max or self._has_made_room(others):
            return Place.ANY
        self.refusals.tell(Reason.TOO_MANY_CONNECTIONS)
        return Place.PROBES_ALONE if len(others) < self._max + PROBES_MAX else Place.NONE

    def _has_made_room(self, others: Collection[Any]) -> bool:
        if len(others) >= self._max + PROBES_MAX:  # it was looked for in vain already
            return False
        idle = [other for other in others if isinstance(other, Idle) and other.is_idle]
        for other in idle[: max(1, self._max // _CLOSED_AT_ONCE)]:
            other.close_idle()
        return bool(idle)


def probes_alone(app: ASGI3Application) -> ASGI3Application:
    """Lets probes through to the application, and refuses all else."""

    async def answer(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] == "http" and scope["path"] not in PROBE_PATHS:
            error = TooManyConnectionsError()
            fields, body = refusal_parts(error)
            await send({"type": "http.response.start", "status": error.status, "headers": fields, "trailers": False})
            await send({"type": "http.response.body", "body": body, "more_body": False})
        else:
            await app(scope, receive, send)

    return answer


def allowed_by_files(settings: ConnectionSettings) -> ConnectionSettings:
    """The settings with no more connections than there may be open files, of which the process may raise the number.

    Beyond that number neither clients nor the database could be connected to.
    """
    if sys.platform == "win32":
        return settings
    import resource  # noqa: PLC0415  # not everywhere

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = settings.max_connections + PROBES_MAX + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        if soft < wanted:
            possible = max(1, soft - PROBES_MAX - _OTHER_FILES)
            log.warning("at most %d connections are taken: the process may open only %d files", possible, soft)
            return settings.model_copy(update={"max_connections": possible})
    return settings
