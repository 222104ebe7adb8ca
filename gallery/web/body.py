"""The body of a request, read as it arrives. Nothing else in the gallery receives from the client."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from http import HTTPStatus

from starlette.types import Receive, Scope

from gallery.settings import UploadSettings
from gallery.web.errors import RequestCode, RequestError

_LENGTH = re.compile("[0-9]{1,18}", re.ASCII)


class ClientDisconnectedError(RequestError):
    """The client went away before its request was complete. Nobody is left to be told."""

    def __init__(self) -> None:
        super().__init__(RequestCode.CLIENT_DISCONNECTED, "The client went away before its request was complete.")


class RequestStalledError(RequestError):
    """The client is there, but sends nothing."""

    def __init__(self, seconds: float) -> None:
        message = f"Nothing of the request arrived for {seconds:g} seconds. Send it again."
        super().__init__(RequestCode.REQUEST_STALLED, message, HTTPStatus.REQUEST_TIMEOUT)


class RequestTooLargeError(RequestError):
    """The body is larger than a limit. What to do about it may follow the first sentence."""

    def __init__(self, limit_bytes: int, advice: str = "") -> None:
        message = f"The request is larger than the limit of {limit_bytes:,} bytes. {advice}".rstrip()
        super().__init__(RequestCode.REQUEST_TOO_LARGE, message, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)


class RequestBody:
    """The body of one request. It is read once, by one task at a time."""

    def __init__(self, scope: Scope, receive: Receive, limits: UploadSettings) -> None:
        fields: dict[bytes, bytes] = dict(reversed(list(scope["headers"])))  # of several the first counts, as elsewhere
        length = fields.get(b"content-length", b"").decode("latin-1")
        self._receive = receive
        self._limits = limits
        self._awaits_go_ahead = fields.get(b"expect", b"").lower() == b"100-continue"
        self._allowed_bytes: int | None = None
        self.announced_bytes = int(length) if _LENGTH.fullmatch(length) else None
        self.received_bytes = 0
        self.is_complete = False
        self.has_stalled = False

    @property
    def is_held_back(self) -> bool:
        """Whether the client waits for a go-ahead before it sends anything (RFC 9110, 10.1.1)."""
        return self._awaits_go_ahead

    def check_announced_size(self) -> None:
        """Passes a body that is not known to be too large before any of it is read.

        Raises:
            RequestTooLargeError: if the client announces more than the limit.
        """
        if self.announced_bytes is not None and self.announced_bytes > self._limits.max_request_size:
            raise RequestTooLargeError(self._limits.max_request_size)

    async def read(self) -> bytes:
        """The next bytes; empty at the end, or once all is read that `allow` allows.

        Raises:
            ClientDisconnectedError: if the client goes away first.
            RequestStalledError: if it sends nothing for too long. Time counts while this waits, and never between
                two calls: whoever is slow to ask for more does not make the client late.
            RequestTooLargeError: once more than the limit has arrived, after all bytes within it: what becomes of
                them does not depend on the pieces in which they came.
        """
        limit = self._limits.max_request_size
        if self.received_bytes <= limit:
            chunk = await self._next_chunk()
            allowed = chunk[: len(chunk) - max(0, self.received_bytes - limit)]
            if allowed or not chunk:
                return allowed
        raise RequestTooLargeError(limit)

    async def read_all(self, limit_bytes: int) -> bytes:
        """The whole body.

        Raises:
            RequestTooLargeError: as soon as more than either limit has arrived.
            RequestStalledError: if the client sends nothing for too long.
            ClientDisconnectedError: if the client goes away first.
        """
        chunks: list[bytes] = []
        while chunk := await self.read():
            if self.received_bytes > limit_bytes:
                raise RequestTooLargeError(limit_bytes, "Send files as multipart.")
            chunks.append(chunk)
            if self.is_complete:
                break
        return b"".join(chunks)

    def allow(self, more_bytes: int) -> None:
        """Lets no more than about so many further bytes be read."""
        self._allowed_bytes = self.received_bytes + more_bytes

    async def drain(self, limit_bytes: int) -> None:
        """Reads what is left, up to a limit or until nothing comes, and forgets it.

        Several clients look for the answer only after they have sent everything.

        Raises:
            ClientDisconnectedError: if the client goes away first.
        """
        if self._awaits_go_ahead or self.has_stalled:
            return
        self.allow(limit_bytes)
        with suppress(RequestStalledError):
            while await self._next_chunk():
                pass

    async def wait_for_disconnect(self) -> None:
        """Returns when the client has gone; only for a body that was read to its end."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _next_chunk(self) -> bytes:
        if self.is_complete:
            return b""
        try:
            async with asyncio.timeout(self._limits.progress_timeout_seconds):
                return await self._receive_chunk()
        except TimeoutError:
            self.has_stalled = True
            raise RequestStalledError(self._limits.progress_timeout_seconds) from None

    async def _receive_chunk(self) -> bytes:
        while not self.is_complete and (self._allowed_bytes is None or self.received_bytes < self._allowed_bytes):
            self._awaits_go_ahead = False  # receiving is what makes the server send it
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnectedError
            chunk: bytes = message.get("body", b"")
            self.is_complete = not message.get("more_body", False)
            self.received_bytes += len(chunk)
            if chunk:
                return chunk
        return b""
