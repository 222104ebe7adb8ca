"""Counts requests by what the gallery knows of them: no path, no method of a client's own making."""

from __future__ import annotations

import time
from http import HTTPMethod
from typing import Final

from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gallery.domain.metrics import WebMetrics

NO_ROUTE: Final = "none"
"""Stands for addresses that the gallery does not have, and for requests that were refused before it looked."""
OTHER_METHOD: Final = "other"
NO_STATUS: Final = "none"
"""Stands for the status of requests that were never answered."""

_METHODS: Final = frozenset({HTTPMethod.GET, HTTPMethod.HEAD, HTTPMethod.POST, HTTPMethod.OPTIONS})


class HttpMetrics:
    """Tells of each request when it is over."""

    def __init__(self, app: ASGIApp, *, metrics: WebMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one connection (ASGI)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = NO_STATUS

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = f"{message['status'] // 100}xx"
            await send(message)

        started = time.perf_counter()
        try:
            await self._app(scope, receive, send_and_note)
        finally:
            method = scope["method"] if scope["method"] in _METHODS else OTHER_METHOD
            self._metrics.request(method, _route(scope), status, time.perf_counter() - started)


def _route(scope: Scope) -> str:
    """The pattern of the address; the router leaves its choice in the scope."""
    route = scope.get("route")
    return route.path if isinstance(route, Route) else NO_ROUTE
