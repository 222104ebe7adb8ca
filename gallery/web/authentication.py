"""The one place that turns what a request shows into who asks.

A request shows something in its header `Authorization`, a WebSocket there or in its first message; a browser in which
somebody has signed in shows a cookie (`cookies.py`), which counts where there is no header. What is shown and wrong is
refused, never passed over: a client whose token has expired is to hear of it, rather than see less.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, Protocol

from starlette.requests import HTTPConnection
from starlette.types import Scope

from gallery.domain.access import ANONYMOUS, LOCAL_ADMINISTRATOR, Right, Viewer, require
from gallery.domain.accounts import RefusedCredentialError
from gallery.web.cookies import SessionCookies
from gallery.web.errors import RequestCode, RequestError

log = logging.getLogger(__name__)

VIEWER: Final = "gallery.viewer"
"""Where in the scope of a request its viewer is, once that is found out."""

_BEARER: Final = re.compile(r"bearer +([\x21-\x7e]{1,8192})", re.IGNORECASE)
_TOLD_EVERY_SECONDS: Final = 1.0

_NOBODY: Final = (
    "Say who you are: sign in at /auth/login, or send `Authorization: Bearer …` with an API token, which "
    "`gallery token create` makes."
)
_NO_BEARER: Final = "The header `Authorization` is to be `Bearer` and an API token, once."


class UnauthenticatedError(RequestError):
    """Nobody, or nobody known, asks. `headers` say how to show who one is (RFC 6750, section 3)."""

    def __init__(self, message: str, *, realm: str = "gallery", is_wrong: bool = False) -> None:
        super().__init__(RequestCode.UNAUTHENTICATED, message, HTTPStatus.UNAUTHORIZED)
        challenge = f'Bearer realm="{realm}"'
        self.headers = {"WWW-Authenticate": f'{challenge}, error="invalid_token"' if is_wrong else challenge}


class Authenticates(Protocol):
    """Tells by a credential who shows it."""

    async def viewer_of(self, credential: str) -> Viewer:
        """Who it is.

        Raises:
            RefusedCredentialError: if it is not to be believed.
            UnavailableError: if what is needed to tell does not answer.
        """
        ...


class KnowsSessions(Protocol):
    """Tells by the secret of a session who has signed in."""

    async def viewer_in_session(self, secret: str) -> Viewer:
        """Who it is.

        Raises:
            RefusedCredentialError: if there is no such session, or it has ended.
            UnavailableError: if what is needed to tell does not answer.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Sessions:
    """Who knows sessions, and how browsers show them."""

    known_by: KnowsSessions
    cookies: SessionCookies


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a client shows: the values of its headers `Authorization`, or what stands for them; and its session."""

    authorization: tuple[str, ...] = ()
    session: str | None = None

    @classmethod
    def of(cls, connection: HTTPConnection) -> Credentials:
        """Those in the headers of a request."""
        return cls(authorization=tuple(connection.headers.getlist("authorization")))

    @classmethod
    def of_message(cls, payload: Mapping[str, Any] | None) -> Credentials:
        """Those in the first message of a WebSocket, which browsers open without headers of a page's own.

        The name may be written as the header is.
        """
        given = {name.lower(): value for name, value in (payload or {}).items()}.get("authorization")
        return cls(authorization=() if given is None else (str(given),))


_NO_CREDENTIALS: Final = Credentials()


class _Refusals:
    """Logs that credentials were refused: once a second at most, with how many others there were."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._silent_until = 0.0
        self._untold = 0

    def told(self, reason: str) -> UnauthenticatedError:
        """The error for the client."""
        now = self._clock()
        if now < self._silent_until:
            self._untold += 1
        else:
            log.warning("credentials were refused: %s", reason, extra={"others": self._untold})
            self._silent_until, self._untold = now + _TOLD_EVERY_SECONDS, 0
        return UnauthenticatedError(reason, is_wrong=True)


class Authentication:
    """Tells who asks. Without `authenticator` everybody is the local administrator, whatever they show.

    `stranger` is who shows nothing. Without `sessions` cookies mean nothing.
    """

    def __init__(
        self,
        authenticator: Authenticates | None,
        *,
        sessions: Sessions | None = None,
        stranger: Viewer = ANONYMOUS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._authenticator = authenticator
        self._sessions = sessions
        self._stranger = stranger
        self._refusals = _Refusals(clock)

    @property
    def is_open(self) -> bool:
        """Whether everybody may do everything."""
        return self._authenticator is None

    async def viewer_in(self, scope: Scope) -> Viewer:
        """Who sent a request, as `viewer_of` says. It is found out once, and is in the scope from then on.

        Raises:
            UnauthenticatedError, UnavailableError: as `viewer_of`; then the scope stays as it was.
        """
        known: Viewer | None = scope.get(VIEWER)
        if known is None:
            known = scope[VIEWER] = await self.viewer_of(
                _NO_CREDENTIALS if self.is_open else self.shown_by(HTTPConnection(scope))
            )
        return known

    def shown_by(self, connection: HTTPConnection) -> Credentials:
        """What a request shows: a cookie only if there is no header, and where it counts."""
        shown = Credentials.of(connection)
        if self._sessions is None or shown.authorization:
            return shown
        return Credentials(session=self._sessions.cookies.shown_by(connection))

    def refused(self, reason: str) -> UnauthenticatedError:
        """The error for somebody who has shown something wrong. It is logged, once a second at most."""
        return self._refusals.told(reason)

    async def viewer_of(self, credentials: Credentials) -> Viewer:
        """Who shows these; a stranger if there are none.

        Raises:
            UnauthenticatedError: if they are wrong.
            UnavailableError: if nobody can tell at the moment.
        """
        if self._authenticator is None:
            return LOCAL_ADMINISTRATOR
        if not credentials.authorization:
            return await self._viewer_in(credentials.session)
        match = _BEARER.fullmatch(credentials.authorization[0].strip())
        if match is None or len(credentials.authorization) > 1:
            raise self._refusals.told(_NO_BEARER)
        try:
            return await self._authenticator.viewer_of(match[1])
        except RefusedCredentialError as refused:
            raise self._refusals.told(refused.reason) from refused

    async def _viewer_in(self, session: str | None) -> Viewer:
        if session is None or self._sessions is None:
            return self._stranger
        try:
            return await self._sessions.known_by.viewer_in_session(session)
        except RefusedCredentialError as refused:
            raise self._refusals.told(refused.reason) from refused

    async def somebody(self, credentials: Credentials, right: Right) -> Viewer:
        """Who shows these, somebody who has the right; a stranger if strangers have it.

        Raises:
            UnauthenticatedError: if there are none, or they are wrong.
            ForbiddenError: if the right is missing.
            UnavailableError: as `viewer_of`.
        """
        viewer = await self.viewer_of(credentials)
        if right not in viewer.rights:
            require_known(viewer)
        require(viewer, right)
        return viewer


OPEN: Final = Authentication(None)
"""Asks nobody."""


def require_known(viewer: Viewer) -> None:
    """Passes somebody who is known.

    Raises:
        UnauthenticatedError: for who is not.
    """
    if viewer.id == ANONYMOUS.id:
        raise UnauthenticatedError(_NOBODY)


def require_admitted(viewer: Viewer) -> None:
    """Passes somebody who is known, and strangers in a gallery that shows them something.

    Raises:
        UnauthenticatedError: for others.
    """
    if not viewer.rights:
        require_known(viewer)
