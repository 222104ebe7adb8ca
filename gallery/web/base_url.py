"""Under which address clients reach the gallery."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import HTTPConnection

from gallery.settings import ServerSettings

_HTTP_SCHEMES = {"ws": "http", "wss": "https"}


def base_url_for(settings: ServerSettings) -> Callable[[HTTPConnection], str]:
    """Gives the address for the URLs in an answer, without a slash at the end.

    It is the public one if that is set, else the one that the request was sent to, whose host is checked already.
    """
    if settings.public_url is None:
        return _requested_url
    public_url = str(settings.public_url).rstrip("/")
    return lambda _connection: public_url


def requested_origin(connection: HTTPConnection) -> str:
    """Scheme and host to which a request was sent, as far as the server knows: a trusted proxy tells it the scheme."""
    scheme = connection.scope["scheme"]
    return f"{_HTTP_SCHEMES.get(scheme, scheme)}://{connection.headers['host']}"


def _requested_url(connection: HTTPConnection) -> str:
    root_path = connection.scope.get("root_path", "").rstrip("/")
    return f"{requested_origin(connection)}{root_path}"
