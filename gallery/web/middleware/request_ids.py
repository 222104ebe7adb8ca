"""A name for every request: in its answer, in its log lines, and in the error that a user reports."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable
from typing import Final

from starlette.types import Scope

REQUEST_ID_HEADER: Final = "X-Request-ID"

_FIELD: Final = REQUEST_ID_HEADER.lower().encode()
_WELL_FORMED = re.compile(rb"[A-Za-z0-9._=+/-]{1,128}")
_NANOSECONDS_IN_MILLISECOND: Final = 1_000_000

HeaderFields = Iterable[tuple[bytes, bytes]]


def new_request_id() -> str:
    """Milliseconds and 80 random bits, in 32 hexadecimal digits: ids sort by time, and are cheaper than a UUID."""
    return f"{time.time_ns() // _NANOSECONDS_IN_MILLISECOND:012x}{os.urandom(10).hex()}"


def request_id_for(scope: Scope) -> str:
    """The id that a proxy or client sent if it is well-formed, else a new one."""
    for name, value in scope["headers"]:
        if name == _FIELD:
            return value.decode("ascii") if _WELL_FORMED.fullmatch(value) else new_request_id()
    return new_request_id()


def has_request_id(scope: Scope) -> bool:
    """Whether a proxy or client sent one."""
    return any(name == _FIELD for name, _ in scope["headers"])


def with_request_id(headers: HeaderFields, request_id: str) -> list[tuple[bytes, bytes]]:
    """The headers of an answer with the id of its request."""
    fields = [field for field in headers if field[0] != _FIELD]
    fields.append(request_id_field(request_id))
    return fields


def request_id_field(request_id: str) -> tuple[bytes, bytes]:
    """The field of an answer that holds the id of its request."""
    return _FIELD, request_id.encode()


def request_id_of(scope: Scope) -> str:
    """The id of the request, empty outside the middleware."""
    request_id: str = scope.get("state", {}).get("request_id", "")
    return request_id
