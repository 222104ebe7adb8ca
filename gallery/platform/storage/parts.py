"""A stream cut into parts, each of which goes out in one request, and their checksums."""

from __future__ import annotations

import asyncio
import hashlib
from base64 import b64encode
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, mmap

from gallery.domain.errors import FileTooLargeError

try:
    from isal.isal_zlib import crc32
except ImportError:  # pragma: no cover  # where it has no wheel
    from zlib import crc32

MAX_PARTS = 10_000
"""How many parts a multipart upload may have (Amazon S3, multipart upload limits)."""

_SLICE_BYTES = 256 * 1024


class PartBuffers:
    """Memory for parts, used again and again while anything is uploaded, and given back to the system after that.

    Growing and freeing parts of many MiB takes time, and leaves holes in the memory of the process.
    """

    def __init__(self, size_bytes: int, *, spare: int = 1) -> None:
        """Takes the size of a part, and how many may wait for every upload: as many as it has in flight.

        With fewer, memory goes back to the system in the middle of an upload, and comes anew page by page.
        """
        self.size_bytes = size_bytes
        self._spare = spare
        self._free: list[mmap] = []
        self._users = 0

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Keeps buffers for whoever comes next, until nobody is left."""
        self._users += 1
        try:
            yield
        finally:
            self._users -= 1
            del self._free[self._users * self._spare :]

    def empty_part(self) -> Part:
        """A part to be filled."""
        return Part(self, self._free.pop() if self._free else mmap(-1, self.size_bytes, MAP_PRIVATE | MAP_ANONYMOUS))

    def take_back(self, buffer: mmap) -> None:
        """Has a buffer used again. Only so many wait for that as the uploads need, or the busiest hour would stay."""
        if len(self._free) < self._users * self._spare:
            self._free.append(buffer)


class Part:
    """The bytes of one request. Once it is given away it is not changed any more."""

    __slots__ = ("_attempts", "_buffer", "_buffers", "size_bytes")

    def __init__(self, buffers: PartBuffers, buffer: mmap) -> None:
        self._buffers = buffers
        self._buffer = buffer
        self._attempts = 0
        self.size_bytes = 0

    @property
    def view(self) -> memoryview:
        """The bytes."""
        return memoryview(self._buffer)[: self.size_bytes]

    def fill(self, data: memoryview) -> memoryview:
        """Takes as much of the data as there is room for; answers with the rest."""
        taken = data[: self._buffers.size_bytes - self.size_bytes]
        end = self.size_bytes + len(taken)
        self._buffer[self.size_bytes : end] = taken
        self.size_bytes = end
        return data[len(taken) :]

    @property
    def is_full(self) -> bool:
        """Whether it is as large as a part may be."""
        return self.size_bytes == self._buffers.size_bytes

    def begin_attempt(self) -> memoryview:
        """The bytes, for one more attempt to send them."""
        self._attempts += 1
        return self.view

    def sent(self) -> None:
        """Says that the storage has all of it.

        After more than one attempt, the connection of an earlier one may still be reading: then its memory is used
        by nobody else.
        """
        if self._attempts == 1:
            self._buffers.take_back(self._buffer)


async def filled_parts(chunks: AsyncIterable[bytes], buffers: PartBuffers) -> AsyncGenerator[Part, None]:
    """Parts as large as the buffers, and a last one that may be smaller. An empty stream is one empty part.

    Raises:
        FileTooLargeError: if the stream is longer than a multipart upload may be.
    """
    count = 0
    part: Part | None = None
    async for chunk in chunks:
        rest = memoryview(chunk)
        while rest:
            if count == MAX_PARTS:
                raise FileTooLargeError(MAX_PARTS * buffers.size_bytes)
            if part is None:
                part = buffers.empty_part()
            rest = part.fill(rest)
            if part.is_full:
                yield part
                count += 1
                part = None
    if part is not None:
        yield part
    elif not count:
        yield buffers.empty_part()


class PartBody:
    """The body of one request: what botocore and aiohttp need to know of a file, over bytes in memory.

    Unlike a BytesIO it gives views in place of copies, and every attempt to send it has a position of its own: when
    a store answers early, the attempt that it cut off may still be reading while the next one starts.
    """

    def __init__(self, part: Part, on_progress: Callable[[], None]) -> None:
        self._part = part
        self._on_progress = on_progress

    def __len__(self) -> int:
        return self._part.size_bytes

    def __aiter__(self) -> AsyncIterator[memoryview]:
        return self._slices(self._part.begin_attempt())

    async def _slices(self, view: memoryview) -> AsyncIterator[memoryview]:
        for start in range(0, len(view), _SLICE_BYTES):
            self._on_progress()
            yield view[start : start + _SLICE_BYTES]

    def read(self, _size: int = -1) -> bytes:
        """Everything. botocore takes a body for a file if it can be read, and sends it by iterating."""
        return bytes(self._part.view)

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

    async def add(self, part: Part) -> str:
        """The CRC-32 of the next part in base64, as S3 takes it. Parts are taken in the order of the calls."""
        async with self._turn:  # wakes in the order of asking
            return await asyncio.to_thread(self._update, part)

    def sha256(self) -> str:
        """The SHA-256 of all parts so far in lower-case hexadecimal."""
        return self._sha256.hexdigest()

    def _update(self, part: Part) -> str:
        self._sha256.update(part.view)
        self.size_bytes += part.size_bytes
        return b64encode(crc32(part.view).to_bytes(4, "big")).decode("ascii")
