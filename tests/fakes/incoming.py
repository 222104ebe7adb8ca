"""A file that a client is sending."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence


class MemoryIncomingFile:
    """Gives the chunks, then does what is to happen `at_end`, which may raise.

    With `stalls_after`, so many chunks come and then nothing, until the reader gives up; `stalled` is set then.
    """

    def __init__(
        self,
        chunks: Sequence[bytes],
        *,
        filename: str | None = "harbour.jpg",
        at_end: Callable[[], None] | None = None,
        stalls_after: int | None = None,
    ) -> None:
        self._chunks = chunks
        self.content = b"".join(chunks)
        self._filename = filename
        self._at_end = at_end
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
        if self.chunks_read == self._stalls_after:
            await self._stall()
        if self._at_end is not None:
            self._at_end()

    async def _stall(self) -> None:
        self.stalled.set()
        await asyncio.get_running_loop().create_future()


class MemoryFileToImport:
    """A file whose checksum can be asked for before it is sent."""

    def __init__(self, file: MemoryIncomingFile) -> None:
        self.file = file

    @property
    def filename(self) -> str | None:
        return self.file.filename

    @property
    def size_bytes(self) -> int:
        return len(self.file.content)

    async def checksum(self) -> str:
        return hashlib.sha256(self.file.content).hexdigest()

    def chunks(self) -> AsyncIterator[bytes]:
        return self.file.chunks()
