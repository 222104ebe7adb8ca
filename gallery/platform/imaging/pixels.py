"""What a file leaves behind while its bytes pass, to be decoded at its end: its outline, or all of a small one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from gallery.platform.imaging.jpeg_outline import JpegOutline

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class Remainder(Protocol):
    """What is kept of a file."""

    def feed(self, chunk: bytes) -> None:
        """Takes the next bytes of the file."""
        ...

    def file(self) -> bytes | None:
        """A file that can be decoded if and only if the one that passed can; None if only that one tells."""
        ...

    def close(self) -> None:
        """Lets go of it."""
        ...


class Outline:
    """What is kept of a JPEG file of any size."""

    def __init__(self) -> None:
        self._outline = JpegOutline()

    def feed(self, chunk: bytes) -> None:
        """Takes the next bytes of the file."""
        self._outline.feed(chunk)

    def file(self) -> bytes | None:
        """The outline, unless it does not tell."""
        return self._outline.file() if self._outline.is_telling else None

    def close(self) -> None:
        """There is little to let go of."""


class Room:
    """How many bytes all files of a process may keep together."""

    def __init__(self, size_bytes: int) -> None:
        self._free_bytes = size_bytes

    def take(self, size_bytes: int) -> bool:
        """Takes room, if there is so much."""
        if size_bytes > self._free_bytes:
            return False
        self._free_bytes -= size_bytes
        return True

    def give_back(self, size_bytes: int) -> None:
        """Gives room back that was taken."""
        self._free_bytes += size_bytes


class Whole:
    """All of a file, unless it is too large for that, or there is no room."""

    def __init__(self, room: Room, max_size_bytes: int) -> None:
        self._room = room
        self._max_size_bytes = max_size_bytes
        self._chunks: list[bytes] = []
        self._size_bytes = 0
        self._is_kept = True

    def feed(self, chunk: bytes) -> None:
        """Takes the next bytes of the file."""
        if not self._is_kept:
            return
        if self._size_bytes + len(chunk) <= self._max_size_bytes and self._room.take(len(chunk)):
            self._chunks.append(chunk)
            self._size_bytes += len(chunk)
        else:
            self.close()

    def file(self) -> bytes | None:
        """The file, if it was kept."""
        return b"".join(self._chunks) if self._is_kept else None

    def close(self) -> None:
        """Lets go of what was kept; nothing more is."""
        self._is_kept = False
        self._chunks.clear()
        self._room.give_back(self._size_bytes)
        self._size_bytes = 0


class RemainderCheck:
    """Decodes what is kept of a file; the `PixelCheck` of the domain."""

    def __init__(self, kept: Remainder, decode: Callable[[bytes], Awaitable[None]]) -> None:
        self._kept = kept
        self._decode = decode

    def feed(self, chunk: bytes) -> None:
        """Takes the next bytes of the file."""
        self._kept.feed(chunk)

    async def settle(self) -> bool:
        """As the port says."""
        file = self._kept.file()
        if file is None:
            return False
        await self._decode(file)
        return True

    def close(self) -> None:
        """Lets go of what is kept."""
        self._kept.close()
