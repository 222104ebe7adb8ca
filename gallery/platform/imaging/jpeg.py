"""JPEG files (ITU-T T.81, annex B): a row of segments, with the coded picture after the segment SOS."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gallery.domain.images import ContentType
from gallery.platform.imaging import vips
from gallery.platform.imaging.errors import CutOffHeaderError, UnreadableHeaderError
from gallery.platform.imaging.wholeness import Walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gallery.platform.imaging.layout import Header

SIGNATURE = b"\xff\xd8\xff"

MARKER_BEGINNING = 0xFF
START_OF_IMAGE = 0xD8
END_OF_IMAGE = 0xD9
START_OF_SCAN = 0xDA

MARKER = re.compile(rb"\xff[\x02-\xcf\xd8-\xfe]")
"""A marker that begins a segment; not a stuffed zero, a fill byte or a restart, which stand in coded data."""

_BEFORE_LENGTH_BYTES = 3
"""The longest beginning of a segment that does not tell its length: a marker and half a number."""

_NOT_CODED = re.compile(rb"\xff[^\x00\xd0-\xd7]")
"""What coded data never holds: after 0xff there is a stuffed zero, or a restart (annex B.1.1.5)."""

_SAMPLE_BYTES = 8 * 1024
_LEAST_STUFFED_ZEROS = 4
"""How many the sample must hold. Other data has fewer 0xff, or something else behind one of them."""

START_OF_IMAGE_BYTES = 2
_MAX_SEGMENTS_OF_HEADER = 10_000


@dataclass(frozen=True, slots=True)
class _Segment:
    marker: int
    end: int


def read_header(data: memoryview) -> Header:
    """The size after orientation. Any amount of EXIF, XMP and ICC data may stand before it.

    Raises:
        CutOffHeaderError: if the data ends before a scan starts.
        UnreadableHeaderError: if the image ends before that, or has a header that libjpeg refuses.
    """
    return vips.read_header(ContentType.JPEG, data[: _end_of_header(data)])


def _end_of_header(data: memoryview) -> int:
    for number, segment in enumerate(_segments(data, START_OF_IMAGE_BYTES)):
        if segment.marker == START_OF_SCAN and segment.end <= len(data):
            return segment.end
        if segment.marker == END_OF_IMAGE or number == _MAX_SEGMENTS_OF_HEADER:
            message = "no start of a scan"
            raise UnreadableHeaderError(message)
    message = "no start of a scan yet"
    raise CutOffHeaderError(message)


def follow() -> Walk:
    """Follows a file whose header can be read."""
    return _WalkToEnd()


class _WalkToEnd(Walk):
    """Looks for the picture's end. What cameras append behind it does not matter.

    A thumbnail inside a segment has an end of its own, which is stepped over with the segment. Of the picture itself
    only the last bytes of each chunk are looked at: where they are coded data, the picture goes on. Or that of another
    image does which stands behind it, and then the end of that one counts.
    """

    def __init__(self) -> None:
        super().__init__()
        self._to_skip = START_OF_IMAGE_BYTES
        self._is_in_scan = False

    def _advance(self, data: bytes | memoryview, position: int) -> int:
        if self._is_in_scan and _ends_coded(data, position):
            return len(data) - _BEFORE_LENGTH_BYTES
        for segment in _segments(data, position):
            position = segment.end
            self._is_in_scan = segment.marker == START_OF_SCAN
            self._count()
            if segment.marker == END_OF_IMAGE:
                self._reach_end()
            if self._is_over:
                return position
        return max(position, len(data) - _BEFORE_LENGTH_BYTES)


def _ends_coded(data: bytes | memoryview, position: int) -> bool:
    """Whether the data, of which a sample is but a small share, ends in the middle of a coded picture."""
    if len(data) - position < 4 * _SAMPLE_BYTES:
        return False
    sample = bytes(data[-_SAMPLE_BYTES:])
    return sample.count(b"\xff\x00") >= _LEAST_STUFFED_ZEROS and _NOT_CODED.search(sample) is None


def _segments(data: bytes | memoryview, position: int) -> Iterator[_Segment]:
    """The segments up to the end of the image; the last may reach beyond the data.

    Bytes between them are passed over, as libjpeg does: coded data, and what should not be there.
    """
    while found := MARKER.search(data, position):
        position = found.end()
        marker = data[position - 1]
        if marker not in {START_OF_IMAGE, END_OF_IMAGE}:
            if position + 2 > len(data):
                return
            position += int.from_bytes(data[position : position + 2], "big")
        yield _Segment(marker, position)
        if marker == END_OF_IMAGE:
            return
