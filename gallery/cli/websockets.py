"""WebSockets as the server speaks them."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState

if TYPE_CHECKING:
    from uvicorn._types import ASGISendEvent

_protocol_log = logging.getLogger(__name__)
_protocol_log.setLevel(logging.WARNING)


class WebSockets(WebSocketsSansIOProtocol):
    """Uvicorn's, which pings clients every twenty seconds.

    One that does not answer for as long is cut off at once: uvicorn would first wait until the client has read what was
    sent to it, and such a client reads nothing. What passes is never logged, not even for debugging.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.conn.logger = _protocol_log
        self.conn.debug = False

    async def send(self, message: ASGISendEvent) -> None:
        """Sends as uvicorn does, but takes a refusal with a body for the answer that it is, and logs no error."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body", False):
            self.handshake_complete = True

    def keepalive_timeout(self) -> None:
        """Ends the connection of a client that is silent."""
        super().keepalive_timeout()
        self.transport.abort()
