"""Which web pages may open a WebSocket: browsers ask nobody before they do, as they ask CORS before a request.

An origin is scheme, host and port (RFC 6454). A page that was sent without TLS may be anybody's, so it is not the
gallery's own where that is reached by TLS.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from gallery.settings import ServerSettings
from gallery.web.base_url import requested_origin

_ANY: Final = "*"
_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}


def origin_check(settings: ServerSettings) -> Callable[[HTTPConnection], bool]:
    """Whether the gallery talks to whoever connects: its own page, a page that CORS lets in, or no page at all."""
    allowed = {_normal(origin.rstrip("/")) for origin in settings.cors_origins}
    is_own = own_origin_check(settings)

    def is_allowed(connection: HTTPConnection) -> bool:
        origins = connection.headers.getlist("origin")
        if not origins or _ANY in allowed:
            return True
        if len(origins) > 1:
            return False
        return _normal(origins[0]) in allowed or is_own(origins[0], connection)

    return is_allowed


def own_origin_check(settings: ServerSettings) -> Callable[[str, HTTPConnection], bool]:
    """Whether an origin is the gallery's own.

    That is the one of the public address if it is set, else the one to which the request was sent, whose host is
    checked already.
    """
    if settings.public_url is None:
        return lambda origin, connection: _normal(origin) == _normal(requested_origin(connection))
    url = urlsplit(str(settings.public_url))
    public = _normal(f"{url.scheme}://{url.netloc.rpartition('@')[2]}")
    return lambda origin, _connection: _normal(origin) == public


def _normal(origin: str) -> str:
    """The origin in lower case, without the port that its scheme has anyway."""
    origin = origin.lower()
    return origin.removesuffix(_DEFAULT_PORTS.get(origin.partition("://")[0], ""))
