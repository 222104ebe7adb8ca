"""GIF files (CompuServe GIF89a): a screen, extensions and frames made of short blocks, a trailer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gallery.domain.images import ContentType
from gallery.platform.imaging import vips
from gallery.platform.imaging.wholeness import Walk

if TYPE_CHECKING:
    from gallery.platform.imaging.layout import Header

_SCREEN_BYTES = 13
_SCREEN_FLAGS = 10
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


def follow() -> Walk:
    """Follows a file whose header can be read."""
    return _WalkToEnd()


class _WalkToEnd(Walk):
    """Steps from block to block up to the trailer. Without it at least one block is cut."""

    def __init__(self) -> None:
        super().__init__()
        self._is_begun = False
        self._is_in_data = False

    def _advance(self, data: bytes | memoryview, position: int) -> int:
        try:
            while not self._is_over:
                if self._is_in_data:
                    while length := data[position]:
                        position += length + 1
                    position += 1
                    self._is_in_data = False
                position = self._enter_part(data, position)
        except IndexError:  # the rest is still to come
            pass
        return position

    def _enter_part(self, data: bytes | memoryview, position: int) -> int:
        """Steps over the header of an extension or a frame; blocks follow, each with its length before it."""
        if not self._is_begun:
            table_bytes = _colour_table_bytes(data[position + _SCREEN_FLAGS])
            self._is_begun = True
            return position + _SCREEN_BYTES + table_bytes
        kind = data[position]
        self._count()
        if kind == _TRAILER:
            self._reach_end()
        elif kind == _EXTENSION:
            self._is_in_data = True
            position += 1
        elif kind == _FRAME:
            table_bytes = _colour_table_bytes(data[position + _FRAME_HEADER_BYTES - 1])
            self._is_in_data = True
            position += _FRAME_HEADER_BYTES + table_bytes
        return position + 1


def _colour_table_bytes(flags: int) -> int:
    """The size of the colour table that a packed field announces: three bytes for each colour."""
    return 3 << ((flags & 0x07) + 1) if flags & 0x80 else 0
