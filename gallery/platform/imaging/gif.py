"""GIF files (CompuServe GIF89a): a screen, extensions and frames made of short blocks, a trailer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gallery.domain.images import ContentType
from gallery.platform.imaging import vips
from gallery.platform.imaging.layout import MAX_BLOCKS

if TYPE_CHECKING:
    from gallery.platform.imaging.layout import Header

_SCREEN_END = 13
_FRAME_HEADER_BYTES = 10
_EXTENSION = 0x21
_FRAME = 0x2C
_TRAILER = 0x3B


def read_header(data: memoryview) -> Header:
    """The size, and the number of frames that begin in the data.

    Raises:
        UnreadableHeaderError: if no frame begins in the data, or the reader of libvips refuses it.
    """
    return vips.read_header(ContentType.GIF, data)


def is_whole(data: memoryview) -> bool:
    """Whether the blocks lead to the trailer. Without it at least one block is cut."""
    try:
        return _reaches_trailer(data)
    except IndexError:
        return False


def _reaches_trailer(data: memoryview) -> bool:
    position = _SCREEN_END + _colour_table_bytes(data[10])
    for _ in range(MAX_BLOCKS):
        kind = data[position]
        if kind == _TRAILER:
            return True
        if kind == _EXTENSION:
            position = _skip_blocks(data, position + 2)
        elif kind == _FRAME:
            table_bytes = _colour_table_bytes(data[position + _FRAME_HEADER_BYTES - 1])
            position = _skip_blocks(data, position + _FRAME_HEADER_BYTES + table_bytes + 1)
        else:
            position += 1
    return False


def _colour_table_bytes(flags: int) -> int:
    """The size of the colour table that a packed field announces: three bytes for each colour."""
    return 3 << ((flags & 0x07) + 1) if flags & 0x80 else 0


def _skip_blocks(data: memoryview, position: int) -> int:
    """The position after a row of blocks, each with its length before it, the last of length 0."""
    while length := data[position]:
        position += length + 1
    return position + 1
