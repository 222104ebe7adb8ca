"""The middleware of the server, put in order."""

from __future__ import annotations

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from gallery.domain.metrics import NO_METRICS, WebMetrics
from gallery.settings import ServerSettings
from gallery.settings_connections import OverloadSettings
from gallery.web.graphql.request import CSRF_HEADERS, IDEMPOTENCY_HEADER
from gallery.web.middleware.allowed_hosts import allowed_hosts
from gallery.web.middleware.failures import Failures
from gallery.web.middleware.passage import Passage
from gallery.web.middleware.request_ids import REQUEST_ID_HEADER
from gallery.web.patience import Patiences


def middleware(
    settings: ServerSettings, metrics: WebMetrics = NO_METRICS, overload: OverloadSettings | None = None
) -> list[Middleware]:
    """The middleware of the server, outermost first.

    Failures are handled innermost, so that a page of another origin may read them too.
    """
    return [
        Middleware(
            Passage,
            names=allowed_hosts(settings),
            metrics=metrics,
            patiences=Patiences(overload or OverloadSettings()),
            is_last=not settings.cors_origins,
        ),
        *_cors(settings.cors_origins),
        Middleware(Failures),
    ]


def _cors(origins: tuple[str, ...]) -> list[Middleware]:
    if not origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=[origin.rstrip("/").lower() for origin in origins],
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", *CSRF_HEADERS, IDEMPOTENCY_HEADER, REQUEST_ID_HEADER, "Range", "If-Range"],
            expose_headers=[REQUEST_ID_HEADER, "Accept-Ranges", "Content-Range", "ETag"],
        )
    ]


def wrapped(app: ASGIApp, layers: list[Middleware]) -> ASGIApp:
    """The application with all of these around it, the first outermost."""
    for layer, arguments, options in reversed(layers):
        app = layer(app, *arguments, **options)
    return app
