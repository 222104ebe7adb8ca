"""What tells answers apart: the document and its operation, the variables, who asks, and by which address."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from typing import Any, Final

import orjson

from gallery.domain.access import Viewer
from gallery.web.graphql.execution import PreparedOperation

_RELEASE: Final = version("gallery")
"""Another release may say something else of the same data."""


def response_key(
    operation: PreparedOperation, variables: dict[str, Any], viewer: Viewer, base_url: str
) -> bytes | None:
    """The key of an answer to a query; None if the variables are none that JSON has.

    The media type is no part of it: what is kept has the same bytes in all.
    """
    try:
        canonical = orjson.dumps(
            [_RELEASE, viewer.scope, base_url, operation.text_hash.hex(), operation.name, variables],
            option=orjson.OPT_SORT_KEYS,
        )
    except TypeError:
        return None
    return hashlib.sha256(canonical).digest()
