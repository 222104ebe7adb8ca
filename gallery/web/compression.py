"""Answers in fewer bytes.

A compressed answer tells by its length whether a text that somebody chose also stands elsewhere in it (BREACH,
https://breachattack.com): with enough requests a page elsewhere could so guess a secret beside its own words. It would
need a browser to send those requests in its reader's name, and the gallery takes none that a page of another origin can
have sent: those by GET or as multipart need a header, JSON needs a preflight (`graphql/request.py`).
"""

from __future__ import annotations

from typing import Final

from starlette.types import ASGIApp
from starlette_compress import CompressMiddleware, add_compress_type, remove_compress_type

from gallery.web.graphql.negotiation import MediaType

MINIMUM_BYTES: Final = 1000
"""Below this an answer fits into one packet, compressed or not."""


def compressed(app: ASGIApp) -> ASGIApp:
    """The application, whose whole answers are compressed; streams of events pass as they are, one by one."""
    add_compress_type(MediaType.GRAPHQL)
    remove_compress_type(MediaType.EVENTS)
    return CompressMiddleware(app, minimum_size=MINIMUM_BYTES)
