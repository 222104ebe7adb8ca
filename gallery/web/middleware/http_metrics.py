"""Counts requests by what the gallery knows of them: no path, no method of a client's own making."""

from __future__ import annotations

from http import HTTPMethod
from typing import Final

from starlette.routing import Route
from starlette.types import Scope

from gallery.domain.metrics import WebMetrics
from gallery.web.middleware.answered import Answered

NO_ROUTE: Final = "none"
"""Stands for addresses that the gallery does not have, and for requests that were refused before it looked."""
OTHER_METHOD: Final = "other"
NO_STATUS: Final = "none"
"""Stands for the status of requests that were never answered."""

_METHODS: Final = frozenset({HTTPMethod.GET, HTTPMethod.HEAD, HTTPMethod.POST, HTTPMethod.OPTIONS})


def count_request(metrics: WebMetrics, scope: Scope, answer: Answered, seconds: float) -> None:
    """Tells of a request that is over."""
    method = scope["method"] if scope["method"] in _METHODS else OTHER_METHOD
    status = NO_STATUS if answer.status is None else f"{answer.status // 100}xx"
    metrics.request(method, _route(scope), status, seconds)


def _route(scope: Scope) -> str:
    """The pattern of the address; the router leaves its choice in the scope."""
    route = scope.get("route")
    return route.path if isinstance(route, Route) else NO_ROUTE
