"""Which web pages may open a WebSocket: browsers ask nobody before they do, as they ask CORS before a request."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from gallery.settings import ServerSettings

_ANY = "*"


def origin_check(settings: ServerSettings) -> Callable[[HTTPConnection], bool]:
    """Whether the gallery talks to whoever connects: its own page, a page that CORS lets in, or no page at all."""
    allowed = {origin.rstrip("/").lower() for origin in settings.cors_origins}
    if settings.public_url is not None:
        public = urlsplit(str(settings.public_url))
        allowed.add(f"{public.scheme}://{public.netloc}")

    def is_allowed(connection: HTTPConnection) -> bool:
        origins = [origin.lower() for origin in connection.headers.getlist("origin")]
        if not origins or _ANY in allowed:
            return True
        if len(origins) > 1:
            return False
        return origins[0] in allowed or is_own(origins[0], connection)

    return is_allowed


def is_own(origin: str, connection: HTTPConnection) -> bool:
    """Whether the page came from the address that it connects to, whose host is checked already."""
    return origin.partition("://")[2] == connection.headers["host"].lower()
