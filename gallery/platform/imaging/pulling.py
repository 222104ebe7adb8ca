"""Bytes that arrive in the event loop, read by libvips in a thread as fast as it decodes them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pyvips

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable
    from concurrent.futures import Future


async def in_thread(work: Callable[[], None], stop: Callable[[], None] = lambda: None) -> None:
    """Works in a thread, and is over only when that is: whoever is cancelled tells it to stop and waits."""
    working = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        await asyncio.shield(working)
    except asyncio.CancelledError:
        stop()
        await asyncio.wait([working])
        raise


class PulledBytes:
    """A source of libvips that has chunks as they come. Nothing is read ahead, and nothing is kept."""

    def __init__(self, chunks: AsyncIterable[bytes]) -> None:
        self._chunks = aiter(chunks)
        self._loop = asyncio.get_running_loop()
        self._rest = memoryview(b"")
        self._pending: Future[bytes] | None = None
        self._error: BaseException | None = None
        self._is_stopped = False

    async def used(self, work: Callable[[pyvips.Source], None]) -> None:
        """Gives the source to work that is done in a thread. What the chunks raise goes before what the work does."""
        source = pyvips.SourceCustom()
        source.on_read(self._read)
        try:
            await in_thread(lambda: work(source), self._stop)
        except Exception:
            if self._error is not None:
                raise self._error from None
            raise

    def _read(self, size_bytes: int) -> memoryview | None:
        """What libvips asks for, in a thread of its own. It must not see an error, for it knows none."""
        if not self._rest:
            try:
                self._rest = memoryview(self._next_chunk())
            except BaseException as error:  # noqa: BLE001  # raised where the chunks are used
                self._error = error
                return None
        taken, self._rest = self._rest[:size_bytes], self._rest[size_bytes:]
        return taken or None

    def _next_chunk(self) -> bytes:
        """The next chunk, nothing at the end."""
        if self._is_stopped or self._error is not None:
            return b""
        self._pending = asyncio.run_coroutine_threadsafe(self._from_loop(), self._loop)
        return self._pending.result()

    async def _from_loop(self) -> bytes:
        return await anext(self._chunks, b"")

    def _stop(self) -> None:
        self._is_stopped = True
        if self._pending is not None:
            self._pending.cancel()
