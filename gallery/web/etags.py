"""Validators of answers, as clients send them back (RFC 9110, section 13.1)."""

from __future__ import annotations

import re

_ETAG = re.compile(r'"[^"]*"')


def names_etag(if_none_match: str, etag: str) -> bool:
    """Whether an `If-None-Match` field names the tag, compared weakly (RFC 9110, section 13.1.2)."""
    return if_none_match.strip() == "*" or etag in _ETAG.findall(if_none_match)
