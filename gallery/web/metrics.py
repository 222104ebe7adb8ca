"""The metrics of the process, and who may see them.

They tell strangers how much the gallery is used and what is wrong with it, so they are for those who run it: whoever
knows the token of the metrics, or has an administrator's. In a gallery that asks nobody who they are they are also for
whoever asks on the machine itself, as long as there is no token. Requests that came through a proxy look as if they did
that too, hence the care.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gallery.domain.access import Right
from gallery.domain.errors import ForbiddenError, UnavailableError
from gallery.domain.metrics import MetricsPage, WebMetrics
from gallery.settings import LOOPBACK_HOSTS, Settings
from gallery.web.authentication import Authentication, UnauthenticatedError
from gallery.web.errors import RequestError
from gallery.web.paths import METRICS_PATH
from gallery.web.peers import address_of
from gallery.web.responses import error_response

_OF_PROXIES: Final = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP")
"""What proxies add to requests, by the standard (RFC 7239, RFC 9110) and by habit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counting:
    """Who counts what clients do, and where that can be seen."""

    metrics: WebMetrics
    page: MetricsPage


class Metrics:
    """Gives the page to those who may see it."""

    def __init__(self, page: MetricsPage, settings: Settings, authentication: Authentication) -> None:
        token = settings.metrics.token
        self._page = page
        self._authentication = authentication
        self._token = None if token is None else token.get_secret_value().encode()
        self._is_published = settings.server.public_url is not None or bool(settings.server.allowed_hosts)

    def route(self) -> Route:
        """`/metrics`."""
        return Route(METRICS_PATH, self._answer)

    async def _answer(self, request: Request) -> Response:
        try:
            await self._check(request)
            page = await self._page.render()
        except (RequestError, ForbiddenError, UnavailableError) as error:
            return error_response(request.scope, error)
        return Response(page, headers={"Content-Type": self._page.content_type, "Cache-Control": "no-store"})

    async def _check(self, request: Request) -> None:
        """Passes those who may see the page.

        Raises:
            RequestError: UNAUTHENTICATED if a token is missing or wrong.
            ForbiddenError: if nobody may see it there, or it is the token of no administrator.
            UnavailableError: if the database is needed to tell, and does not answer.
        """
        if self._token is not None and _has_token(request, self._token):
            return
        if not self._authentication.is_open:
            await self._authentication.somebody(self._authentication.shown_by(request), Right.ADMINISTER)
        elif self._token is not None:
            message = "The metrics are for those who know their token. Send it as `Authorization: Bearer …`."
            raise UnauthenticatedError(message, realm="metrics")
        elif self._is_published or not _is_local(request):
            message = (
                "The metrics are only told on the machine of the gallery itself, and only if it has no public name. "
                "Its operator can set GALLERY_METRICS__TOKEN, with which they are told everywhere."
            )
            raise ForbiddenError(message)


def _has_token(request: Request, token: bytes) -> bool:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and secrets.compare_digest(_bytes_of(given), token)


def _bytes_of(value: str) -> bytes:
    """The value of a header as it came: it was read as Latin-1, whatever it is."""
    return value.strip().encode("latin-1")


def _is_local(request: Request) -> bool:
    """Whether a program on this machine asks, by a name of this machine, and for nobody else."""
    came_directly = not any(name in request.headers for name in _OF_PROXIES)
    peer = address_of(request.scope)
    return came_directly and _is_loopback(peer) and _is_loopback(request.url.hostname or "")


def _is_loopback(host: str) -> bool:
    if host in LOOPBACK_HOSTS:
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
