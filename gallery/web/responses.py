"""Errors outside GraphQL as clients see them: the shape of a GraphQL response, so that there is only one."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ExceptionHandler, Scope

from gallery.domain.errors import ErrorCode, GalleryError, NotFoundError, OverloadedError
from gallery.web.errors import RequestCode, RequestError, error_body
from gallery.web.middleware.request_ids import request_id_of
from gallery.web.paths import GRAPHQL_PATH

_STATUSES: Final[Mapping[str, HTTPStatus]] = {
    ErrorCode.NOT_FOUND: HTTPStatus.NOT_FOUND,
    ErrorCode.FORBIDDEN: HTTPStatus.FORBIDDEN,
    ErrorCode.TOO_MANY_ATTEMPTS: HTTPStatus.TOO_MANY_REQUESTS,
    ErrorCode.SERVICE_UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    ErrorCode.OVERLOADED: HTTPStatus.SERVICE_UNAVAILABLE,
}

RETRY_LATER: Final[Mapping[str, str]] = {"Retry-After": "1"}
"""What those are told who were refused because others wait."""


def error_response(
    scope: Scope, error: GalleryError | RequestError, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """The answer to a request that failed: its code, a sentence, and the id of the request. Never cached."""
    status = _STATUSES.get(error.code, HTTPStatus.BAD_REQUEST)
    own: Mapping[str, str] = {}
    if isinstance(error, RequestError):
        status, own = error.status, error.headers
    elif isinstance(error, OverloadedError):
        own = RETRY_LATER
    return JSONResponse(
        error_body(error, request_id_of(scope)),
        status_code=status,
        headers={"Cache-Control": "no-store", **own, **(headers or {})},
    )


async def _http_error(request: Request, error: Exception) -> Response:
    """The answer to an address or method that does not exist."""
    assert isinstance(error, HTTPException)  # noqa: S101  # registered for nothing else
    headers = dict(error.headers or {})
    match error.status_code:
        case HTTPStatus.NOT_FOUND:
            message = f"There is nothing at this address. The API is at {GRAPHQL_PATH}."
            return error_response(request.scope, NotFoundError(message), headers)
        case HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = ", ".join(sorted(headers.get("Allow", "").split(", ")))
            message = f"This address does not take {request.method}; it takes {headers['Allow']}."
            code = RequestCode.METHOD_NOT_ALLOWED
        case _:
            message = error.detail
            code = RequestCode.BAD_REQUEST
    refusal = RequestError(code, message, HTTPStatus(error.status_code))
    return error_response(request.scope, refusal, headers)


ERROR_HANDLERS: Mapping[type[Exception], ExceptionHandler] = {HTTPException: _http_error}
