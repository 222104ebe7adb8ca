"""GraphQL over WebSocket: the subprotocol graphql-transport-ws.

The protocol, with the codes by which a connection is closed, is at
https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from enum import IntEnum, unique
from typing import Any, Final

import orjson
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketDisconnected

from gallery.web.errors import RequestCode, RequestError, error_body
from gallery.web.graphql.request import Parameters, parameters_of

SUBPROTOCOL: Final = "graphql-transport-ws"

Answer = dict[str, Any]
Execute = Callable[[Parameters], AsyncGenerator[Answer]]
"""The answers to an operation, one after the other. One without `data` says that nothing was executed; it is the last.
"""

Introduce = Callable[[dict[str, Any] | None], Awaitable[None]]
"""Takes the payload of the first message. Raises ClosingError if whoever sends it is not to be talked to."""

GONE: Final = (WebSocketDisconnect, WebSocketDisconnected)
"""What it means to send if the client is gone: the first who notices is told by one, the others by the other."""

_REASON_BYTES: Final = 123
"""How long the reason of a closing may be (RFC 6455, section 5.5)."""


@unique
class CloseCode(IntEnum):
    """Why a connection is closed."""

    GOING_AWAY = 1001
    MESSAGE_TOO_BIG = 1009
    TRY_AGAIN_LATER = 1013
    INVALID_MESSAGE = 4400
    UNAUTHORIZED = 4401
    FORBIDDEN = 4403
    SUBPROTOCOL_NOT_ACCEPTABLE = 4406
    INITIALISATION_TIMEOUT = 4408
    SUBSCRIBER_ALREADY_EXISTS = 4409
    TOO_MANY_INITIALISATION_REQUESTS = 4429


class ClosingError(Exception):
    """The client broke the protocol, or the server stops: the connection is closed."""

    def __init__(self, code: CloseCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason.encode()[:_REASON_BYTES].decode(errors="ignore")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one connection may ask for."""

    init_timeout_seconds: float
    max_message_bytes: int
    max_operations: int


class Connection:
    """A connection whose handshake is done.

    A client that reads slowly is told no more than it reads: each operation waits until its last answer is on its way.
    """

    def __init__(
        self,
        websocket: WebSocket,
        execute: Execute,
        introduce: Introduce,
        limits: Limits,
        *,
        request_id: str,
        stopping: asyncio.Event,
    ) -> None:
        self._websocket = websocket
        self._execute = execute
        self._introduce = introduce
        self._limits = limits
        self._request_id = request_id
        self._stopping = stopping
        self._is_initialised = False
        self._operations: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self) -> None:
        """Answers until the client goes, the server stops, or either has to close the connection."""
        reading = asyncio.create_task(self._read())
        stopped = asyncio.create_task(self._stopping.wait())
        closing: ClosingError | None = ClosingError(CloseCode.GOING_AWAY, "The server stops")
        try:
            await asyncio.wait({reading, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if reading.done():
                closing = reading.result()
        finally:
            for task in (reading, stopped, *self._tasks):
                task.cancel()
            await asyncio.wait({reading, stopped})
            if closing is not None:
                with suppress(*GONE):
                    await self._websocket.close(closing.code, closing.reason)
            if self._tasks:
                await asyncio.wait(self._tasks)

    async def _read(self) -> ClosingError | None:
        """Why the connection is to be closed; None if the client has done so."""
        try:
            async with asyncio.timeout(self._limits.init_timeout_seconds) as until_initialised:
                while True:
                    await self._handle(await self._receive())
                    if self._is_initialised:
                        until_initialised.reschedule(None)
        except TimeoutError:
            return ClosingError(CloseCode.INITIALISATION_TIMEOUT, "Connection initialisation timeout")
        except GONE:
            return None
        except ClosingError as closing:
            return closing

    async def _receive(self) -> dict[str, Any]:
        """The next message, a JSON object.

        Raises:
            ClosingError: if it is none.
            WebSocketDisconnect: if the client goes away.
        """
        event = await self._websocket.receive()
        if event["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(event.get("code", 1005))
        text = event.get("text")
        if text is None:
            raise ClosingError(CloseCode.INVALID_MESSAGE, "Messages are text that holds JSON")
        encoded = text.encode()
        if len(encoded) > self._limits.max_message_bytes:
            reason = f"A message has at most {self._limits.max_message_bytes:,} bytes"
            raise ClosingError(CloseCode.MESSAGE_TOO_BIG, reason)
        try:
            message = orjson.loads(encoded)
        except orjson.JSONDecodeError as error:
            raise ClosingError(CloseCode.INVALID_MESSAGE, "The message is not JSON") from error
        if not isinstance(message, dict):
            raise ClosingError(CloseCode.INVALID_MESSAGE, "The message is not a JSON object")
        return message

    async def _handle(self, message: dict[str, Any]) -> None:
        """Does what a message asks for.

        Raises:
            ClosingError: if it does not suit the protocol.
        """
        match message:
            case {"type": "connection_init"} if _has_payload(message):
                await self._initialise(message.get("payload"))
            case {"type": "ping"} if _has_payload(message):
                await self._send("pong", **({"payload": message["payload"]} if message.get("payload") else {}))
            case {"type": "pong"} if _has_payload(message):
                pass
            case {"type": "subscribe", "id": str(id_), "payload": dict(payload)} if id_:
                await self._subscribe(id_, payload)
            case {"type": "complete", "id": str(id_)} if id_:
                self._complete(id_)
            case _:
                raise ClosingError(CloseCode.INVALID_MESSAGE, f"No such message in {SUBPROTOCOL}")

    async def _initialise(self, payload: dict[str, Any] | None) -> None:
        if self._is_initialised:
            raise ClosingError(CloseCode.TOO_MANY_INITIALISATION_REQUESTS, "Too many initialisation requests")
        await self._introduce(payload)
        self._is_initialised = True
        await self._send("connection_ack")

    async def _subscribe(self, id_: str, payload: dict[str, Any]) -> None:
        if not self._is_initialised:
            raise ClosingError(CloseCode.UNAUTHORIZED, "Unauthorized")
        if id_ in self._operations:
            raise ClosingError(CloseCode.SUBSCRIBER_ALREADY_EXISTS, f"Subscriber for {id_} already exists")
        try:
            parameters = parameters_of(payload)
        except RequestError as error:
            raise ClosingError(CloseCode.INVALID_MESSAGE, error.message) from error
        if len(self._tasks) >= self._limits.max_operations:
            message = f"A connection has at most {self._limits.max_operations:,} operations at once."
            refusal = RequestError(RequestCode.TOO_MANY_OPERATIONS, message)
            await self._send("error", id=id_, payload=error_body(refusal, self._request_id)["errors"])
            return
        task = asyncio.create_task(self._operate(id_, parameters))
        self._operations[id_] = task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _complete(self, id_: str) -> None:
        """Ends an operation, unless it has ended by itself. One that goes on all the same still counts as one."""
        if (task := self._operations.pop(id_, None)) is not None:
            task.cancel()

    async def _operate(self, id_: str, parameters: Parameters) -> None:
        """Sends the answers to an operation. Its id is free again before the last message is sent."""
        try:
            with suppress(*GONE):
                async with aclosing(self._execute(parameters)) as answers:
                    async for answer in answers:
                        if "data" not in answer:
                            self._free(id_)
                            await self._send("error", id=id_, payload=answer["errors"])
                            return
                        await self._send("next", id=id_, payload=answer)
                self._free(id_)
                await self._send("complete", id=id_)
        finally:
            self._free(id_)

    def _free(self, id_: str) -> None:
        """Says that the running operation has this id no more. Another one may have it already."""
        if self._operations.get(id_) is asyncio.current_task():
            del self._operations[id_]

    async def _send(self, type_: str, **fields: Any) -> None:  # noqa: ANN401  # any JSON
        """Sends a message, as soon as the client has read enough of those before.

        Raises:
            WebSocketDisconnect, WebSocketDisconnected: if the client is gone.
        """
        await self._websocket.send_text(orjson.dumps({"type": type_, **fields}).decode())


def _has_payload(message: dict[str, Any]) -> bool:
    """Whether the payload is one: an object, or nothing."""
    return isinstance(message.get("payload"), dict | None)
