"""Where requests come from."""

from __future__ import annotations

from starlette.types import Scope


def address_of(scope: Scope) -> str:
    """The address of the client, as the server was told it; empty if it was told none."""
    client = scope.get("client")
    return client[0] if client else ""
