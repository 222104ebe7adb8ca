"""One log line for each request. It holds no header and no query, where secrets travel."""

from __future__ import annotations

import logging
import time
from typing import Final
from urllib.parse import quote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gallery.web.paths import PROBE_PATHS

log = logging.getLogger(__name__)

_WEBSOCKET_STATUSES: Final = {"websocket.accept": 101, "websocket.close": 403}
"""What the server answers to the handshake, for the first message that the application sends."""


class AccessLog:
    """Logs method, path, status, size of the body and duration when a request is over."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one connection (ASGI)."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        answer = _Answer()

        async def send_and_count(message: Message) -> None:
            answer.count(message)
            await send(message)

        started = time.perf_counter()
        try:
            await self._app(scope, receive, send_and_count)
        finally:
            _log_request(scope, answer, duration_ms=(time.perf_counter() - started) * 1000)


class _Answer:
    """What has been sent so far. `status` is None until the answer begins."""

    __slots__ = ("complete", "size_bytes", "status")

    def __init__(self) -> None:
        self.status: int | None = None
        self.size_bytes = 0
        self.complete = False

    def count(self, message: Message) -> None:
        kind = message["type"]
        if kind.endswith("http.response.start"):
            self.status = message["status"]
        elif kind.endswith("http.response.body"):
            self.size_bytes += len(message.get("body", b""))
            self.complete = not message.get("more_body", False)
        elif self.status is None:
            self.status = _WEBSOCKET_STATUSES.get(kind)
            self.complete = True


def _log_request(scope: Scope, answer: _Answer, *, duration_ms: float) -> None:
    path = scope["path"]
    level = logging.DEBUG if path in PROBE_PATHS else logging.INFO
    if not log.isEnabledFor(level):
        return
    line = {
        "method": scope.get("method", "WEBSOCKET"),
        "path": quote(path),  # a decoded path may hold line breaks
        "status": None if answer.status is None else int(answer.status),
        "bytes": answer.size_bytes,
        "duration_ms": round(duration_ms, 1),
    }
    if not answer.complete:
        line["aborted"] = True
    log.log(level, "request", extra=line)
