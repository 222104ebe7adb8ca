"""What clients are told of an operation, or of a request that was refused: JSON in UTF-8."""

from __future__ import annotations

from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, Final

import orjson
from starlette.responses import Response

from gallery.domain.errors import OverloadedError, UnavailableError
from gallery.web.errors import RequestCode, RequestError, error_body
from gallery.web.graphql.negotiation import MediaType
from gallery.web.responses import RETRY_LATER


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a client is told."""

    content: dict[str, Any]
    status: HTTPStatus = HTTPStatus.OK
    is_overloaded: bool = False


class MethodNotAllowedError(RequestError):
    """`allow` are the methods that would have been right (RFC 9110, 15.5.6)."""

    def __init__(self, message: str, allow: str) -> None:
        super().__init__(RequestCode.METHOD_NOT_ALLOWED, message, HTTPStatus.METHOD_NOT_ALLOWED)
        self.headers = {"Allow": allow}


def with_error(answer: Answer, error: RequestError, request_id: str) -> Answer:
    """The answer to an operation that ran although the rest of its request turned out to be refused."""
    errors = [*answer.content.get("errors", []), *error_body(error, request_id)["errors"]]
    return Answer(content={**answer.content, "errors": errors}, status=error.status)


def refusal(error: RequestError | UnavailableError, request_id: str, media_type: MediaType) -> Response:
    """A request that is refused as a whole is told so by its status, also to those who wait for events."""
    status = error.status if isinstance(error, RequestError) else HTTPStatus.SERVICE_UNAVAILABLE
    answer = Answer(content=error_body(error, request_id), status=status)
    response = response_of(answer, MediaType.JSON if media_type is MediaType.EVENTS else media_type)
    if isinstance(error, RequestError):
        response.headers.update(error.headers)
    elif isinstance(error, OverloadedError):
        response.headers.update(RETRY_LATER)
    return response


def overloaded(answer: Answer) -> Answer:
    """The same answer to an operation that is to be sent again, because others wait."""
    return replace(answer, status=HTTPStatus.SERVICE_UNAVAILABLE, is_overloaded=True)


def response_of(answer: Answer, media_type: MediaType) -> Response:
    """The answer over HTTP; whoever asks again gets a new one."""
    response = _JSONAnswer(orjson.dumps(answer.content), answer.status, _FIELDS[media_type])
    if answer.is_overloaded:
        response.headers.update(RETRY_LATER)
    return response


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
