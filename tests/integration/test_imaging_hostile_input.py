"""Bytes that nobody meant to be an image: nothing but a refusal comes of them."""

from __future__ import annotations

import struct
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gallery.domain.errors import NotAnImageError, RefusedFileError
from gallery.domain.images import ContentType
from gallery.platform.imaging.inspect import inspect_image
from tests import photographs

BEGINNINGS = [
    b"\xff\xd8\xff\xe0",
    b"\x89PNG\r\n\x1a\n",
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR",
    b"GIF89a",
    b"RIFF\x40\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00",
    b"RIFF\x40\x00\x00\x00WEBPVP8 ",
    b"RIFF\x40\x00\x00\x00WEBPVP8L",
    b"\x00\x00\x00\x1cftypavif\x00\x00\x00\x00mif1avifmiaf\x00\x00\x01\x00meta\x00\x00\x00\x00",
    b"\x00\x00\x00\x18ftypheic",
    b"BM",
    b"",
]


@cache
def valid_files() -> tuple[bytes, ...]:
    return (
        photographs.jpeg(64, 40, orientation=6),
        photographs.progressive_jpeg(64, 40),
        photographs.png(64, 40, orientation=8),
        photographs.animated_png(2, 64, 40),
        photographs.gif(64, 40, frames=2),
        photographs.webp(64, 40, orientation=5),
        photographs.simple_webp(64, 40),
        photographs.simple_webp(64, 40, lossless=True),
        photographs.animated_webp(2, 64, 40),
        photographs.avif(64, 40, orientation=6),
    )


@st.composite
def damaged_files(draw: st.DrawFn) -> bytes:
    """A valid file, cut, with some of its bytes changed, most of them in its header."""
    data = bytearray(draw(st.sampled_from(valid_files())))
    del data[draw(st.integers(1, len(data))) :]
    positions = st.integers(0, len(data) - 1) | st.integers(0, min(400, len(data) - 1))
    values = st.sampled_from([0, 1, 0x7F, 0x80, 0xFE, 0xFF]) | st.integers(0, 255)
    for position, value in draw(st.lists(st.tuples(positions, values), max_size=12)):
        data[position] = value
    return bytes(data)


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(BEGINNINGS), st.binary(max_size=600), st.booleans())
def test_random_bytes_are_refused_or_described(beginning: bytes, rest: bytes, complete: bool) -> None:
    refused_or_described(beginning + rest, complete=complete)


@settings(deadline=None, max_examples=500)
@given(damaged_files(), st.booleans())
def test_damaged_images_are_refused_or_described(data: bytes, complete: bool) -> None:
    refused_or_described(data, complete=complete)


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xd8" + b"\xff\xe0\x00\x02" * 2_000_000,
        b"\x89PNG\r\n\x1a\n" + photographs.png_chunk(b"teXt", b"") * 600_000,
        b"GIF89a\x01\x00\x01\x00\x00\x00\x00" + b"\x21\xfe\x00" * 2_600_000,
        b"RIFF\xff\xff\xff\x00WEBPVP8X\x0a\x00\x00\x00" + b"\x02" + bytes(9) + b"junk\x00\x00\x00\x00" * 1_000_000,
        b"\x00\x00\x00\x10ftypavif\x00\x00\x00\x00" + b"\x00\x00\x00\x08free" * 1_000_000,
    ],
    ids=["jpeg", "png", "gif", "webp", "avif"],
)
def test_a_file_of_countless_parts_is_refused_or_described(data: bytes) -> None:
    refused_or_described(data, complete=True)
    refused_or_described(data, complete=False)


def test_boxes_and_directories_that_claim_billions_of_entries() -> None:
    boxes = bytearray(photographs.avif())
    entries = boxes.index(b"ipma") + 8
    boxes[entries : entries + 4] = b"\xff\xff\xff\xff"
    with pytest.raises(NotAnImageError):
        inspect_image(boxes, complete=True)
    webp = bytearray(photographs.webp(orientation=6))
    directory = webp.index(b"MM\x00\x2a" if b"MM\x00\x2a" in webp else b"II\x2a\x00") + 8
    webp[directory : directory + 2] = struct.pack(">H", 0xFFFF)
    assert inspect_image(webp, complete=True).content_type is ContentType.WEBP


def refused_or_described(data: bytes, *, complete: bool) -> None:
    try:
        info = inspect_image(data, complete=complete, max_pixels=1_000_000)
    except RefusedFileError as refusal:
        assert refusal.message.endswith(".")  # noqa: PT017  # both ways out are right
        return
    assert info.width_px > 0
    assert info.height_px > 0
    assert info.frames > 0
    assert info.width_px * info.height_px * info.frames <= 1_000_000
