"""GraphQL over server-sent events: the "distinct connections mode" of graphql-sse.

The protocol is at https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md: every result is the data of an
event `next`, and the event `complete` ends the stream. A client that has enough closes the connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

KEEP_ALIVE_SECONDS = 12.0
"""How long a stream may be silent before a comment is sent, so that no proxy takes the connection for dead."""

_COMPLETE: Final = b"event: complete\ndata:\n\n"  # without a data field browsers pass over an event
_COMMENT: Final = b":\n\n"
_HEADERS: Final = {"Cache-Control": "no-store", "Vary": "Accept", "X-Accel-Buffering": "no"}
"""The last keeps nginx from collecting events before it passes them on."""


class EventStream(StreamingResponse):
    """An answer of many results, each encoded as JSON. Ends when the client goes away or the server stops.

    Whatever happens, the results are closed before the answer is over.
    """

    def __init__(
        self,
        results: AsyncGenerator[bytes],
        stopping: asyncio.Event,
        *,
        keep_alive_seconds: float = KEEP_ALIVE_SECONDS,
    ) -> None:
        self._events = _events(results, stopping, keep_alive_seconds)
        self._results = results
        super().__init__(self._events, headers=_HEADERS, media_type="text/event-stream")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  # as ASGI has it
        """Streams, and looks out for the client's leaving meanwhile (ASGI)."""
        streaming = asyncio.create_task(self.stream_response(send))
        leaving = asyncio.create_task(_disconnected(receive))
        try:
            await asyncio.wait({streaming, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if streaming.done():
                streaming.result()
        finally:
            for task in (streaming, leaving):
                task.cancel()
            await asyncio.wait({streaming, leaving})
            await self._events.aclose()
            await self._results.aclose()  # those of a stream that did not get to begin


async def only(result: bytes) -> AsyncGenerator[bytes]:
    """The results of an operation that has one."""
    yield result


async def _events(
    results: AsyncGenerator[bytes], stopping: asyncio.Event, keep_alive_seconds: float
) -> AsyncGenerator[bytes]:
    """The stream, piece by piece."""
    stopped = asyncio.create_task(stopping.wait())
    coming = asyncio.create_task(_next(results))
    try:
        while True:
            await asyncio.wait({coming, stopped}, timeout=keep_alive_seconds, return_when=asyncio.FIRST_COMPLETED)
            if coming.done():
                if (result := coming.result()) is None:
                    break
                yield b"event: next\ndata: " + result + b"\n\n"
                coming = asyncio.create_task(_next(results))
            elif stopped.done():
                break
            else:
                yield _COMMENT
        yield _COMPLETE
    finally:
        for task in (stopped, coming):
            task.cancel()
        await asyncio.wait({stopped, coming})
        await results.aclose()


async def _next(results: AsyncGenerator[bytes]) -> bytes | None:
    return await anext(results, None)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
