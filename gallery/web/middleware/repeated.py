"""What passes a request on its first way through the gallery, for the same bytes that come again.

Its host was found right; id, headers, metrics and log line are those of any other request.
"""

from __future__ import annotations

import time

from starlette.types import Scope
from structlog.contextvars import bound_contextvars

from gallery.domain.metrics import WebMetrics
from gallery.web.again import Ready, Repeats, Sendable
from gallery.web.middleware.access_log import is_logged, log_request
from gallery.web.middleware.answered import Answered
from gallery.web.middleware.http_metrics import count_request
from gallery.web.middleware.request_ids import HeaderFields, new_request_id, request_id_field
from gallery.web.middleware.security_headers import with_security_headers


class Repeated:
    """The answer to a request as it is sent, each time it comes."""

    __slots__ = ("_again", "_fields", "_headers", "_metrics", "_scope")

    def __init__(self, again: Repeats[Ready], scope: Scope, metrics: WebMetrics) -> None:
        self._again = again
        self._metrics = metrics
        self._scope = {name: scope.get(name) for name in ("type", "method", "path", "route")}
        self._headers: HeaderFields | None = None
        self._fields = b""

    @property
    def is_far(self) -> bool:
        """Whether the answer has to be waited for."""
        return self._again.is_far

    def now(self) -> Sendable | None:
        """The answer, if it is at hand."""
        started = time.perf_counter()
        return self._sendable(self._again.now(), started)

    async def later(self) -> Sendable | None:
        """The answer, from where it has to be asked for."""
        started = time.perf_counter()
        return self._sendable(await self._again.later(), started)

    def _sendable(self, ready: Ready | None, started: float) -> Sendable | None:
        if ready is None:
            return None
        if ready.headers is not self._headers:
            self._headers, self._fields = ready.headers, _lines(with_security_headers(ready.headers))
        request_id = new_request_id()
        seconds = time.perf_counter() - started
        answered = Answered(status=ready.status, size_bytes=len(ready.body), is_complete=True)
        count_request(self._metrics, self._scope, answered, seconds)
        if is_logged(self._scope):
            with bound_contextvars(request_id=request_id):
                log_request(self._scope, answered, duration_ms=seconds * 1000)
        return Sendable(ready.status, self._fields + _lines([request_id_field(request_id)]), ready.body)


def _lines(fields: HeaderFields) -> bytes:
    return b"".join([b"%b: %b\r\n" % field for field in fields])
