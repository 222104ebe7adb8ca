"""Errors outside GraphQL as clients see them: the shape of a GraphQL response, so that there is only one."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from starlette.responses import JSONResponse
from starlette.types import Scope

from gallery.domain.errors import ErrorCode, GalleryError
from gallery.web.errors import RequestError
from gallery.web.middleware.request_ids import request_id_of

_STATUSES: Final = {
    ErrorCode.NOT_FOUND: HTTPStatus.NOT_FOUND,
    ErrorCode.FORBIDDEN: HTTPStatus.FORBIDDEN,
    ErrorCode.SERVICE_UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
}


def error_response(
    scope: Scope, error: GalleryError | RequestError, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """The answer to a request that failed: its code, a sentence, and the id of the request. Never cached."""
    status = error.status if isinstance(error, RequestError) else _STATUSES.get(error.code, HTTPStatus.BAD_REQUEST)
    extensions = {"code": error.code.value, "requestId": request_id_of(scope)}
    return JSONResponse(
        {"errors": [{"message": error.message, "extensions": extensions}]},
        status_code=status,
        headers={"Cache-Control": "no-store", **(headers or {})},
    )
