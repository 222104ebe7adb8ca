"""What clients are told of an operation, or of a request that was refused: JSON in UTF-8."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import orjson
from starlette.responses import Response

from gallery.web.errors import BusyError, RequestCode, RequestError, error_body
from gallery.web.graphql.negotiation import MediaType


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a client is told."""

    content: dict[str, Any]
    status: HTTPStatus = HTTPStatus.OK


class MethodNotAllowedError(RequestError):
    """`allow` are the methods that would have been right (RFC 9110, 15.5.6)."""

    def __init__(self, message: str, allow: str) -> None:
        super().__init__(RequestCode.METHOD_NOT_ALLOWED, message, HTTPStatus.METHOD_NOT_ALLOWED)
        self.allow = allow


def with_error(answer: Answer, error: RequestError, request_id: str) -> Answer:
    """The answer to an operation that ran although the rest of its request turned out to be refused."""
    errors = [*answer.content.get("errors", []), *error_body(error, request_id)["errors"]]
    return Answer(content={**answer.content, "errors": errors}, status=error.status)


def refusal(error: RequestError, request_id: str, media_type: MediaType) -> Response:
    """A request that is refused as a whole is told so by its status, also to those who wait for events."""
    answer = Answer(content=error_body(error, request_id), status=error.status)
    response = response_of(answer, MediaType.JSON if media_type is MediaType.EVENTS else media_type)
    if isinstance(error, MethodNotAllowedError):
        response.headers["Allow"] = error.allow
    elif isinstance(error, BusyError):
        response.headers["Retry-After"] = str(error.retry_after_seconds)
    return response


def response_of(answer: Answer, media_type: MediaType) -> Response:
    """The answer over HTTP; whoever asks again gets a new one."""
    return _JSONAnswer(orjson.dumps(answer.content), answer.status, _FIELDS[media_type])


_FIELDS: Final = {
    media_type: [
        (b"content-type", f"{media_type}; charset=utf-8".encode()),
        (b"cache-control", b"no-store"),
        (b"vary", b"Accept"),
    ]
    for media_type in MediaType
}


class _JSONAnswer(Response):
    """Starlette's response, with headers that are encoded once for all answers."""

    def __init__(self, body: bytes, status: int, fields: list[tuple[bytes, bytes]]) -> None:
        self.status_code = status
        self.background = None
        self.body = body
        self.raw_headers = [*fields, (b"content-length", b"%d" % len(body))]
