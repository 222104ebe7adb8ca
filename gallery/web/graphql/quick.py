"""Answers a request before anything of it is parsed, if the very same one was asked before and its answer is kept.

What a request is was found out when it came first. Here its bytes are looked up, together with all that its answer
depends on beside them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from graphql import OperationType
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gallery.compiler import Segmented
from gallery.domain.access import Viewer
from gallery.domain.errors import UnavailableError
from gallery.domain.metrics import OperationOutcome, WebMetrics
from gallery.web.again import MISSED, Ready, take_offer
from gallery.web.authentication import Authentication, UnauthenticatedError
from gallery.web.errors import RequestError
from gallery.web.graphql.cost import COST_HEADER
from gallery.web.graphql.kept import Asked, ResponseKeeper, note
from gallery.web.graphql.kept_again import KeptAgain
from gallery.web.graphql.negotiation import MediaType, wish
from gallery.web.graphql.request import (
    CSRF_HEADERS,
    IDEMPOTENCY_HEADER,
    JSON,
    require_content_type,
    require_csrf_header,
)

_MAX_BYTES: Final = 8 * 1024
"""How long a request may be to be remembered: what a stranger can make the gallery remember is bounded."""
_ALL_REQUESTS_BYTES: Final = 8 * 1024 * 1024
_ALL_KINDS_BYTES: Final = 1024 * 1024
_OVERHEAD_BYTES: Final = 500

_TELLING: Final = tuple(name.lower().encode() for name in ("Accept", "Content-Type", "Content-Encoding", *CSRF_HEADERS))
"""The fields that say what kind of request it is."""
_FORBIDDING: Final = frozenset({b"expect", IDEMPOTENCY_HEADER.lower().encode(), COST_HEADER.lower().encode()})
"""The fields of requests that are none of those whose answers are kept."""
_READ: Final = frozenset({*_TELLING, b"accept-encoding", b"if-none-match"})

_STALLED: Final[Message] = {"type": "stalled"}

Kind = tuple[str | bytes | None, ...]
Known = tuple[bytes, str, str, str]


class QuickAnswers:
    """An ASGI application before the endpoint's."""

    def __init__(  # noqa: PLR0913  # all that a request is looked at for
        self,
        app: ASGIApp,
        keeper: ResponseKeeper,
        base_url: Callable[[HTTPConnection], str],
        authentication: Authentication,
        *,
        metrics: WebMetrics,
        graphiql: bool,
        patience_seconds: float,
    ) -> None:
        self._app = app
        self._keeper = keeper
        self._base_url = base_url
        self._authentication = authentication
        self._metrics = metrics
        self._graphiql = graphiql
        self._patience_seconds = patience_seconds
        self._media_types: Segmented[Kind, tuple[MediaType | None]] = Segmented(_ALL_KINDS_BYTES)
        self._keys: Segmented[Known, bytes] = Segmented(_ALL_REQUESTS_BYTES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers, or leaves that to the endpoint and looks what has become of it."""
        asked, viewer = self._asked(scope), await self._viewer(scope)
        if asked is None or viewer is None:
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        message = None if asked.is_get else await self._first_message(receive)
        known = self._known(scope, message, viewer)
        key = None if known is None else self._keys.get(known)
        asked.is_missing = scope.get(MISSED, False)
        found = None if key is None else await self._find(key, asked)
        if key is not None and found is not None:
            status, headers, body = found
            self._offer_again(scope, key, asked)
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body})
            self._metrics.operation(OperationType.QUERY.value, OperationOutcome.OK, time.perf_counter() - started)
            return
        note(scope, asked)
        await self._app(scope, receive if message is None else _replayed(message, receive), send)
        if known is not None and asked.key is not None:
            self._keys.put(known, asked.key, _OVERHEAD_BYTES + len(known[0]))

    async def _viewer(self, scope: Scope) -> Viewer | None:
        """Who asks; None if that is to be refused, which is for the endpoint."""
        try:
            return await self._authentication.viewer_in(scope)
        except (UnauthenticatedError, UnavailableError):
            return None

    async def _first_message(self, receive: Receive) -> Message:
        """What comes first; something that is none if nothing does."""
        try:
            async with asyncio.timeout(self._patience_seconds):
                return await receive()
        except TimeoutError:
            return _STALLED

    async def _find(self, key: bytes, asked: Asked) -> Ready | None:
        """What to send, if the answer is kept in the coding that is taken."""
        if asked.is_missing:
            return None
        cache = self._keeper.cache
        kept = cache.find(key)
        if kept is None:
            asked.is_missing = True
            kept = await cache.look(key)
        return None if kept is None else self._keeper.ready(kept, asked)

    def _offer_again(self, scope: Scope, key: bytes, asked: Asked) -> None:
        """Tells the server how to answer these bytes again, if all that the answer depends on is in them.

        Whether somebody is still believed is not.
        """
        offer = take_offer(scope)
        if offer is not None and self._authentication.is_open:
            offer(KeptAgain(self._keeper, key, asked, self._metrics, is_far=asked.is_missing))

    def _asked(self, scope: Scope) -> Asked | None:
        """What kind of request it is, if its answer may be kept."""
        fields: dict[bytes, bytes] = {}
        for name, value in scope["headers"]:
            if name in _READ:
                fields[name] = b"%b,%b" % (fields[name], value) if name in fields else value
            elif name in _FORBIDDING:
                return None
        kind: Kind = (scope["method"], *map(fields.get, _TELLING))
        found = self._media_types.get(kind)
        if found is None:
            found = (self._media_type(scope),)
            self._media_types.put(kind, found, _OVERHEAD_BYTES + sum(len(value) for value in kind if value))
        (media_type,) = found
        if media_type is None:
            return None
        return Asked(
            media_type=media_type,
            is_get=scope["method"] == "GET",
            accept_encoding=fields.get(b"accept-encoding", b""),
            if_none_match=fields.get(b"if-none-match", b"").decode("latin-1"),
            may_be_encoded=self._keeper.codings.enabled,
        )

    def _media_type(self, scope: Scope) -> MediaType | None:
        """The media type of the answer; None if it is none to be kept, or the request is to be refused."""
        headers = Headers(scope=scope)
        wanted = wish(",".join(headers.getlist("accept")))
        if scope["method"] not in {"GET", "POST"}:
            return None
        try:
            if scope["method"] == "GET":
                require_csrf_header(headers)
                if self._graphiql and wanted.prefers_html:
                    return None
            elif require_content_type(headers) != JSON:
                return None
            media_type = wanted.require()
        except RequestError:
            return None
        return None if media_type is MediaType.EVENTS else media_type

    def _known(self, scope: Scope, message: Message | None, viewer: Viewer) -> Known | None:
        """All that the answer depends on, if it is not too long and has come at once."""
        if message is None:
            asked: bytes = scope["query_string"]
        elif message["type"] != "http.request" or message.get("more_body", False):
            return None
        else:
            asked = message.get("body", b"")
        if len(asked) > _MAX_BYTES:
            return None
        return asked, scope["method"], self._base_url(HTTPConnection(scope)), viewer.scope


def _replayed(first: Message, receive: Receive) -> Receive:
    """Gives a message again that was taken, then the others. What has stalled fails as what stalls now."""
    taken = False

    async def receive_again() -> Message:
        nonlocal taken
        if taken:
            return await receive()
        taken = True
        if first is _STALLED:
            raise TimeoutError
        return first

    return receive_again
