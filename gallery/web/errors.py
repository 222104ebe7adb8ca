"""What can be wrong with a request before, or apart from, what its operation does."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum, unique
from http import HTTPStatus
from typing import Any

from gallery.domain.errors import GalleryError


@unique
class RequestCode(StrEnum):
    """What is wrong with a request, for programs: `extensions.code` of a top-level error."""

    BAD_REQUEST = "BAD_REQUEST"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    HOST_NOT_ALLOWED = "HOST_NOT_ALLOWED"
    ORIGIN_NOT_ALLOWED = "ORIGIN_NOT_ALLOWED"
    INSECURE_CONNECTION = "INSECURE_CONNECTION"
    TOO_MANY_OPERATIONS = "TOO_MANY_OPERATIONS"
    RANGE_NOT_SATISFIABLE = "RANGE_NOT_SATISFIABLE"
    INVALID_JSON = "INVALID_JSON"
    INVALID_MULTIPART = "INVALID_MULTIPART"
    INVALID_OPERATIONS = "INVALID_OPERATIONS"
    INVALID_MAP = "INVALID_MAP"
    FIELD_TOO_LARGE = "FIELD_TOO_LARGE"
    TOO_MANY_FILES = "TOO_MANY_FILES"
    CSRF_HEADER_MISSING = "CSRF_HEADER_MISSING"
    UNSUPPORTED_MEDIA_TYPE = "UNSUPPORTED_MEDIA_TYPE"
    NOT_ACCEPTABLE = "NOT_ACCEPTABLE"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    REQUEST_TOO_LARGE = "REQUEST_TOO_LARGE"
    HEADERS_TOO_LARGE = "HEADERS_TOO_LARGE"
    REQUEST_STALLED = "REQUEST_STALLED"
    REQUEST_TIMEOUT = "REQUEST_TIMEOUT"
    OVERLOADED = "OVERLOADED"
    CLIENT_DISCONNECTED = "CLIENT_DISCONNECTED"
    GRAPHQL_PARSE_FAILED = "GRAPHQL_PARSE_FAILED"
    GRAPHQL_VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"
    INTROSPECTION_DISABLED = "INTROSPECTION_DISABLED"
    DOCUMENT_TOO_COMPLEX = "DOCUMENT_TOO_COMPLEX"
    VARIABLES_TOO_COMPLEX = "VARIABLES_TOO_COMPLEX"
    COST_LIMIT_EXCEEDED = "COST_LIMIT_EXCEEDED"
    THROTTLED = "THROTTLED"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    TOO_MANY_ERRORS = "TOO_MANY_ERRORS"
    TOO_MANY_DOCUMENTS = "TOO_MANY_DOCUMENTS"
    BAD_USER_INPUT = "BAD_USER_INPUT"
    OPERATION_NAME_REQUIRED = "OPERATION_NAME_REQUIRED"
    OPERATION_NOT_FOUND = "OPERATION_NOT_FOUND"
    PERSISTED_QUERY_NOT_FOUND = "PERSISTED_QUERY_NOT_FOUND"
    PERSISTED_QUERY_NOT_SUPPORTED = "PERSISTED_QUERY_NOT_SUPPORTED"
    PERSISTED_QUERY_MISMATCH = "PERSISTED_QUERY_MISMATCH"
    PERSISTED_DOCUMENT_NOT_FOUND = "PERSISTED_DOCUMENT_NOT_FOUND"
    DOCUMENT_NOT_TRUSTED = "DOCUMENT_NOT_TRUSTED"
    INTERNAL_ERROR = "INTERNAL_ERROR"


class RequestError(Exception):
    """A request that is refused as a whole, with the HTTP status of the answer."""

    def __init__(self, code: RequestCode, message: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.headers: Mapping[str, str] = {}
        """What the answer has in its headers beyond those of every refusal."""
        self.extensions: Mapping[str, object] = {}
        """What the error has in its extensions beyond its code and the id of the request."""


class BusyError(RequestError):
    """Too many others wait for the same thing; `retry_after_seconds` is when it may be tried again."""

    def __init__(self, code: RequestCode, message: str, retry_after_seconds: int) -> None:
        super().__init__(code, message, HTTPStatus.SERVICE_UNAVAILABLE)
        self.headers = {"Retry-After": str(retry_after_seconds)}


class InternalError(RequestError):
    """A fault of the gallery's own. It is logged; a client learns nothing but the id to report it with."""

    def __init__(self, request_id: str) -> None:
        message = f"Something went wrong inside the gallery. If it happens again, report it with the id {request_id}."
        super().__init__(RequestCode.INTERNAL_ERROR, message, HTTPStatus.INTERNAL_SERVER_ERROR)


class AbortedResponseError(Exception):
    """An answer that had begun was cut off, so that nobody takes a part for the whole; the cause is logged already."""


def error_body(error: GalleryError | RequestError, request_id: str) -> dict[str, Any]:
    """What a client is told of a request that failed as a whole: the shape of a GraphQL response, on every address."""
    more = error.extensions if isinstance(error, RequestError) else {}
    extensions = {**more, "code": error.code.value, "requestId": request_id}
    return {"errors": [{"message": error.message, "extensions": extensions}]}
