"""Queries whose answers are kept: how they are executed if nobody has the answer, and how a kept one is sent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, Final

import orjson
from graphql import ExecutionResult
from starlette.responses import Response
from starlette.types import Scope

from gallery.domain.footprints import recording
from gallery.domain.response_ports import KeptResponse, MadeResponse, ResponseCache
from gallery.web.again import Ready
from gallery.web.compression import IDENTITY, MINIMUM_BYTES, Codings
from gallery.web.etags import names_etag
from gallery.web.graphql.context import Context
from gallery.web.graphql.execution import PreparedOperation
from gallery.web.graphql.negotiation import MediaType
from gallery.web.graphql.response_keys import response_key
from gallery.web.graphql.watched import watched

_ASKED: Final = "gallery.asked"

Execute = Callable[[Context], Awaitable[ExecutionResult]]


@dataclass(slots=True, kw_only=True)
class Asked:
    """What was looked at of a request. `key` is set to that of the kept answer, for the next such request."""

    media_type: MediaType
    is_get: bool
    accept_encoding: bytes
    if_none_match: str
    may_be_encoded: bool = True
    key: bytes | None = None
    is_missing: bool = False
    """Whether the answer was looked for in memory already, and was not there or is to be made anew."""


def note(scope: Scope, asked: Asked) -> None:
    """Leaves with a request what was looked at of it: its answer may be kept."""
    scope[_ASKED] = asked


def asked_of(scope: Scope) -> Asked | None:
    """What was looked at of a request, if its answer may be kept."""
    asked: Asked | None = scope.get(_ASKED)
    return asked


class ResponseKeeper:
    """Keeps the answers to queries, and sends them in the coding that a client takes."""

    def __init__(self, cache: ResponseCache, codings: Codings) -> None:
        self.cache = cache
        self.codings = codings

    async def run(
        self, asked: Asked, operation: PreparedOperation, variables: dict[str, Any], context: Context, execute: Execute
    ) -> KeptResponse | ExecutionResult:
        """An answer that is kept, or else the result of executing the query for this request alone."""
        key = response_key(operation, variables, context.viewer, context.base_url)
        result: ExecutionResult | None = None

        async def make() -> MadeResponse | None:
            nonlocal result
            with recording() as footprint:
                result = await execute(replace(context, use_cases=watched(context.use_cases, footprint)))
            if result.errors or not footprint.is_whole:
                return None
            body = orjson.dumps({"data": result.data})
            encoded = await self._encoded(body, asked)
            return MadeResponse(body=body, tags=frozenset(footprint.tags), encoded=encoded)

        if key is not None:
            kept = (None if asked.is_missing else self.cache.find(key)) or await self.cache.get(key, make)
            if kept is not None:
                asked.key = key
                return kept
        return result if result is not None else await execute(context)

    async def response(self, kept: KeptResponse, asked: Asked) -> Response:
        """The answer to the request that has made it, or waited for it."""
        coding = await self.codings.choose(asked.accept_encoding, len(kept.body))
        if coding not in kept.encoded and coding != IDENTITY:
            kept.keep_encoded(coding, await self.codings.encode(kept.body, coding))
        status, headers, body = head_and_body(kept, asked, coding)
        if status == HTTPStatus.OK and coding == IDENTITY:
            headers[0] = _VARY  # what compresses other answers passes this one, and adds to it
        response = Response(body, status_code=status)
        response.raw_headers = headers
        return response

    def ready(self, kept: KeptResponse, asked: Asked) -> Ready | None:
        """What to send of a kept answer, if it is kept in the coding that is taken."""
        coding = self.codings.known(asked.accept_encoding, len(kept.body))
        if coding is None or (coding and coding not in kept.encoded):
            return None
        return head_and_body(kept, asked, coding)

    async def _encoded(self, body: bytes, asked: Asked) -> dict[str, bytes]:
        coding = await self.codings.choose(asked.accept_encoding, len(body))
        return {} if coding == IDENTITY else {coding: await self.codings.encode(body, coding)}


def head_and_body(kept: KeptResponse, asked: Asked, coding: str) -> Ready:
    """What is sent. Bytes in a coding that is not kept are sent without it.

    A GET may be kept by its client alone, who asks each time whether it is still right (RFC 9111, 5.2.2.4 and 5.2.2.7).
    Strong validators tell codings apart (RFC 9110, 8.8.3.3).
    """
    body = kept.encoded.get(coding)
    if body is None:
        coding, body = IDENTITY, kept.body
    headers = [_VARY_BY_CODING if asked.may_be_encoded and len(kept.body) >= MINIMUM_BYTES else _VARY]
    if asked.is_get:
        etag = f'"{kept.digest}-{coding}"' if coding else f'"{kept.digest}"'
        headers += [(b"cache-control", b"private, no-cache"), (b"etag", etag.encode())]
        if asked.if_none_match and names_etag(asked.if_none_match, etag):
            return Ready(HTTPStatus.NOT_MODIFIED, headers, b"")
    else:
        headers.append((b"cache-control", b"no-store"))
    if coding:
        headers.append((b"content-encoding", coding.encode()))
    headers += [(b"content-type", _CONTENT_TYPES[asked.media_type]), (b"content-length", b"%d" % len(body))]
    return Ready(HTTPStatus.OK, headers, body)


_VARY: Final = (b"vary", b"Accept")
_VARY_BY_CODING: Final = (b"vary", b"Accept, Accept-Encoding")
_CONTENT_TYPES: Final = {media_type: f"{media_type}; charset=utf-8".encode() for media_type in MediaType}
