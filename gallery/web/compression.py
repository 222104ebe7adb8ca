"""Answers in fewer bytes.

A compressed answer tells by its length whether a text that somebody chose also stands elsewhere in it (BREACH,
https://breachattack.com): with enough requests a page elsewhere could so guess a secret beside its own words. It would
need a browser to send those requests in its reader's name, and the gallery takes none that a page of another origin can
have sent: those by GET or as multipart need a header, JSON needs a preflight (`graphql/request.py`).
"""

from __future__ import annotations

from typing import Final

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette_compress import CompressMiddleware, add_compress_type, remove_compress_type

from gallery.web.graphql.negotiation import MediaType

MINIMUM_BYTES: Final = 1000
"""Below this an answer fits into one packet, compressed or not."""

IDENTITY: Final = ""
"""No coding at all."""

_IS_PASSED_BY: Final = "gallery.not_compressed"
"""In the scope of a request that takes no coding."""
_LONGEST_KEPT_FIELD: Final = 256
_KEPT_FIELDS: Final = 1000


def compressed(app: ASGIApp) -> ASGIApp:
    """The application, whose whole answers are compressed; streams of events pass as they are, one by one.

    Requests that take no coding are left to it, which says by `vary_by_coding` that others might get another answer.
    """
    add_compress_type(MediaType.GRAPHQL)
    remove_compress_type(MediaType.EVENTS)
    return _Compressed(app)


class _Compressed:
    """What compresses the answers of an application, and costs nothing where none can be compressed."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._compressing = CompressMiddleware(app, minimum_size=MINIMUM_BYTES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request (ASGI)."""
        if scope["type"] == "http" and not any(name == b"accept-encoding" for name, _ in scope["headers"]):
            scope[_IS_PASSED_BY] = True
            await self._app(scope, receive, send)
        else:
            await self._compressing(scope, receive, send)


def vary_by_coding(scope: Scope, response: Response) -> None:
    """Says of an answer that was passed by, and is long enough, that others might get it compressed."""
    body = getattr(response, "body", b"")
    if _IS_PASSED_BY in scope and len(body) >= MINIMUM_BYTES:
        response.headers.add_vary_header("Accept-Encoding")


class Codings:
    """Compresses bytes that are kept, just as `compressed` would if they were sent."""

    def __init__(self, *, enabled: bool = True) -> None:
        self.enabled = enabled
        self._chosen: dict[bytes, str] = {}

    async def choose(self, accept_encoding: bytes, size_bytes: int) -> str:
        """The coding for a body of this size, by the field `Accept-Encoding`."""
        if not self.enabled or not accept_encoding or size_bytes < MINIMUM_BYTES:
            return IDENTITY
        coding = self._chosen.get(accept_encoding)
        if coding is None:
            coding, _ = await self._run(bytes(MINIMUM_BYTES), accept_encoding)
            if len(self._chosen) >= _KEPT_FIELDS:
                self._chosen.clear()
            if len(accept_encoding) <= _LONGEST_KEPT_FIELD:
                self._chosen[accept_encoding] = coding
        return coding

    def known(self, accept_encoding: bytes, size_bytes: int) -> str | None:
        """The same, if it was chosen before."""
        if not self.enabled or not accept_encoding or size_bytes < MINIMUM_BYTES:
            return IDENTITY
        return self._chosen.get(accept_encoding)

    async def encode(self, body: bytes, coding: str) -> bytes:
        """The body in a coding."""
        _, encoded = await self._run(body, coding.encode())
        return encoded

    async def _run(self, body: bytes, accept_encoding: bytes) -> tuple[str, bytes]:
        """What the middleware makes of an answer."""
        coding, chunks = IDENTITY, []

        async def answer(_scope: Scope, _receive: Receive, send: Send) -> None:
            headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": body})

        async def take(message: Message) -> None:
            nonlocal coding
            if message["type"] == "http.response.start":
                coding = dict(message["headers"]).get(b"content-encoding", b"").decode()
            else:
                chunks.append(message.get("body", b""))

        scope = {"type": "http", "headers": [(b"accept-encoding", accept_encoding)]}
        await compressed(answer)(scope, _receive_nothing, take)
        return coding, b"".join(chunks)


async def _receive_nothing() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}
