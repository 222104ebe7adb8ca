"""WebP files (RFC 9649): chunks in a RIFF container.

libvips needs the whole file to tell the size of a WebP image; the first chunk tells it here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gallery.platform.imaging import exif
from gallery.platform.imaging.errors import UnreadableHeaderError
from gallery.platform.imaging.layout import MAX_BLOCKS, Header, uint_le
from gallery.platform.imaging.wholeness import Walk

if TYPE_CHECKING:
    from collections.abc import Iterator

_RIFF_HEADER_BYTES = 12
_CHUNK_HEADER_BYTES = 8
_EXIF_FLAG = 0x08
_ANIMATION_FLAG = 0x02
_VP8_START_CODE = b"\x9d\x01\x2a"
_VP8L_SIGNATURE = 0x2F


@dataclass(frozen=True, slots=True)
class _Chunk:
    kind: bytes
    start: int
    end: int


def read_header(data: memoryview) -> Header:
    """The size after orientation, and the number of frames that begin in the data.

    EXIF data stands behind the pixels: where the data ends before it, the size is that of the stored pixels.

    Raises:
        UnreadableHeaderError: if the first chunk is none that an image begins with.
    """
    try:
        first = next(_chunks(data))
        body = data[first.start : first.end]
        if first.kind == b"VP8X":
            return _extended(data, body)
        if first.kind == b"VP8 ":
            return _lossy(body)
        if first.kind == b"VP8L":
            return _lossless(body)
    except (IndexError, StopIteration) as error:
        message = "the data ends before the size"
        raise UnreadableHeaderError(message) from error
    message = f"the first chunk is {first.kind!r}"
    raise UnreadableHeaderError(message)


def follow() -> Walk:
    """Follows a file whose header can be read."""
    return _WalkToEnd()


class _WalkToEnd(Walk):
    """Takes the container at its word about its length."""

    def _advance(self, data: bytes | memoryview, position: int) -> int:
        if len(data) < position + _CHUNK_HEADER_BYTES:
            return position
        self._reach_end()
        return position + _CHUNK_HEADER_BYTES + uint_le(data, position + 4, 4)


def _extended(data: memoryview, body: memoryview) -> Header:
    """VP8X (section 2.7.1): flags, then the size of the canvas less one in 24 bits each."""
    flags = body[0]
    width, height = uint_le(body, 4, 3) + 1, uint_le(body, 7, 3) + 1
    frames = 0
    for chunk in _chunks(data):
        if chunk.kind == b"ANMF" and flags & _ANIMATION_FLAG:
            frames += 1
        if chunk.kind == b"EXIF" and flags & _EXIF_FLAG and exif.is_turned(data[chunk.start : chunk.end]):
            width, height = height, width
            break
    return Header(width_px=width, height_px=height, frames=max(1, frames))


def _lossy(body: memoryview) -> Header:
    """VP8 (RFC 6386, section 9.1): a key frame's start code, then 14 bits of width and of height."""
    if body[0] & 1 or body[3:6] != _VP8_START_CODE:
        message = "no key frame"
        raise UnreadableHeaderError(message)
    return Header(width_px=uint_le(body, 6, 2) & 0x3FFF, height_px=uint_le(body, 8, 2) & 0x3FFF)


def _lossless(body: memoryview) -> Header:
    """VP8L (RFC 9649, section 3.4): a signature, then width and height less one in 14 bits each."""
    if body[0] != _VP8L_SIGNATURE:
        message = "no lossless signature"
        raise UnreadableHeaderError(message)
    bits = uint_le(body, 1, 4)
    return Header(width_px=(bits & 0x3FFF) + 1, height_px=(bits >> 14 & 0x3FFF) + 1)


def _chunks(data: memoryview) -> Iterator[_Chunk]:
    """The chunks, by where their bodies start and end; the last may reach beyond the data."""
    position = _RIFF_HEADER_BYTES
    for _ in range(MAX_BLOCKS):
        start = position + _CHUNK_HEADER_BYTES
        if start > len(data):
            return
        size = uint_le(data, position + 4, 4)
        yield _Chunk(bytes(data[position : position + 4]), start, start + size)
        position = start + size + size % 2
