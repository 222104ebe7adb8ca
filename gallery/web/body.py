"""The body of a request, read as it arrives. Nothing else in the gallery receives from the client."""

from __future__ import annotations

from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.types import Receive, Scope

from gallery.web.errors import RequestCode, RequestError


class ClientDisconnectedError(RequestError):
    """The client went away before its request was complete. Nobody is left to be told."""

    def __init__(self) -> None:
        super().__init__(RequestCode.CLIENT_DISCONNECTED, "The client went away before its request was complete.")


class RequestBody:
    """The body of one request. It is read once, by one task at a time."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._receive = receive
        self._awaits_go_ahead = Headers(scope=scope).get("expect", "").lower() == "100-continue"
        self._allowed_bytes: int | None = None
        self.received_bytes = 0
        self.is_complete = False

    @property
    def is_held_back(self) -> bool:
        """Whether the client waits for a go-ahead before it sends anything (RFC 9110, 10.1.1)."""
        return self._awaits_go_ahead

    async def read(self) -> bytes:
        """The next bytes; empty at the end, or once all is read that `allow` allows.

        Raises:
            ClientDisconnectedError: if the client goes away first.
        """
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

    async def read_all(self, limit_bytes: int) -> bytes:
        """The whole body.

        Raises:
            RequestError: REQUEST_TOO_LARGE, as soon as more than the limit has arrived.
            ClientDisconnectedError: if the client goes away first.
        """
        chunks: list[bytes] = []
        while chunk := await self.read():
            if self.received_bytes > limit_bytes:
                message = f"The request is larger than the limit of {limit_bytes:,} bytes. Send files as multipart."
                raise RequestError(RequestCode.REQUEST_TOO_LARGE, message, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            chunks.append(chunk)
        return b"".join(chunks)

    def allow(self, more_bytes: int) -> None:
        """Lets no more than about so many further bytes be read."""
        self._allowed_bytes = self.received_bytes + more_bytes

    async def drain(self, limit_bytes: int) -> None:
        """Reads what is left, up to a limit, and forgets it.

        Several clients look for the answer only after they have sent everything.

        Raises:
            ClientDisconnectedError: if the client goes away first.
        """
        if self._awaits_go_ahead:
            return
        self.allow(limit_bytes)
        while await self.read():
            pass

    async def wait_for_disconnect(self) -> None:
        """Returns when the client has gone; only for a body that was read to its end."""
        while (await self._receive())["type"] != "http.disconnect":
            pass
