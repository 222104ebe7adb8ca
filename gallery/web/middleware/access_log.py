"""One log line for each request. It holds no header and no query, where secrets travel."""

from __future__ import annotations

import logging
from urllib.parse import quote

from starlette.types import Scope

from gallery.web.middleware.answered import Answered
from gallery.web.paths import GRAPHQL_PATH, PROBE_PATHS, without_token

log = logging.getLogger(__name__)


def is_logged(scope: Scope) -> bool:
    """Whether anybody wants a line for the request."""
    return log.isEnabledFor(_level(scope))


def log_request(scope: Scope, answer: Answered, *, duration_ms: float) -> None:
    """Logs method, path, status, size of the body and duration of a request that is over."""
    path, level = scope["path"], _level(scope)
    if not log.isEnabledFor(level):
        return
    line = {
        "method": scope.get("method", "WEBSOCKET"),
        "path": path if path == GRAPHQL_PATH else quote(without_token(path)),  # a decoded path may hold line breaks
        "status": None if answer.status is None else int(answer.status),
        "bytes": answer.size_bytes,
        "duration_ms": round(duration_ms, 1),
    }
    if not answer.is_complete:
        line["aborted"] = True
    # Who asks for a line is looked for on the stack otherwise, and nothing shows it.
    log.handle(log.makeRecord(log.name, level, __file__, 0, "request", (), None, extra=line))


def _level(scope: Scope) -> int:
    return logging.DEBUG if scope["path"] in PROBE_PATHS else logging.INFO
