"""JPEG files (ITU-T T.81, annex B): a row of segments, with the coded picture after the segment SOS."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from gallery.domain.images import ContentType
from gallery.platform.imaging import vips
from gallery.platform.imaging.errors import UnreadableHeaderError
from gallery.platform.imaging.wholeness import Walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gallery.platform.imaging.layout import Header

_START_OF_IMAGE = 0xD8
_END_OF_IMAGE = 0xD9
_START_OF_SCAN = 0xDA

_MARKER = re.compile(rb"\xff[\x02-\xcf\xd8-\xfe]")
"""A marker that begins a segment; not a stuffed zero, a fill byte or a restart, which stand in coded data."""

_BEFORE_LENGTH_BYTES = 3
"""The longest beginning of a segment that does not tell its length: a marker and half a number."""

_START_OF_IMAGE_BYTES = 2
_MAX_SEGMENTS_OF_HEADER = 10_000


@dataclass(frozen=True, slots=True)
class _Segment:
    marker: int
    end: int


def read_header(data: memoryview) -> Header:
    """The size after orientation. Any amount of EXIF, XMP and ICC data may stand before it.

    Raises:
        UnreadableHeaderError: if the data has no start of a scan, or a header that libjpeg refuses.
    """
    segments = islice(_segments(data, _START_OF_IMAGE_BYTES), _MAX_SEGMENTS_OF_HEADER)
    end = next((segment.end for segment in segments if segment.marker == _START_OF_SCAN), None)
    if end is None or end > len(data):
        message = "no start of a scan"
        raise UnreadableHeaderError(message)
    return vips.read_header(ContentType.JPEG, data[:end])


def follow() -> Walk:
    """Follows a file whose header can be read."""
    return _WalkToEnd()


class _WalkToEnd(Walk):
    """Looks for the picture's end. What cameras append behind it does not matter.

    A thumbnail inside a segment has an end of its own, which is stepped over with the segment.
    """

    def __init__(self) -> None:
        super().__init__()
        self._to_skip = _START_OF_IMAGE_BYTES

    def _advance(self, data: bytes | memoryview, position: int) -> int:
        for segment in _segments(data, position):
            position = segment.end
            self._count()
            if segment.marker == _END_OF_IMAGE:
                self._reach_end()
            if self._is_over:
                return position
        return max(position, len(data) - _BEFORE_LENGTH_BYTES)


def _segments(data: bytes | memoryview, position: int) -> Iterator[_Segment]:
    """The segments up to the end of the image; the last may reach beyond the data.

    Bytes between them are passed over, as libjpeg does: coded data, and what should not be there.
    """
    while found := _MARKER.search(data, position):
        position = found.end()
        marker = data[position - 1]
        if marker not in {_START_OF_IMAGE, _END_OF_IMAGE}:
            if position + 2 > len(data):
                return
            position += int.from_bytes(data[position : position + 2], "big")
        yield _Segment(marker, position)
        if marker == _END_OF_IMAGE:
            return
