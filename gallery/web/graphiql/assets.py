"""The built files of GraphiQL, cached for ever by name and sent compressed to those who take it.

Every name but `LICENSES.txt` carries a hash of its content, so a new build is a new address. Nothing outside
the folder can be asked for: a request is answered only from the list of names read at the start.
"""

import gzip
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final

from anyio import to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gallery.web.etags import names_etag

ASSETS_PATH: Final = "/graphiql/static"

MANIFEST: Final = "manifest.json"

_ONE_YEAR_IMMUTABLE: Final = "public, max-age=31536000, immutable"
_REVALIDATE: Final = "no-cache"
_UNHASHED: Final = frozenset({"LICENSES.txt"})

_CONTENT_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".ttf": "font/ttf",
    ".txt": "text/plain; charset=utf-8",
}

_HEADERS: Final = {
    # A worker's rights come from its own answer, not from the page that starts it.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Vary": "Accept-Encoding",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One asset in one encoding."""

    body: bytes
    etag: str


def static_folder() -> Traversable:
    """Where the build leaves its files."""
    return resources.files("gallery.web.graphiql") / "static"


def graphiql_assets(path: str = ASSETS_PATH) -> Route:
    """The route that serves the assets below `path`; an unknown name is a 404."""
    return Route(f"{path}/{{name}}", _asset, methods=["GET", "HEAD"], name="graphiql-asset")


async def _asset(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _names():
        raise HTTPException(404)
    compressed = _takes_gzip(request.headers.get("accept-encoding", ""))
    variant = await to_thread.run_sync(_variant, name, compressed)
    headers = {
        **_HEADERS,
        "Cache-Control": _REVALIDATE if name in _UNHASHED else _ONE_YEAR_IMMUTABLE,
        "ETag": variant.etag,
    }
    if names_etag(request.headers.get("if-none-match", ""), variant.etag):
        return Response(status_code=304, headers=headers)
    if compressed:
        headers["Content-Encoding"] = "gzip"
    return Response(variant.body, headers=headers, media_type=_content_type(name))


@cache
def _names() -> frozenset[str]:
    return frozenset(entry.name for entry in static_folder().iterdir() if entry.name != MANIFEST)


@cache
def _variant(name: str, compressed: bool) -> Variant:  # noqa: FBT001  # a key of the cache
    body = (static_folder() / name).read_bytes()
    digest = hashlib.sha256(body).hexdigest()[:20]
    if not compressed:
        return Variant(body=body, etag=f'"{digest}"')
    return Variant(body=gzip.compress(body, compresslevel=9, mtime=0), etag=f'"{digest}-gzip"')


def _content_type(name: str) -> str:
    return _CONTENT_TYPES[name[name.rindex(".") :]]


def _takes_gzip(accept_encoding: str) -> bool:
    qualities = dict(_encodings(accept_encoding))
    return qualities.get("gzip", qualities.get("*", 0.0)) > 0


def _encodings(accept_encoding: str) -> Iterator[tuple[str, float]]:
    """The codings of an `Accept-Encoding` field with their weights (RFC 9110, 12.5.3)."""
    for item in accept_encoding.lower().split(","):
        coding, _, parameter = item.partition(";")
        weight = parameter.strip().removeprefix("q=") or "1"
        try:
            yield coding.strip(), float(weight)
        except ValueError:
            yield coding.strip(), 0.0
