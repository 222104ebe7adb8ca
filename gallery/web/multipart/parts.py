"""The parts of a multipart body (RFC 7578), as they arrive."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from http import HTTPStatus
from urllib.parse import unquote

from multipart import (
    MultipartError,
    MultipartSegment,
    ParserLimitReached,
    PushMultipartParser,
    parse_options_header,
)

from gallery.web.body import RequestBody
from gallery.web.errors import RequestCode, RequestError

_EXTENDED_FILENAME = re.compile(r";\s*filename\*\s*=\s*(utf-8|iso-8859-1)'[^']*'([^;\s]+)", re.IGNORECASE)
_QUOTED = re.compile(r'"(?:\\.?|[^"\\])*(?:"|\Z)')
"""A quoted value, in which nothing is a parameter, to its end or that of the header: never looked through twice."""


def parser_for(content_type: str) -> PushMultipartParser:
    """A parser for a body of this type.

    Raises:
        RequestError: INVALID_MULTIPART if the type names no boundary.
    """
    _, options = parse_options_header(content_type)
    try:
        return PushMultipartParser(options.get("boundary", ""), strict=False)
    except MultipartError as error:
        message = "The content type of the request names no valid boundary. Leave that header to your HTTP client."
        raise RequestError(RequestCode.INVALID_MULTIPART, message) from error


async def parts_of(
    body: RequestBody, parser: PushMultipartParser, after_chunk: Callable[[], None]
) -> AsyncIterator[MultipartSegment | bytes | None]:
    """For each part its headers, its bytes, and None at its end. `after_chunk` is called before more is read.

    Ends without an error where the body is read no further than is allowed.

    Raises:
        RequestError: INVALID_MULTIPART if the body is malformed, or ends before its last boundary;
            REQUEST_TOO_LARGE if the headers of a part are.
        ClientDisconnectedError: if the client goes away first.
    """
    try:
        while chunk := await body.read():
            for event in parser.parse(chunk):
                yield event
            after_chunk()
        if body.is_complete:
            parser.close()
    except ParserLimitReached as error:
        message = f"The headers of a part are too large: {error}."
        raise RequestError(RequestCode.REQUEST_TOO_LARGE, message, HTTPStatus.REQUEST_ENTITY_TOO_LARGE) from error
    except MultipartError as error:
        message = f"The multipart body is malformed, or did not arrive whole: {error}."
        raise RequestError(RequestCode.INVALID_MULTIPART, message) from error


def filename_of(part: MultipartSegment) -> str | None:
    """The name of a file, from `filename*` (RFC 5987) if there is one, which the parser passes over."""
    extended = _EXTENDED_FILENAME.search(_QUOTED.sub('""', part.header("Content-Disposition", "")))
    if extended:
        charset, value = extended.groups()
        return unquote(value, encoding=charset, errors="replace")
    filename: str | None = part.filename
    return filename
