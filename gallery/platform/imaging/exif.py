"""The orientation in EXIF data, for the formats whose header libvips cannot read in part."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gallery.platform.imaging.layout import uint, uint_le

if TYPE_CHECKING:
    from collections.abc import Callable

_PREFIX = b"Exif\x00\x00"
_ORIENTATION_TAG = 0x0112
_SHORT = 3
TURNED = range(5, 9)
"""The orientations that swap width and height (EXIF 2.32, section 4.6.4)."""


def is_turned(data: memoryview) -> bool:
    """Whether the orientation swaps width and height. Damaged data says no."""
    if bytes(data[: len(_PREFIX)]) == _PREFIX:
        data = data[len(_PREFIX) :]
    try:
        return _orientation(data) in TURNED
    except IndexError:
        return False


def _orientation(tiff: memoryview) -> int:
    """The value of the first directory's orientation, 1 if there is none (TIFF 6.0, section 2)."""
    number: Callable[[memoryview, int, int], int] = uint_le if bytes(tiff[:2]) == b"II" else uint
    directory = number(tiff, 4, 4)
    for index in range(number(tiff, directory, 2)):
        entry = directory + 2 + 12 * index
        if number(tiff, entry, 2) == _ORIENTATION_TAG and number(tiff, entry + 2, 2) == _SHORT:
            return number(tiff, entry + 8, 2)
    return 1
