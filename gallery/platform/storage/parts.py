"""A stream cut into parts, each of which goes out in one request, and their checksums."""

from __future__ import annotations

import asyncio
import hashlib
from base64 import b64encode
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable
from zlib import crc32

from gallery.domain.errors import FileTooLargeError

MAX_PARTS = 10_000
"""How many parts a multipart upload may have (Amazon S3, multipart upload limits)."""

_SLICE_BYTES = 256 * 1024


async def filled_parts(chunks: AsyncIterable[bytes], part_size_bytes: int) -> AsyncGenerator[bytearray, None]:
    """Parts of exactly the given size, and a last one that may be smaller. An empty stream is one empty part.

    A part is given away: it is not changed any more.

    Raises:
        FileTooLargeError: if the stream is longer than a multipart upload may be.
    """
    count = 0
    part = bytearray()
    async for chunk in chunks:
        rest = memoryview(chunk)
        while len(rest) >= (room := part_size_bytes - len(part)):
            part += rest[:room]
            rest = rest[room:]
            yield part
            count += 1
            part = bytearray()
        if rest and count == MAX_PARTS:
            raise FileTooLargeError(MAX_PARTS * part_size_bytes)
        part += rest
    if part or not count:
        yield part


class PartBody:
    """The body of one request: what botocore and aiohttp need to know of a file, over bytes in memory.

    Unlike a BytesIO it gives views in place of copies, and every attempt to send it has a position of its own: when
    a store answers early, the attempt that it cut off may still be reading while the next one starts.
    """

    def __init__(self, data: bytearray, on_progress: Callable[[], None]) -> None:
        self._data = data
        self._on_progress = on_progress

    def __len__(self) -> int:
        return len(self._data)

    async def __aiter__(self) -> AsyncIterator[memoryview]:
        view = memoryview(self._data)
        for start in range(0, len(view), _SLICE_BYTES):
            self._on_progress()
            yield view[start : start + _SLICE_BYTES]

    def read(self, _size: int = -1) -> bytes:
        """Everything. botocore takes a body for a file if it can be read, and sends it by iterating."""
        return bytes(self._data)

    def seek(self, _offset: int, _whence: int = 0) -> int:
        """Nothing to do: botocore rewinds before it tries again, and each attempt begins at the start."""
        return 0

    def tell(self) -> int:
        """The start."""
        return 0


class Digests:
    """The checksums of an object: CRC-32 of each part, SHA-256 and size of the whole.

    Both are computed in a thread: hashing a part takes longer than sending it, and hashlib and zlib let the event
    loop run meanwhile.
    """

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self._turn = asyncio.Lock()
        self.size_bytes = 0

    async def add(self, part: bytearray) -> str:
        """The CRC-32 of the next part in base64, as S3 takes it. Parts are taken in the order of the calls."""
        async with self._turn:  # wakes in the order of asking
            return await asyncio.to_thread(self._update, part)

    def sha256(self) -> str:
        """The SHA-256 of all parts so far in lower-case hexadecimal."""
        return self._sha256.hexdigest()

    def _update(self, part: bytearray) -> str:
        self._sha256.update(part)
        self.size_bytes += len(part)
        return b64encode(crc32(part).to_bytes(4, "big")).decode("ascii")
