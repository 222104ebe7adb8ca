"""A file that is read while it arrives: a short queue between the request's body and the reader."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

from gallery.domain.errors import GalleryError, UploadInterruptedError

T = TypeVar("T")


class IncomingUpload:
    """A file of a multipart request; the domain's `IncomingFile`.

    One side puts bytes in as they arrive, the other takes them out. Whatever goes wrong on the first side is raised
    on the second, at once: bytes that still wait in the queue are dropped. A file that was not read to its end never
    looks like one that was.
    """

    def __init__(self, on_progress: Callable[[], None]) -> None:
        """Takes a callback that is told whenever there may be more room in the queue."""
        self._on_progress = on_progress
        self._queue: deque[bytes] = deque()
        self._news = asyncio.Event()
        self._error: GalleryError | None = None
        self._is_complete = False
        self._is_read = False
        self._use: asyncio.Task[Any] | None = None  # each caller of `once` knows what its own use gives
        self.filename: str | None = None
        self.unread_bytes = 0
        self.has_begun = False
        self.is_claimed = False  # whether somebody reads it, or will before doing anything else with the request

    # Reading

    async def once(self, use: Callable[[], Awaitable[T]]) -> T:
        """What a use of the file gives; the file is let go afterwards.

        A file may stand in several variables. The first call uses it, and the others get the same result, or the
        same error.
        """
        if self._use is None:
            self._claim()
            self._use = asyncio.create_task(self._used(use))
        result: T = await self._use
        return result

    async def chunks(self) -> AsyncIterator[bytes]:
        """The bytes as they arrive. Can be iterated once.

        Raises:
            UploadInterruptedError: if the client goes away, or the operation ends, before the end of the file.
            InvalidInputError: FILE_MISSING if the body ends without the file; UPLOAD_ORDER if the operation waits
                for it while a file before it is not read.
        """
        if self._is_read:
            message = "a file can be read once"
            raise RuntimeError(message)
        self._is_read = True
        self._claim()
        try:
            while chunk := await self._next_chunk():
                yield chunk
        finally:
            self.release()

    @property
    def is_awaited(self) -> bool:
        """Whether a reader waits for the file to begin."""
        return self._is_read and not self.has_begun and self._error is None

    def release(self) -> None:
        """Says that nobody reads on: what is unread, or still arrives, is thrown away."""
        if self._queue or not self._is_complete:
            self.fail(UploadInterruptedError())

    # Arriving

    def begin(self, filename: str | None) -> None:
        """Says that the file is next in the body."""
        self.has_begun = True
        self.filename = filename

    def put(self, chunk: bytes) -> None:
        """Adds bytes, unless nobody will read them."""
        if self._error is None:
            self._queue.append(chunk)
            self.unread_bytes += len(chunk)
            self._news.set()

    def complete(self) -> None:
        """Says that the file has arrived whole. Nothing can go wrong with it any more."""
        self._is_complete = True
        self._news.set()

    def fail(self, error: GalleryError) -> None:
        """Makes the reader fail, now or when it comes. The first error counts."""
        if self._error is None:
            self._error = error
        self._queue.clear()
        self.unread_bytes = 0
        self._news.set()
        self._on_progress()

    @property
    def is_complete(self) -> bool:
        """Whether the file has arrived whole."""
        return self._is_complete

    def _claim(self) -> None:
        self.is_claimed = True
        self._on_progress()

    async def _used(self, use: Callable[[], Awaitable[T]]) -> T:
        try:
            return await use()
        finally:
            self.release()

    async def _next_chunk(self) -> bytes:
        """The next bytes; empty at the end."""
        while not self._queue:
            if self._error is not None:
                raise self._error
            if self._is_complete:
                return b""
            self._news.clear()
            await self._news.wait()
        chunk = self._queue.popleft()
        self.unread_bytes -= len(chunk)
        self._on_progress()
        return chunk
