"""Refuses requests that were meant for another host.

A web page whose name is made to point at the reader's own computer (DNS rebinding) could otherwise use a gallery
that listens there: its requests carry the page's name as Host.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from ipaddress import ip_address

from starlette.types import Scope

from gallery.settings import LOOPBACK_HOSTS, ServerSettings
from gallery.web.errors import RequestCode, RequestError
from gallery.web.paths import PROBE_PATHS

_ANY = "*"
_HOST_FIELD = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~-]+)(?::[0-9]{1,5})?")
"""An address in brackets or a name, then perhaps a port (RFC 9110, section 7.2). Names come in ASCII."""


def allowed_hosts(settings: ServerSettings) -> frozenset[str] | None:
    """The names that requests may be sent to, in lower case; None for any."""
    names = set(map(_normal, settings.allowed_hosts))
    if _ANY in names or not (names or _is_loopback(settings.host)):
        return None
    if not names:
        names = {*LOOPBACK_HOSTS, _normal(settings.host)}
    if settings.public_url is not None and settings.public_url.host is not None:
        names |= {_normal(settings.public_url.host)}
    return frozenset(names)


def host_error(scope: Scope, names: frozenset[str] | None) -> RequestError | None:
    """What is wrong with the Host of a request: it is ill-formed, or not among the names. Probes may come by any."""
    fields = [value for name, value in scope["headers"] if name == b"host"]
    match = _HOST_FIELD.fullmatch(fields[0].decode("latin-1")) if len(fields) == 1 else None
    if match is None:
        message = "The request has no well-formed Host header, or several."
        return RequestError(RequestCode.BAD_REQUEST, message)
    if names is None or _normal(match[1]) in names or scope["path"] in PROBE_PATHS:
        return None
    message = (
        f"The gallery does not answer for the host {match[1]}. Use the address that it is known by, "
        "or let its operator add the name to GALLERY_SERVER__ALLOWED_HOSTS."
    )
    return RequestError(RequestCode.HOST_NOT_ALLOWED, message, HTTPStatus.MISDIRECTED_REQUEST)


def _normal(host: str) -> str:
    return host.lower().removeprefix("[").removesuffix("]").removesuffix(".")


def _is_loopback(host: str) -> bool:
    if host in LOOPBACK_HOSTS:
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
