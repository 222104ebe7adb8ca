"""Files of this machine as uploads take them."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

from gallery.domain.errors import UploadInterruptedError

_CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file of a folder; implements `FileToImport`."""

    path: Path
    size_bytes: int

    @property
    def filename(self) -> str:
        """The name without its folder."""
        return self.path.name

    async def checksum(self) -> str:
        """The SHA-256 of the bytes.

        Raises:
            UploadInterruptedError: if the file cannot be read.
        """
        try:
            return await asyncio.to_thread(self._digest)
        except OSError as error:
            raise _unreadable(error) from error

    async def chunks(self) -> AsyncIterator[bytes]:
        """The bytes, a mebibyte at a time.

        Raises:
            UploadInterruptedError: if the file cannot be read.
        """
        try:
            with await asyncio.to_thread(self.path.open, "rb") as file:
                while chunk := await asyncio.to_thread(file.read, _CHUNK_BYTES):
                    yield chunk
        except OSError as error:
            raise _unreadable(error) from error

    def _digest(self) -> str:
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def files_below(folder: Path) -> Iterator[LocalFile]:
    """The files of a folder and of those in it, by name; hidden ones and links are left out."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.is_symlink():
            continue
        if path.is_dir():
            yield from files_below(path)
        elif path.is_file():
            yield LocalFile(path, path.stat().st_size)


def _unreadable(error: OSError) -> UploadInterruptedError:
    return UploadInterruptedError(f"The file cannot be read: {error.strerror}.")
