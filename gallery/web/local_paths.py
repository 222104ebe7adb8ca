"""Paths to which somebody is sent on: on the gallery's own host, whatever a link to the gallery says."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from gallery.web.paths import GRAPHQL_PATH

_LOCAL: Final = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]{0,2000}")
"""One slash, then no slash or backslash, which browsers take for one: two name a host. No blanks, no backslash."""


def prefix_of(connection: HTTPConnection) -> str:
    """The prefix under which a reverse proxy shows the gallery."""
    return str(connection.scope.get("root_path", "")).rstrip("/")


def local_path(text: str | None, connection: HTTPConnection) -> str:
    """The path, or that of GraphiQL in place of one that leads anywhere else."""
    if text and _LOCAL.fullmatch(text):
        parts = urlsplit(text)
        if not parts.scheme and not parts.netloc:
            return text
    return f"{prefix_of(connection)}{GRAPHQL_PATH}"
