"""Headers that keep browsers from doing with an answer what it is not meant for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_NAMES: Final = frozenset(name for name, _ in _HEADERS)


def with_security_headers(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The headers of an answer with these as well; what the answer says itself stays."""
    fields = list(headers)
    said = _NAMES.intersection(name for name, _ in fields)
    fields.extend(_HEADERS if not said else [field for field in _HEADERS if field[0] not in said])
    return fields
