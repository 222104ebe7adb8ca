"""The SHA-256 of bytes that pass, counted beside the event loop."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterable, AsyncIterator


class Tally:
    """How many bytes have passed, and their SHA-256."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self.size_bytes = 0

    @property
    def checksum(self) -> str:
        """The SHA-256 of what has passed so far, in lower-case hexadecimal."""
        return self._digest.hexdigest()

    async def counted(self, chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        """The chunks, each counted before it is handed on."""
        async for chunk in chunks:
            await asyncio.to_thread(self._digest.update, chunk)
            self.size_bytes += len(chunk)
            yield chunk


async def checksum_of(chunks: AsyncIterable[bytes]) -> str:
    """The SHA-256 of the bytes in lower-case hexadecimal; they are kept nowhere."""
    tally = Tally()
    async for _ in tally.counted(chunks):
        pass
    return tally.checksum
