"""PNG files, still and animated (W3C PNG, third edition, section 5): a row of chunks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from gallery.domain.images import ContentType
from gallery.platform.imaging import vips
from gallery.platform.imaging.errors import UnreadableHeaderError
from gallery.platform.imaging.layout import MAX_BLOCKS, uint
from gallery.platform.imaging.wholeness import Walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gallery.platform.imaging.layout import Header

_SIGNATURE_BYTES = 8
_CHUNK_HEADER_BYTES = 8
_CHECKSUM_BYTES = 4


@dataclass(frozen=True, slots=True)
class _Chunk:
    kind: bytes
    start: int
    end: int


def read_header(data: memoryview) -> Header:
    """The size after orientation, and the frames that the animation control chunk announces.

    Raises:
        UnreadableHeaderError: if no pixels begin in the data, or libpng refuses what stands before them.
    """
    frames = 1
    for chunk in islice(_chunks(data, _SIGNATURE_BYTES), MAX_BLOCKS):
        if chunk.kind == b"acTL" and chunk.end <= len(data):
            frames = max(1, uint(data, chunk.start + _CHUNK_HEADER_BYTES, 4))
        if chunk.kind == b"IDAT":
            header = vips.read_header(ContentType.PNG, data[: chunk.start + _CHUNK_HEADER_BYTES])
            return replace(header, frames=frames)
    message = "no pixels"
    raise UnreadableHeaderError(message)


def follow() -> Walk:
    """Follows a file whose header can be read."""
    return _WalkToEnd()


class _WalkToEnd(Walk):
    """Steps from chunk to chunk up to the end chunk."""

    def __init__(self) -> None:
        super().__init__()
        self._to_skip = _SIGNATURE_BYTES

    def _advance(self, data: bytes | memoryview, position: int) -> int:
        for chunk in _chunks(data, position):
            position = chunk.end
            self._count()
            if chunk.kind == b"IEND":
                self._reach_end()
            if self._is_over:
                break
        return position


def _chunks(data: bytes | memoryview, position: int) -> Iterator[_Chunk]:
    """The chunks from a position up to the end chunk; the last may reach beyond the data."""
    while position + _CHUNK_HEADER_BYTES <= len(data):
        kind = bytes(data[position + 4 : position + _CHUNK_HEADER_BYTES])
        end = position + _CHUNK_HEADER_BYTES + uint(data, position, 4) + _CHECKSUM_BYTES
        yield _Chunk(kind, position, end)
        if kind == b"IEND":
            return
        position = end
