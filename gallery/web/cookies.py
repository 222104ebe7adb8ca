"""The cookie of a session, and whose requests may use it.

A browser sends a cookie with whatever a page makes it send, also a page of another site. So a cookie counts only where
the browser says that it was a page of the gallery's own, or that a person opened the address. `SameSite` says the same
to browsers, but takes all names below a domain, and all ports of a machine, for one site.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import Response

from gallery.settings import LOOPBACK_HOSTS, ServerSettings
from gallery.web.graphql.request import CSRF_HEADERS
from gallery.web.origins import own_origin_check

SECURE_NAME: Final = "__Host-gallery_session"
"""Browsers take a cookie of such a name only by TLS, for this host alone and for all of its paths."""

PLAIN_NAME: Final = "gallery_session"
"""The same on a machine's own address, without TLS: not all browsers take a secure one there."""

_OWN_SITES: Final = frozenset({"same-origin", "none"})
"""What browsers say in `Sec-Fetch-Site` of requests by pages of the origin itself, and by a person."""

_READING: Final = frozenset({"GET", "HEAD"})


class SessionCookies:
    """Cookies of the gallery at the address of its settings."""

    def __init__(self, settings: ServerSettings) -> None:
        public_url = settings.public_url
        self._public = None if public_url is None else urlsplit(str(public_url))
        self._is_own = own_origin_check(settings)

    def is_secure(self, connection: HTTPConnection) -> bool:
        """Whether the browser is connected by TLS, to the gallery or to a proxy before it."""
        scheme = connection.scope["scheme"] if self._public is None else self._public.scheme
        return scheme in {"https", "wss"}

    def may_sign_in(self, connection: HTTPConnection) -> bool:
        """Whether passwords and cookies may pass here: by TLS, or without leaving the machine."""
        return self.is_secure(connection) or (connection.url.hostname or "") in LOOPBACK_HOSTS

    def is_own_request(self, connection: HTTPConnection) -> bool:
        """Whether no page of another origin can have made a browser send this to change something.

        What is no browser, and says nothing of where it comes from, has a header against CSRF.
        """
        origins, site = connection.headers.getlist("origin"), connection.headers.get("sec-fetch-site")
        if not origins and site is None:
            return any(name in connection.headers for name in CSRF_HEADERS)
        return self._are_own(origins, connection) and site in {None, *_OWN_SITES}

    def shown_by(self, connection: HTTPConnection) -> str | None:
        """The secret of the session, if there is a cookie, and the request may use it."""
        if "cookie" not in connection.headers:
            return None
        secret = connection.cookies.get(self._name(connection))
        return secret if secret and self._may_use(connection) else None

    def give(self, response: Response, connection: HTTPConnection, secret: str, max_age_seconds: int) -> None:
        """Lets the browser keep the secret for so long."""
        self.give_named(response, connection, "", secret, max_age_seconds)

    def take(self, response: Response, connection: HTTPConnection) -> None:
        """Lets the browser forget the secret."""
        self.give_named(response, connection, "", "", 0)

    def give_named(
        self, response: Response, connection: HTTPConnection, suffix: str, value: str, max_age_seconds: int
    ) -> None:
        """The same for another value, under the name with this suffix."""
        response.set_cookie(
            self._name(connection) + suffix,
            value,
            max_age=max_age_seconds,
            path="/",
            secure=self.is_secure(connection),
            httponly=True,
            samesite="lax",
        )

    def named(self, connection: HTTPConnection, suffix: str) -> str | None:
        """A value that was given under the name with this suffix, whoever makes the browser send it."""
        return connection.cookies.get(self._name(connection) + suffix)

    def _name(self, connection: HTTPConnection) -> str:
        return SECURE_NAME if self.is_secure(connection) else PLAIN_NAME

    def _may_use(self, connection: HTTPConnection) -> bool:
        headers = connection.headers
        if connection.scope["type"] != "http":  # browsers say where a WebSocket comes from, always
            return bool(headers.getlist("origin")) and self.is_own_request(connection)
        if connection.scope["method"] not in _READING:
            return self.is_own_request(connection)
        if not self._are_own(headers.getlist("origin"), connection):
            return False
        was_opened = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
        return was_opened or headers.get("sec-fetch-site") in {None, *_OWN_SITES}

    def _are_own(self, origins: list[str], connection: HTTPConnection) -> bool:
        """Whether the request comes from a page of the gallery, as far as `Origin` says something of it."""
        if not origins:
            return True
        return len(origins) == 1 and self._is_own(origins[0], connection)
