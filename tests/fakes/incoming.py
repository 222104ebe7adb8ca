"""A file that a client is sending."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence


class MemoryIncomingFile:
    """Gives the chunks; then, if there is one, raises the error.

    With `stalls_after`, so many chunks come and then nothing, until the reader gives up; `stalled` is set then.
    """

    def __init__(
        self,
        chunks: Sequence[bytes],
        *,
        filename: str | None = "harbour.jpg",
        error: BaseException | None = None,
        stalls_after: int | None = None,
    ) -> None:
        self._chunks = chunks
        self._filename = filename
        self._error = error
        self._stalls_after = stalls_after
        self.chunks_read = 0
        self.stalled = asyncio.Event()

    @property
    def filename(self) -> str | None:
        """Not known before the file is read, as in a request."""
        return self._filename if self.chunks_read else None

    async def chunks(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            if self.chunks_read == self._stalls_after:
                await self._stall()
            self.chunks_read += 1
            yield chunk
        if self._error is not None:
            raise self._error

    async def _stall(self) -> None:
        self.stalled.set()
        await asyncio.get_running_loop().create_future()
