"""What every request passes on its way in and every answer on its way out, in one step.

Id, log line, metrics, headers and the check of the host each need a look at the request or at the messages of its
answer. One wrapper around the application looks for all of them: a wrapper for each would cost a coroutine and a
message more, on every request.
"""

from __future__ import annotations

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, reset_contextvars

from gallery.domain.metrics import WebMetrics
from gallery.domain.waiting import PATIENCE
from gallery.web.again import OFFER, take_offer_of_server
from gallery.web.middleware.access_log import log_request
from gallery.web.middleware.allowed_hosts import host_error
from gallery.web.middleware.answered import Answered
from gallery.web.middleware.http_metrics import count_request
from gallery.web.middleware.repeated import Repeated
from gallery.web.middleware.request_ids import has_request_id, request_id_for, with_request_id
from gallery.web.middleware.security_headers import with_security_headers
from gallery.web.patience import Patiences
from gallery.web.responses import error_response

_WEBSOCKET_STATUSES = {"websocket.accept": 101, "websocket.close": 403}
"""What the server answers to the handshake, for the first message that the application sends."""


class Passage:
    """Gives each request its id, refuses those for other hosts, adds headers, and tells of the request at its end.

    How long a request waits for others counts from here, too (`web/patience.py`).
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        names: frozenset[str] | None,
        metrics: WebMetrics,
        patiences: Patiences,
        is_last: bool = False,
    ) -> None:
        """`is_last` says that nothing within adds to answers: those that are given again lack nothing then."""
        self._app = app
        self._names = names
        self._metrics = metrics
        self._patiences = patiences
        self._is_last = is_last

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one connection (ASGI)."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        request_id = request_id_for(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        answer = _Answer(send, request_id)
        bound = bind_contextvars(request_id=request_id)
        patience = PATIENCE.set(self._patiences.of(scope))
        started = time.perf_counter()
        try:
            error = host_error(scope, self._names)
            app = self._app if error is None else error_response(scope, error)
            self._pass_offer(scope)
            await app(scope, receive, answer.send)
        finally:
            seconds = time.perf_counter() - started
            if scope["type"] == "http":
                count_request(self._metrics, scope, answer.told, seconds)
            log_request(scope, answer.told, duration_ms=seconds * 1000)
            PATIENCE.reset(patience)
            reset_contextvars(**bound)

    def _pass_offer(self, scope: Scope) -> None:
        """Adds to an answer that is given again what this adds to any, unless each request has its own id."""
        offer = take_offer_of_server(scope)
        if offer is not None and self._is_last and not has_request_id(scope):
            scope[OFFER] = lambda again: offer(Repeated(again, scope, self._metrics))


class _Answer:
    """Sends the messages of an answer on, with its headers, and remembers what was told."""

    __slots__ = ("_request_id", "_send", "told")

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._request_id = request_id
        self.told = Answered()

    async def send(self, message: Message) -> None:
        """Sends one message (ASGI)."""
        kind, told = message["type"], self.told
        if kind == "http.response.body":
            told.size_bytes += len(message.get("body", b""))
            told.is_complete = not message.get("more_body", False)
        elif kind == "http.response.start":
            self._begin(message)
        else:
            self._tell_of_websocket(kind, message)
        await self._send(message)

    def _begin(self, message: Message) -> None:
        self.told.status = message["status"]
        message["headers"] = with_request_id(with_security_headers(message.get("headers", ())), self._request_id)

    def _tell_of_websocket(self, kind: str, message: Message) -> None:
        told = self.told
        if kind == "websocket.http.response.start":
            self._begin(message)
        elif kind == "websocket.http.response.body":
            told.size_bytes += len(message.get("body", b""))
            told.is_complete = not message.get("more_body", False)
        elif told.status is None:
            told.status = _WEBSOCKET_STATUSES.get(kind)
            told.is_complete = True
            if kind == "websocket.accept":
                message["headers"] = with_request_id(message.get("headers", ()), self._request_id)
