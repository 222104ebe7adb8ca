"""JPEG files (ITU-T T.81, annex B): a row of segments, with the coded picture after the segment SOS."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gallery.domain.images import ContentType
from gallery.platform.imaging import vips
from gallery.platform.imaging.errors import UnreadableHeaderError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gallery.platform.imaging.layout import Header

_START_OF_IMAGE = 0xD8
_END_OF_IMAGE = 0xD9
_START_OF_SCAN = 0xDA

_MARKER = re.compile(rb"\xff[\x02-\xcf\xd8-\xfe]")
"""A marker that begins a segment; not a stuffed zero, a fill byte or a restart, which stand in coded data."""

_MAX_SEGMENTS = 10_000


@dataclass(frozen=True, slots=True)
class _Segment:
    marker: int
    end: int


def read_header(data: memoryview) -> Header:
    """The size after orientation. Any amount of EXIF, XMP and ICC data may stand before it.

    Raises:
        UnreadableHeaderError: if the data has no start of a scan, or a header that libjpeg refuses.
    """
    end = next((segment.end for segment in _segments(data) if segment.marker == _START_OF_SCAN), None)
    if end is None:
        message = "no start of a scan"
        raise UnreadableHeaderError(message)
    return vips.read_header(ContentType.JPEG, data[:end])


def is_whole(data: memoryview) -> bool:
    """Whether the picture's end is there. What cameras append behind it does not matter.

    A thumbnail inside a segment has an end of its own, which is stepped over with the segment.
    """
    return any(segment.marker == _END_OF_IMAGE for segment in _segments(data))


def _segments(data: memoryview) -> Iterator[_Segment]:
    """The segments up to the end of the image; bytes between them are passed over, as libjpeg does."""
    position = 2
    for _ in range(_MAX_SEGMENTS):
        found = _MARKER.search(data, position)
        if found is None:
            return
        position = found.end()
        marker = data[position - 1]
        if marker not in {_START_OF_IMAGE, _END_OF_IMAGE}:
            position += int.from_bytes(data[position : position + 2], "big")
        if position > len(data):
            return
        yield _Segment(marker, position)
        if marker == _END_OF_IMAGE:
            return
