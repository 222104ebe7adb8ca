"""What the readers of the formats share: the size they report and numbers read from a buffer."""

from __future__ import annotations

from dataclasses import dataclass

MAX_BLOCKS = 100_000
"""Blocks of a file that are looked at: far more than real files have; bounds the time spent on others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The size of an image in pixels as shown, and its number of frames as far as it could be seen."""

    width_px: int
    height_px: int
    frames: int = 1


def uint(data: bytes | memoryview, position: int, size: int) -> int:
    """The big-endian number of `size` bytes at a position.

    Raises:
        IndexError: if the data ends before it.
    """
    return int.from_bytes(_exactly(data, position, size), "big")


def uint_le(data: bytes | memoryview, position: int, size: int) -> int:
    """The little-endian number of `size` bytes at a position.

    Raises:
        IndexError: if the data ends before it.
    """
    return int.from_bytes(_exactly(data, position, size), "little")


def _exactly(data: bytes | memoryview, position: int, size: int) -> bytes | memoryview:
    taken = data[position : position + size]
    if len(taken) < size:
        message = f"the data ends before byte {position + size}"
        raise IndexError(message)
    return taken
