"""JPEG files to upload, of any size."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

import pyvips

from benchmarks.imaging import landscape
from benchmarks.processes import MEBIBYTE

UNIQUE_BYTES = 16
END_OF_IMAGE = b"\xff\xd9"
COMMENT_HEAD_BYTES = 4
LONGEST_COMMENT_BYTES = 60_000
LARGEST_PHOTOGRAPH = 16 * MEBIBYTE
FILLED_BY_PICTURE = 0.95

_NUMBERS = count()


@dataclass(frozen=True, slots=True)
class File:
    """The pieces of a file, and its SHA-256."""

    pieces: Sequence[bytes]
    checksum: str


class Files:
    """JPEG files of one size, no two of which are the same: the gallery keeps none twice.

    Up to the size of photographs they are such, with a comment that makes them unique and fills them up. Pictures of
    larger files would have too many pixels: those hold a small one, and random bytes in its place. libjpeg draws
    something of such, and so the gallery takes it.
    """

    def __init__(self, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        pieces = photograph(size_bytes) if size_bytes <= LARGEST_PHOTOGRAPH else filled(size_bytes)
        self._before, self._behind = pieces[:-1], pieces[-1]
        self._hash = hashlib.sha256()
        for piece in self._before:
            self._hash.update(piece)

    def another(self) -> File:
        """A new file."""
        number = next(_NUMBERS).to_bytes(UNIQUE_BYTES, "big")
        whole = self._hash.copy()
        whole.update(number)
        whole.update(self._behind)
        return File([*self._before, number, self._behind], whole.hexdigest())


def photograph(size_bytes: int) -> list[bytes]:
    """The pieces of a JPEG file that can be decoded; a number belongs before the last one."""
    scene = landscape().copy_memory()
    pixels = scene.width * scene.height * size_bytes * FILLED_BY_PICTURE / len(scene.jpegsave_buffer(Q=90))
    height_px = int((pixels / 1.5) ** 0.5)
    wide = scene.replicate(-(-height_px // scene.height), -(-height_px // scene.height))
    jpeg = bytes(wide.crop(0, 0, int(height_px * 1.5), height_px).jpegsave_buffer(Q=90, keep="none"))
    comments = []
    filling = size_bytes - len(jpeg) - COMMENT_HEAD_BYTES - UNIQUE_BYTES
    while filling:
        body_bytes = min(filling - COMMENT_HEAD_BYTES, LONGEST_COMMENT_BYTES)
        comments.append(comment(body_bytes) + bytes(body_bytes))
        filling -= COMMENT_HEAD_BYTES + body_bytes
    return [jpeg.removesuffix(END_OF_IMAGE), *comments, comment(UNIQUE_BYTES), END_OF_IMAGE]


def comment(body_bytes: int) -> bytes:
    """What stands before a comment of that length (ITU-T T.81, section B.2.4.5)."""
    return b"\xff\xfe" + (body_bytes + 2).to_bytes(2, "big")


def filled(size_bytes: int) -> list[bytes]:
    """The same for a file with random bytes in the place of a coded picture, 0xff with stuffed zeros."""
    jpeg = bytes(pyvips.Image.black(640, 480).jpegsave_buffer()).removesuffix(END_OF_IMAGE)
    random_bytes = random.Random(5).randbytes(MEBIBYTE)  # noqa: S311  # no secret
    block = random_bytes.replace(b"\xff", b"\xff\x00")[:MEBIBYTE]
    whole, rest = divmod(size_bytes - len(jpeg) - UNIQUE_BYTES - len(END_OF_IMAGE), MEBIBYTE)
    return [jpeg, *[block] * whole, block[:rest], END_OF_IMAGE]
