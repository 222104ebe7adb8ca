"""The outline of a JPEG file: its segments without the coded picture between them (ITU-T T.81, annex B).

Whatever stands in coded data, libjpeg draws something and goes on. What stops it is a segment that makes no sense, and
damage leads to such segments: behind 0xff coded data has zeros only. So a decoder that sees the outline alone, which
says that its picture is a few pixels large, nearly always judges as it would judge the file, at a hundredth of the
price (docs/adr/0016-decoding-before-an-image-exists.md).
"""

from __future__ import annotations

import re

from gallery.platform.imaging.jpeg import (
    END_OF_IMAGE,
    MARKER,
    MARKER_BEGINNING,
    START_OF_IMAGE,
    START_OF_IMAGE_BYTES,
    START_OF_SCAN,
)
from gallery.platform.imaging.jpeg_scans import Scans
from gallery.platform.imaging.wholeness import Walk

MAX_OUTLINE_BYTES = 1024 * 1024
"""Real files have some thousand bytes of tables."""

_MARKER_BYTES = 2
_FIRST_WITH_LENGTH = 0xC0
"""Markers below have no meaning, and no length behind them."""

_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_RESTART_INTERVAL = 0xDD
_LEFT_OUT = {*range(0xE1, 0xEE), 0xEF, 0xFE}
"""Metadata, of which the decoder knows nothing; APP0 and APP14 say what the colours are."""

_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
_LARGEST_EDGE_PX = 16
_HEIGHT, _WIDTH = 5, 7
"""Where they stand, counted from the marker of a frame."""


class JpegOutline(Walk):
    """Gathers the outline of a file while its bytes pass."""

    def __init__(self) -> None:
        super().__init__()
        self._to_skip = START_OF_IMAGE_BYTES
        self._segments = [bytes((MARKER_BEGINNING, START_OF_IMAGE))]
        self._size_bytes = START_OF_IMAGE_BYTES
        self._scans = Scans()

    @property
    def is_telling(self) -> bool:
        """Whether the file may be judged by its outline."""
        return self._size_bytes <= MAX_OUTLINE_BYTES and self._scans.are_regular and not self.is_given_up

    def file(self) -> bytes:
        """The outline, as a JPEG file."""
        return b"".join(self._segments)

    def _advance(self, data: bytes | memoryview, position: int) -> int:
        while found := MARKER.search(data, position):
            self._count_restarts(data, position, found.start())
            end = self._take(data, found.start())
            if end is None:
                return found.start()
            position = end
            if self._is_over:
                return position
        end = max(position, len(data) - (data[-1] == MARKER_BEGINNING))
        self._count_restarts(data, position, end)
        return end

    def _take(self, data: bytes | memoryview, start: int) -> int | None:
        """Takes the segment that begins there; answers with its end, None if that is still to come."""
        marker, after = data[start + 1], start + _MARKER_BYTES
        self._scans.end()
        if marker in {START_OF_IMAGE, END_OF_IMAGE} or marker < _FIRST_WITH_LENGTH:
            end = after
        elif len(data) < after + 2:
            return None
        else:
            end = after + int.from_bytes(data[after : after + 2], "big")
        if marker not in _LEFT_OUT:
            if end > len(data):
                return None
            self._keep(marker, bytearray(data[start:end]))
        self._count()
        if marker == END_OF_IMAGE or self._size_bytes > MAX_OUTLINE_BYTES:
            self._reach_end()
        return end

    def _keep(self, marker: int, segment: bytearray) -> None:
        if marker == _RESTART_INTERVAL:
            self._scans.interval = int.from_bytes(segment[4:6], "big")
        elif marker == START_OF_SCAN:
            self._scans.begin(bytes(segment))
        elif marker in _FRAMES:
            self._scans.frame = bytes(segment)
            for edge in (_HEIGHT, _WIDTH):
                edge_px = min(int.from_bytes(segment[edge : edge + 2], "big"), _LARGEST_EDGE_PX)
                segment[edge : edge + 2] = edge_px.to_bytes(2, "big")
        if marker != _RESTART_INTERVAL:
            self._segments.append(bytes(segment))
            self._size_bytes += len(segment)

    def _count_restarts(self, data: bytes | memoryview, start: int, end: int) -> None:
        if self._scans.are_counted:
            self._scans.add(b"".join(_RESTART.findall(data, start, end)))
