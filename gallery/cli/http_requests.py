"""The requests of a connection, parsed as uvicorn does, with fewer copies of their bodies, and within bounds."""

from __future__ import annotations

import asyncio
import re
from typing import Any, cast

from httptools import HttpRequestParser
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.utils import get_remote_addr
from uvicorn.server import ServerState

from gallery.cli.connection_limits import ConnectionLimits, Place, TooManyConnectionsError, probes_alone
from gallery.cli.joined_writes import JoinedWrites
from gallery.cli.pace import Standing, Stood, Turn, unacknowledged_bytes
from gallery.cli.pipelining import PIPELINED_MAX, Flow
from gallery.cli.refusals import (
    HEAD_MAX_BYTES,
    HeadersTooLargeError,
    HeadTimeoutError,
    MalformedRequestError,
    SlowBodyError,
    UpgradeWithBodyError,
    refusal,
)
from gallery.cli.told_refusals import Reason, ToldRefusals
from gallery.settings_connections import ConnectionSettings
from gallery.web.errors import RequestError

_HEAD_PIECE_BYTES = 1024
"""What the parser gets at once: it cannot be stopped within, and so much holds at most some dozens of requests."""
_CHUNKED_PIECE_BYTES = 4096
"""The same inside a chunked body, where a request can only begin behind its end."""
_LAST_REQUEST = b"GET / HTTP/1.0\r\n\r\n"
_LENGTH = re.compile(rb"[0-9]{1,18}")


class Requests(HttpToolsProtocol):
    """Uvicorn's, with bodies of a known length that pass by the parser: it would copy them, and find nothing in them.

    The parser reads the headers, and of the body what came together with them. The rest is counted, and goes to the
    application as it is, unless it comes in small pieces, which are gathered. What a client can make the parser hold
    is bounded: requests that wait for their turn, and a head that does not end.
    """

    flow: Flow

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        limits: ConnectionLimits | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._limits = limits or _ordinary_limits()
        self.stood: Stood | None = None
        self._place = Place.ANY
        self._begun = 0  # requests of this connection, as far as they were parsed
        self._received_bytes = 0
        self._missing_bytes = 0  # of the body at hand; 0 if the parser alone can tell where it ends
        self._unparsed = b""  # came behind as many requests as may wait
        self._piece_bytes = _HEAD_PIECE_BYTES
        self._is_within_message = False
        self._has_head = False  # of the message at hand, whose body is then expected
        self._fruitless_bytes = 0  # parsed since a message, its head, a piece of its body or all of it was found
        self._is_refused = False
        self._passes_over = False  # the rest of what came: it stands behind a request to speak another protocol
        self._running: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begins; head and body of short answers go out together."""
        client = get_remote_addr(transport)
        self._place = self._limits.place(self.connections, client and client[0])
        super().connection_made(cast("asyncio.Transport", JoinedWrites(transport)))
        self.flow = Flow(self.transport)
        if self._place is Place.PROBES_ALONE:
            self.app = probes_alone(self.app)
        elif self._place is Place.NONE:
            self.transport.write(refusal(TooManyConnectionsError(), self.server_state.default_headers))
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tells the request that is being answered, too: uvicorn tells only the last one that was parsed."""
        if self._running is not None and not self._running.response_complete:
            self._running.disconnected = True
            self._running.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parses data, or takes it for the body that it belongs to."""
        self._received_bytes += len(data)
        data, self._unparsed = self._unparsed + data, b""
        if self._missing_bytes and data:
            data = self._pass_by(data)
        self._parse(data)

    def on_message_begin(self) -> None:
        """Counts the bytes of a head from here."""
        self._begun += 1
        self._is_within_message = True
        self._fruitless_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Starts the request."""
        super().on_headers_complete()
        is_upgrade = self.parser.should_upgrade()
        self._missing_bytes = 0 if is_upgrade else _announced_bytes(self.headers)
        if is_upgrade and self._should_upgrade():
            self._check_upgrade()
        self._fruitless_bytes = 0
        self._has_head = True
        self._piece_bytes = _CHUNKED_PIECE_BYTES

    def on_body(self, body: bytes) -> None:
        """Adds bytes to those that the application has not asked for yet."""
        if self._missing_bytes:
            self._missing_bytes -= len(body)
        self._fruitless_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Says that there is no more of the body."""
        self._is_within_message = self._has_head = False
        self._piece_bytes = _HEAD_PIECE_BYTES
        self._passes_over = self.parser.should_upgrade()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Starts the next request; when none waits any more, parses what came behind them."""
        super().on_response_complete()
        if self.flow.is_held and not self.pipeline and not self.transport.is_closing():
            self.flow.let_go()
            self.data_received(b"")

    def handle_websocket_upgrade(self) -> None:
        """Hands the connection on, unless it was refused."""
        if not self._is_refused:
            super().handle_websocket_upgrade()

    @property
    def is_idle(self) -> bool:
        """Whether everything was answered, and nothing of the next request has come."""
        is_busy = self._is_within_message or self.pipeline or self.transport.is_closing()
        return self.timeout_keep_alive_task is not None and not is_busy

    def close_idle(self) -> None:
        """Closes the connection, which is idle."""
        self.transport.close()

    def standing(self) -> Standing | None:
        """What the client is to do; None while it is the gallery's turn, and between two requests."""
        buffered_bytes = self.transport.get_write_buffer_size()
        if buffered_bytes:
            waiting_bytes = buffered_bytes + unacknowledged_bytes(self.transport)
            turn, moved_bytes = Turn.READ_ANSWER, self._written_bytes - waiting_bytes
        elif self.transport.is_closing() or self.flow.read_paused:
            return None
        elif self._is_within_message:
            turn, moved_bytes = (Turn.SEND_BODY if self._has_head else Turn.SEND_HEAD), self._received_bytes
        elif self._awaits_request:
            turn, moved_bytes = Turn.SEND_HEAD, self._received_bytes
        else:
            return None
        return Standing(turn=turn, request_number=self._begun, moved_bytes=moved_bytes)

    def cut(self, turn: Turn) -> None:
        """Ends the connection, whose client is too slow; tells it so if it waits for an answer."""
        if turn is Turn.READ_ANSWER:
            self._tell(Reason.SLOW_READER)
            self.transport.abort()
        elif turn is Turn.SEND_BODY:
            self._refuse(SlowBodyError(), Reason.SLOW_BODY)
        elif self._is_within_message:
            self._refuse(HeadTimeoutError(), Reason.SLOW_HEAD)
        else:
            self._tell(Reason.NO_REQUEST)
            self.transport.close()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  # uvicorn's words
        """Refuses what is no HTTP, in the shape of all refusals."""
        self._tell(Reason.MALFORMED)
        self.transport.write(refusal(MalformedRequestError(), self.server_state.default_headers))
        self.transport.close()

    @property
    def _awaits_request(self) -> bool:
        """Whether the client is to send a request, and nothing else ends the connection if it does not."""
        is_answered = self.cycle is None or self.cycle.response_complete  # type: ignore[redundant-expr]  # first there is none
        return is_answered and self.timeout_keep_alive_task is None

    @property
    def _written_bytes(self) -> int:
        count: int = self.transport.written_bytes  # type: ignore[attr-defined]  # of JoinedWrites
        return count

    def _check_upgrade(self) -> None:
        if _has_body(self.headers):
            self._refuse(UpgradeWithBodyError(), Reason.MALFORMED)
        elif self._place is not Place.ANY:
            self._refuse(TooManyConnectionsError(), None)  # it was told of already

    def _tell(self, reason: Reason) -> None:
        self._limits.refusals.tell(reason)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:  # noqa: ANN401  # as uvicorn has it
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def _parse(self, data: bytes) -> None:
        start = 0
        self._passes_over = False
        while start < len(data) and not self._passes_over and not self.transport.is_closing():
            if len(self.pipeline) >= PIPELINED_MAX:
                self._unparsed = data[start:]
                break
            piece = data[start : start + (self._missing_bytes or self._piece_bytes)]
            start += len(piece)
            self._fruitless_bytes += len(piece)
            super().data_received(piece)
            if self._is_within_message and self._fruitless_bytes > HEAD_MAX_BYTES:
                self._refuse(HeadersTooLargeError(), Reason.HEAD_TOO_LARGE)
        if len(self.pipeline) >= PIPELINED_MAX:
            self.flow.hold()

    def _refuse(self, error: RequestError, reason: Reason | None) -> None:
        """Closes the connection once it has answered: the requests before, too, unless the application has this one."""
        if reason is not None:
            self._tell(reason)
        self._is_refused = True
        if self._has_head:
            is_answered_next = not self.pipeline and not self.cycle.response_started
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        elif self._running is None or self.cycle.response_complete:
            is_answered_next = True
        else:
            self.cycle.keep_alive = False
            self._pass_over_all()
            return
        if is_answered_next:
            self.transport.write(refusal(error, self.server_state.default_headers))
        self.transport.close()

    def _pass_by(self, data: bytes) -> bytes:
        """Takes the body that the parser need not see; what remains stands behind it."""
        self._unset_keepalive_if_required()
        body, rest = data[: self._missing_bytes], data[self._missing_bytes :]
        self._pass_on(body)
        if not self._missing_bytes:
            self._renew_parser()
            self.on_message_complete()
        return rest

    def _pass_on(self, body: bytes) -> None:
        cycle = self.cycle
        if len(body) <= HIGH_WATER_LIMIT or cycle.body or cycle.response_complete:
            self.on_body(body)
            return
        self._missing_bytes -= len(body)
        cycle.body = body  # type: ignore[assignment]  # `receive` makes bytes of it: these, without a copy
        self.flow.pause_reading()
        cycle.message_event.set()

    def _renew_parser(self) -> None:
        """Has the next request parsed: the parser at hand still waits for the body that passed it by."""
        if not self.parser.should_keep_alive():
            self._pass_over_all()  # as the other one would
            return
        self.parser = HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does

    def _pass_over_all(self) -> None:
        """Makes nothing of what comes from now on."""
        self._is_within_message = False
        self.parser = HttpRequestParser(None)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.parser.feed_data(_LAST_REQUEST)


def _ordinary_limits() -> ConnectionLimits:
    return ConnectionLimits(ConnectionSettings(), ToldRefusals())


def _announced_bytes(headers: list[tuple[bytes, bytes]]) -> int:
    """The length of a body that is not chunked; 0 if it has none. The parser has refused requests with two lengths."""
    values = dict(headers)
    length = b"" if b"transfer-encoding" in values else values.get(b"content-length", b"")
    return int(length) if _LENGTH.fullmatch(length) else 0


def _has_body(headers: list[tuple[bytes, bytes]]) -> bool:
    values = dict(headers)
    return b"transfer-encoding" in values or values.get(b"content-length", b"0") != b"0"
