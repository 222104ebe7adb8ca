"""The last place where an exception is caught: it is logged once, and the client learns nothing but an id."""

from __future__ import annotations

import logging

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gallery.web.errors import AbortedResponseError, InternalError
from gallery.web.middleware.request_ids import request_id_of
from gallery.web.responses import error_response

log = logging.getLogger(__name__)


class Failures:
    """Answers 500 where nothing was sent yet; otherwise raises, so that the server cuts the connection."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one connection (ASGI).

        Raises:
            AbortedResponseError: if the answer had begun.
        """
        begun = scope["type"] != "http"

        async def send_and_note(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except ClientDisconnect:
            log.info("the client went away")
        except Exception as error:
            log.exception("a request failed")
            if begun:
                raise AbortedResponseError from error
            await error_response(scope, InternalError(request_id_of(scope)))(scope, receive, send)
