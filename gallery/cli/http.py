"""HTTP as the server speaks it: uvicorn's, with fewer copies of what clients upload, and fewer writes of answers.

What came before in the same bytes may be answered without the parser and the application (ADR 18).
"""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from typing import Any, cast

from starlette.types import Scope
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import STATUS_LINE
from uvicorn.server import ServerState

from gallery.cli.connection_limits import ConnectionLimits, Place
from gallery.cli.http_requests import Requests
from gallery.cli.pace import Standing
from gallery.cli.repetitions import MAX_BYTES, Bytes, Repetitions
from gallery.web.again import MISSED, OFFER, Sendable

_READ_BYTES = 1024 * 1024


class Http(asyncio.BufferedProtocol):
    """The connection of a client: reads up to 1 MiB at a time, and leaves everything else to uvicorn.

    uvloop reads 250 KiB by itself, and what the gallery does with a piece of a file takes as long for a larger one.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        repetitions: Repetitions | None = None,
        limits: ConnectionLimits | None = None,
    ) -> None:
        self._requests = _Requests(
            config, server_state, app_state, _loop, repetitions=repetitions or Repetitions(), limits=limits
        )

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begins."""
        self._requests.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tells the request at hand."""
        self._requests.connection_lost(exc)

    def eof_received(self) -> None:
        """Says that the client sends no more; the connection closes."""
        self._requests.eof_received()

    def pause_writing(self) -> None:
        """Has the application wait: the client reads too slowly."""
        self._requests.pause_writing()

    def resume_writing(self) -> None:
        """Has the application go on."""
        self._requests.resume_writing()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002  # a hint of the event loop's
        """Where to put what is read next."""
        return _lent.memory

    def buffer_updated(self, nbytes: int) -> None:
        """Takes what was read."""
        self._requests.data_received(bytes(_lent.memory[:nbytes]))


class _Lent(threading.local):
    """Memory to read into, lent to one connection of an event loop after the other: what was read is copied at once."""

    def __init__(self) -> None:
        self.memory = memoryview(bytearray(_READ_BYTES))


_lent = _Lent()


class _Requests(Requests):
    """Those of a connection; what came before in one piece, in the same bytes, is answered at once."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        repetitions: Repetitions,
        limits: ConnectionLimits | None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop, limits=limits)
        self._repetitions = repetitions
        self._ended = 0
        self._asking: asyncio.Future[Sendable | None] | None = None  # for the answer to the request at hand
        self._held = b""  # what came meanwhile
        self._is_stopping = False

    def data_received(self, data: bytes) -> None:
        """Answers what has come before in one piece, or has it parsed."""
        if self._asking is not None:
            self._held += data
            if len(self._held) > HIGH_WATER_LIMIT:
                self.flow.pause_reading()
        elif 0 < len(data) <= MAX_BYTES and self._begun == self._ended and not self._unparsed:
            self._take_request(data)
        else:
            super().data_received(data)

    def shutdown(self) -> None:
        """Closes the connection once the request at hand is answered."""
        self._is_stopping = True
        if self._asking is None:
            super().shutdown()

    def on_message_complete(self) -> None:
        """Ends a request; nobody knows where that of another protocol does."""
        super().on_message_complete()
        self._ended += not self.parser.should_upgrade()

    def standing(self) -> Standing | None:
        """As that of all; it is the gallery's turn while the answer is asked for."""
        return None if self._asking is not None else super().standing()

    def _take_request(self, data: bytes) -> None:
        request = self.client and self.client[0], data
        again = self._repetitions.find(request)
        if again is None or not self._takes_more():
            self._have_parsed(request)
        elif again.is_far:
            self._unset_keepalive_if_required()
            self._asking = asyncio.ensure_future(again.later())
            self.tasks.add(self._asking)  # type: ignore[arg-type]  # uvicorn waits for it, whatever it gives
            self._asking.add_done_callback(partial(self._go_on, request))
        else:
            self._answer(request, again.now())

    def _go_on(self, request: Bytes, asking: asyncio.Future[Sendable | None]) -> None:
        """Answers once it is known what, and takes what came meanwhile."""
        self.tasks.discard(asking)
        self._asking = None
        if asking.cancelled():  # the server does not wait any longer
            self.transport.close()
        if self.transport.is_closing():
            return
        self._answer(request, None if asking.exception() else asking.result())
        if self._is_stopping:
            self.shutdown()
        data, self._held = self._held, b""
        if data and not self.transport.is_closing():
            self.data_received(data)

    def _answer(self, request: Bytes, answer: Sendable | None) -> None:
        if answer is None:
            self._repetitions.forget(request)
            self._have_parsed(request, missed=True)
        else:
            self._send(answer)

    def _have_parsed(self, request: Bytes, *, missed: bool = False) -> None:
        """Has a request parsed; if nothing else came with it, the application may have it answered again."""
        begun = self._begun
        super().data_received(request[1])
        if self._begun == self._ended == begun + 1 and self.cycle.keep_alive:
            scope = cast("Scope", self.scope)
            scope[OFFER] = partial(self._repetitions.keep, request)
            scope[MISSED] = missed

    def _takes_more(self) -> bool:
        """Whether everything before was answered, and the client takes more."""
        is_answered = self.cycle is None or self.cycle.response_complete  # type: ignore[redundant-expr]  # first there is none
        return is_answered and not (self.flow.write_paused or self.transport.is_closing()) and self._place is Place.ANY

    def _send(self, answer: Sendable) -> None:
        head = [STATUS_LINE[answer.status]]
        for name, value in self.server_state.default_headers:
            head += [name, b": ", value, b"\r\n"]
        head += [answer.fields, b"\r\n"]
        self.transport.writelines([b"".join(head), answer.body])
        self.on_response_complete()
