"""Under which name a browser saves a file (RFC 6266)."""

from __future__ import annotations

import re
from urllib.parse import quote

_UNSAFE = re.compile(r"[^A-Za-z0-9 !#$&'()+,.=@^_`{}~-]")
"""What is not ASCII, and what browsers read differently in a quoted name: quotes, backslashes, percent signs and
separators (RFC 6266, appendix D)."""


def inline(filename: str) -> str:
    """The value of a `Content-Disposition` field for a file to be shown, and saved under this name.

    A name that is not plain is sent twice: plain for old clients, and whole in UTF-8 (RFC 8187).
    """
    plain = _UNSAFE.sub("_", filename)
    if plain == filename:
        return f'inline; filename="{plain}"'
    return f"inline; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='', errors='replace')}"
