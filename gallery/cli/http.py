"""HTTP as the server speaks it."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from httptools import HttpRequestParser
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

_LENGTH = re.compile(rb"[0-9]{1,18}")


class Http(HttpToolsProtocol):
    """Uvicorn's, with bodies of a known length that pass by the parser: it would copy them, and find nothing in them.

    The parser reads the headers, and of the body what came together with them. The rest is counted. What the event
    loop gives goes to the application as it is, unless it is so little that it is better gathered.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._expected_bytes = 0  # of the body of the latest request; 0 if the parser alone can tell where it ends

    def data_received(self, data: bytes) -> None:
        """Parses data, or takes it for the body that it belongs to."""
        if not self._expected_bytes:
            super().data_received(data)
            return
        self._unset_keepalive_if_required()
        body, rest = data[: self._expected_bytes], data[self._expected_bytes :]
        self._take(body)
        if self._expected_bytes:
            return
        self._renew_parser()
        self.on_message_complete()
        if rest:
            super().data_received(rest)

    def on_headers_complete(self) -> None:
        """Starts the request."""
        super().on_headers_complete()
        self._expected_bytes = self._announced_bytes()

    def on_body(self, body: bytes) -> None:
        """Gathers bytes until the application asks for them."""
        if self._expected_bytes:
            self._expected_bytes -= len(body)
        super().on_body(body)

    def _announced_bytes(self) -> int:
        if self.parser.should_upgrade():
            return 0
        lengths = [value for name, value in self.headers if name == b"content-length"]
        return int(lengths[0]) if len(lengths) == 1 and _LENGTH.fullmatch(lengths[0]) else 0

    def _take(self, body: bytes) -> None:
        cycle = self.cycle
        if len(body) <= HIGH_WATER_LIMIT or cycle.body or cycle.response_complete:
            self.on_body(body)
            return
        self._expected_bytes -= len(body)
        cycle.body = body  # type: ignore[assignment]  # of which `receive` makes bytes: these, without a copy
        self.flow.pause_reading()
        cycle.message_event.set()

    def _renew_parser(self) -> None:
        """Has the next request parsed: the parser at hand still waits for the body that passed it by."""
        self.parser = HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
