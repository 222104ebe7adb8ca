"""A name for every request: in its answer, in its log lines, and in the error that a user reports."""

from __future__ import annotations

import re
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from gallery.domain.ids import new_uuid7

REQUEST_ID_HEADER: Final = "X-Request-ID"

_WELL_FORMED = re.compile(r"[A-Za-z0-9._=+/-]{1,128}")


class RequestIds:
    """Gives each request its id: the one that a proxy or client sent if it is well-formed, else a new one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one connection (ASGI)."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        request_id = _sent_id(scope) or new_uuid7().hex
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_with_id(message: Message) -> None:
            if message["type"] in {"http.response.start", "websocket.accept", "websocket.http.response.start"}:
                MutableHeaders(scope=message)[REQUEST_ID_HEADER] = request_id
            await send(message)

        with bound_contextvars(request_id=request_id):
            await self._app(scope, receive, send_with_id)


def request_id_of(scope: Scope) -> str:
    """The id of the request, empty outside the middleware."""
    request_id: str = scope.get("state", {}).get("request_id", "")
    return request_id


def _sent_id(scope: Scope) -> str | None:
    sent = Headers(scope=scope).get(REQUEST_ID_HEADER, "")
    return sent if _WELL_FORMED.fullmatch(sent) else None
