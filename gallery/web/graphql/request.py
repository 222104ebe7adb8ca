"""What a request asks for: its parameters, wherever in the request they stand (GraphQL over HTTP, "Request")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, NoReturn

import orjson
from multipart import parse_options_header
from starlette.datastructures import Headers

from gallery.web.errors import RequestCode, RequestError

CSRF_HEADERS = ("Apollo-Require-Preflight", "X-Apollo-Operation-Name", "X-GraphQL-CSRF")
"""Any of these shows that a request was not sent by a form or a link of another site: it takes a CORS preflight."""

IDEMPOTENCY_HEADER = "Idempotency-Key"
"""https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/"""

JSON = "application/json"
MULTIPART = "multipart/form-data"

PERSISTED_QUERY = "persistedQuery"
"""The extension in which a request names its document by a hash (`persisted.py`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """What to execute. `query` is empty if the request names its document instead of sending it."""

    query: str
    operation_name: str | None
    variables: dict[str, Any]
    extensions: dict[str, Any]
    document_id: str | None = None


def parameters_of(content: object) -> Parameters:
    """The parameters in the JSON of a request.

    Raises:
        RequestError: BAD_REQUEST if one is missing or of a wrong type.
    """
    if isinstance(content, list):
        _refuse("Batches are not taken. Send each operation as a request of its own.")
    if not isinstance(content, dict):
        _refuse('The request is not a JSON object such as {"query": "{ stats { imageCount } }"}.')
    query, extensions = _string(content, "query"), _json_object(content, "extensions")
    document_id = _string(content, "documentId") or None
    if not query.strip() and document_id is None and extensions.get(PERSISTED_QUERY) is None:
        _refuse("The request has no `query`: a string that holds a GraphQL document.")
    if document_id is not None and (query.strip() or extensions.get(PERSISTED_QUERY) is not None):
        _refuse("The request has a `documentId` and names another document as well. Send one of them.")
    return Parameters(
        query=query,
        operation_name=_string(content, "operationName") or None,
        variables=_json_object(content, "variables"),
        extensions=extensions,
        document_id=document_id,
    )


def parameters_in_json(body: bytes) -> Parameters:
    """The parameters in the body of a request.

    Raises:
        RequestError: INVALID_JSON, or BAD_REQUEST if a parameter is missing or of a wrong type.
    """
    return parameters_of(_parse_json(body, "The request"))


def parameters_in_url(fields: Mapping[str, str]) -> Parameters:
    """The parameters in the query string of a GET request, where objects are written as JSON.

    Raises:
        RequestError: INVALID_JSON, or BAD_REQUEST if a parameter is missing or of a wrong type.
    """
    content: dict[str, object] = {name: fields.get(name) for name in ("query", "operationName", "documentId")}
    for name in ("variables", "extensions"):
        text = fields.get(name)
        content[name] = _parse_json(text.encode(), f"`{name}`") if text else None
    return parameters_of(content)


def require_content_type(headers: Headers) -> str:
    """The media type of a body, JSON or MULTIPART.

    Raises:
        RequestError: UNSUPPORTED_MEDIA_TYPE if it is another one, not in UTF-8, or compressed.
    """
    content_type, encoding = headers.get("content-type", ""), headers.get("content-encoding", "identity")
    if content_type == JSON and encoding == "identity":
        return JSON
    media_type, options = parse_options_header(content_type)
    charset = options.get("charset", "utf-8").lower()
    encoding = encoding.strip().lower()
    if media_type not in {JSON, MULTIPART} or charset not in {"utf-8", "utf8"} or encoding != "identity":
        message = f"Requests are {JSON}, or {MULTIPART} if they carry files; in UTF-8 and not compressed."
        raise RequestError(RequestCode.UNSUPPORTED_MEDIA_TYPE, message, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    return str(media_type)


def require_csrf_header(headers: Headers) -> None:
    """Passes a request that no other site can have made a browser send.

    Raises:
        RequestError: CSRF_HEADER_MISSING.
    """
    if not any(name in headers for name in CSRF_HEADERS):
        first, second, third = CSRF_HEADERS
        message = (
            "GET and multipart requests need a header that shows that no other site made your browser send them. "
            f'Send "{first}: 1"; {second} and {third} do as well, with any value.'
        )
        raise RequestError(RequestCode.CSRF_HEADER_MISSING, message)


def _string(content: dict[str, Any], name: str) -> str:
    value = content.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        _refuse(f"`{name}` is not a string.")
    return value


def _json_object(content: dict[str, Any], name: str) -> dict[str, Any]:
    value = content.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        _refuse(f"`{name}` is not a JSON object.")
    return value


def _parse_json(text: bytes, what: str) -> object:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        message = f"{what} is not JSON: {error}."
        raise RequestError(RequestCode.INVALID_JSON, message) from error


def _refuse(message: str) -> NoReturn:
    raise RequestError(RequestCode.BAD_REQUEST, message)
