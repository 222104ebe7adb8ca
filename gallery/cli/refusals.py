"""Answers to what never becomes a request: the application is not asked, yet the client is told in the usual shape."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Final

import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from gallery.web.errors import RequestCode, RequestError, error_body
from gallery.web.middleware.request_ids import new_request_id, with_request_id
from gallery.web.middleware.security_headers import with_security_headers

HEAD_MAX_BYTES: Final = 64 * 1024
"""Eight times what common servers take for one header. The parser joins the pieces of a header anew with each of them:
what grows without bound costs the square of its length."""

_FIELDS: Final = (
    (b"content-type", b"application/json; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"connection", b"close"),
)


class HeadersTooLargeError(RequestError):
    """The head of a request does not end within the limit (RFC 6585, 5), or what frames a chunked body does not."""

    def __init__(self) -> None:
        message = f"The headers are larger than the limit of {HEAD_MAX_BYTES:,} bytes."
        status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        super().__init__(RequestCode.HEADERS_TOO_LARGE, message, status)


class UpgradeWithBodyError(RequestError):
    """Where the body ends and the WebSocket begins could be read in two ways."""

    def __init__(self) -> None:
        super().__init__(RequestCode.BAD_REQUEST, "A request to open a WebSocket has no body.")


class HeadTimeoutError(RequestError):
    """The head of a request did not end in time."""

    def __init__(self) -> None:
        message = "The headers of the request did not arrive in time. Send it again."
        super().__init__(RequestCode.REQUEST_TIMEOUT, message, HTTPStatus.REQUEST_TIMEOUT)


class SlowBodyError(RequestError):
    """The body of a request comes too slowly."""

    def __init__(self) -> None:
        message = "The body of the request arrived too slowly. Send it again over a better connection."
        super().__init__(RequestCode.REQUEST_TIMEOUT, message, HTTPStatus.REQUEST_TIMEOUT)


class MalformedRequestError(RequestError):
    """What came is no HTTP."""

    def __init__(self) -> None:
        super().__init__(RequestCode.BAD_REQUEST, "This is not a well-formed HTTP request.")


def refusal_parts(error: RequestError) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """The headers and the body of an answer after which the connection closes."""
    request_id = new_request_id()
    body = orjson.dumps(error_body(error, request_id))
    own = [(name.lower().encode(), value.encode()) for name, value in error.headers.items()]
    fields = [*_FIELDS, *own, (b"content-length", b"%d" % len(body))]
    return with_request_id(with_security_headers(fields), request_id), body


def refusal(error: RequestError, default_headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The whole answer, after which the connection closes."""
    fields, body = refusal_parts(error)
    head = [STATUS_LINE[error.status]]
    for name, value in [*default_headers, *fields]:
        head += [name, b": ", value, b"\r\n"]
    return b"".join([*head, b"\r\n", body])
