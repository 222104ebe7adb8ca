"""Files as a client sends them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Protocol

import filetype

from gallery.domain.errors import NotAnImageError, UnsupportedTypeError, UploadInterruptedError
from gallery.domain.images import ContentType

CHUNK_BYTES = 256 * 1024
_HEAD_BYTES = 4096
_SHORTER = "it has become shorter"
_CHANGED = "it was changed while it was sent"
_SAME_FILE_FORMAT = {"image/apng": ContentType.PNG}


class SourceFile(Protocol):
    """A file to send."""

    @property
    def path(self) -> Path:
        """Where it is."""
        ...

    @property
    def filename(self) -> str:
        """The name without its folder."""
        ...

    @property
    def size_bytes(self) -> int:
        """The size when the file was found."""
        ...

    async def checksum(self) -> str:
        """The SHA-256 of the bytes in lower-case hexadecimal.

        Raises:
            UploadInterruptedError: if the file cannot be read.
        """
        ...


class Meter:
    """Says how many bytes of one file are done with. Every file ends with all of them."""

    def __init__(self, total_bytes: int, tell: Callable[[int], None]) -> None:
        self._total_bytes = total_bytes
        self._done_bytes = 0
        self._tell = tell

    def count(self, size_bytes: int) -> None:
        """So many more; fewer than none if they were lost on the way."""
        self._done_bytes += size_bytes
        self._tell(size_bytes)

    def start_at(self, done_bytes: int) -> None:
        """So many are there already."""
        self.count(done_bytes - self._done_bytes)

    def finish(self) -> None:
        """Nothing more is to be sent, whether all was or none."""
        self.start_at(self._total_bytes)


class FileRange:
    """Bytes of a file as the body of a request. May be iterated again and again, each time from the start.

    `failure` is why it could not be read, since HTTP clients put an error of their own in its place. `on_chunk` is
    called whenever the other side has taken some of it.
    """

    def __init__(self, file: SourceFile, first_byte: int, size_bytes: int, sent: Callable[[int], None]) -> None:
        self.size_bytes = size_bytes
        self.failure: UploadInterruptedError | None = None
        self.on_chunk: Callable[[], None] = lambda: None
        self._path = file.path
        self._first_byte = first_byte
        self._sent = sent
        self._sent_bytes = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The bytes; those counted before are taken back.

        Raises:
            UploadInterruptedError: if the file cannot be read, or has become shorter.
        """
        self.take_back()
        end, position, version = self._first_byte + self.size_bytes, self._first_byte, None
        try:
            while position < end:
                size_bytes = min(end - position, CHUNK_BYTES)
                chunk, its_version = await asyncio.to_thread(_read, self._path, position, size_bytes)
                if not chunk:
                    raise self._failed(_SHORTER)
                if version not in {None, its_version}:
                    raise self._failed(_CHANGED)
                version = its_version
                position += len(chunk)
                yield chunk
                self._sent_bytes += len(chunk)
                self._sent(len(chunk))
                self.on_chunk()
        except OSError as error:
            raise self._failed(error.strerror) from error

    def take_back(self) -> None:
        """Says of the bytes sent so far that they did not arrive."""
        self._sent(-self._sent_bytes)
        self._sent_bytes = 0

    def _failed(self, reason: str | None) -> UploadInterruptedError:
        self.failure = _unreadable(reason)
        return self.failure


async def content_type_of(file: SourceFile) -> ContentType:
    """The type of an image by its first bytes.

    Raises:
        NotAnImageError: if no image begins so.
        UnsupportedTypeError: if it is an image of a type that the gallery does not take.
        UploadInterruptedError: if the file cannot be read.
    """
    try:
        head, _ = await asyncio.to_thread(_read, file.path, 0, _HEAD_BYTES)
    except OSError as error:
        raise _unreadable(error.strerror) from error
    match = filetype.image_match(head)
    if match is None:
        raise NotAnImageError
    try:
        return _SAME_FILE_FORMAT.get(match.mime) or ContentType(match.mime)
    except ValueError:
        raise UnsupportedTypeError(match.mime) from None


def _read(path: Path, first_byte: int, size_bytes: int) -> tuple[bytes, tuple[int, int]]:
    """Some bytes of a file, and what is different if the file is another or has changed.

    It is opened for them alone: whoever is cut off meanwhile leaves nothing open.
    """
    with path.open("rb") as file:
        file.seek(first_byte)
        status = os.fstat(file.fileno())
        return file.read(size_bytes), (status.st_ino, status.st_mtime_ns)


def _unreadable(reason: str | None) -> UploadInterruptedError:
    return UploadInterruptedError(f"The file cannot be read: {reason}.")
