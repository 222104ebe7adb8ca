"""Image files whose structure is whole and whose pixels are not, one of each format; and the way to make files long."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from tests import photographs

_COMMENT_BYTES = 60_000
_CHUNK_BYTES = 1_000_000


def jpeg_scan(file: bytes) -> bytes:
    """Some bytes of a coded picture are others, so that a marker stands there which means nothing."""
    middle = file.index(b"\xff\xda") + 500
    return file[:middle] + b"\xff\x80\x00\x08" + file[middle + 4 :]


def jpeg_restarts(file: bytes) -> bytes:
    """Of the markers from which a decoder can go on, all but the first hundred bytes' are gone."""
    start = file.index(b"\xff\xda") + 100
    return file[:start] + re.sub(rb"\xff[\xd0-\xd7]", b"\x00\x00", file[start:])


def png(file: bytes) -> bytes:
    """Some compressed bytes are others; the checksum of their chunk is right."""
    start = file.index(b"IDAT") + 4
    length = int.from_bytes(file[start - 8 : start - 4], "big")
    middle = start + length // 2
    body = file[start:middle] + bytes(byte ^ 0x55 for byte in file[middle : middle + 20]) + file[middle + 20 :]
    return file[: start - 8] + photographs.png_chunk(b"IDAT", body[:length]) + file[start + length + 4 :]


def webp(file: bytes) -> bytes:
    """The first partition of the coded picture is gone."""
    start = file.index(b"VP8 ") + 8 + 10
    return file[:start] + bytes([0xFF] * 200) + file[start + 200 :]


def gif(file: bytes) -> bytes:
    """The coded picture names colours that nobody has seen yet."""
    frame = file.index(b"\x2c\x00\x00\x00\x00")
    start = frame + 10 + 2
    return file[:start] + bytes([0xFF] * 100) + file[start + 100 :]


def avif(file: bytes) -> bytes:
    """The coded picture is zeros."""
    start = file.index(b"mdat") + 4
    return file[:start] + bytes(len(file) - start)


DAMAGED: Mapping[str, Callable[[], bytes]] = MappingProxyType(
    {
        "progressive jpeg": lambda: jpeg_scan(photographs.grainy_jpeg(interlace=True)),
        "jpeg with restarts": lambda: jpeg_restarts(photographs.grainy_jpeg(restart_interval=1)),
        "png": lambda: png(photographs.png()),
        "webp": lambda: webp(photographs.webp()),
        "gif": lambda: gif(photographs.gif()),
        "avif": lambda: avif(photographs.avif()),
    }
)
"""By name."""


def lengthened(file: bytes, by_bytes: int) -> bytes:
    """The same image in a longer file, by something that decoders pass over."""
    if file.startswith(b"\xff\xd8"):
        comment = b"\xff\xfe" + (_COMMENT_BYTES + 2).to_bytes(2, "big") + bytes(_COMMENT_BYTES)
        return file[:-2] + comment * -(-by_bytes // _COMMENT_BYTES) + file[-2:]
    if file.startswith(b"\x89PNG"):
        chunks = photographs.png_chunk(b"paDd", bytes(_CHUNK_BYTES)) * -(-by_bytes // _CHUNK_BYTES)
        return file[:-12] + chunks + file[-12:]
    if file.startswith(b"GIF"):
        block = b"\xff" + bytes(255)
        return file[:-1] + b"\x21\xfe" + block * -(-by_bytes // 255) + b"\x00" + file[-1:]
    if file.startswith(b"RIFF"):
        whole = file + b"paDd" + (by_bytes + by_bytes % 2).to_bytes(4, "little") + bytes(by_bytes + by_bytes % 2)
        return whole[:4] + (len(whole) - 8).to_bytes(4, "little") + whole[8:]
    return file + (by_bytes + 8).to_bytes(4, "big") + b"free" + bytes(by_bytes)
