"""Files that are followed while they pass: whether the image in them was whole is known at the end."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gallery.domain.images import ContentType, ImageInfo
from gallery.platform.imaging.inspect import VipsImageInspector
from tests import photographs

INSPECTOR = VipsImageInspector()

FILES: dict[str, tuple[Callable[[], bytes], ContentType]] = {
    "jpeg": (photographs.jpeg, ContentType.JPEG),
    "progressive jpeg": (photographs.progressive_jpeg, ContentType.JPEG),
    "jpeg with a long header": (lambda: photographs.jpeg_with_long_header(200_000), ContentType.JPEG),
    "png": (photographs.png, ContentType.PNG),
    "animated png": (lambda: photographs.animated_png(3), ContentType.PNG),
    "gif": (photographs.gif, ContentType.GIF),
    "animated gif": (lambda: photographs.gif(frames=3), ContentType.GIF),
    "webp": (photographs.webp, ContentType.WEBP),
    "lossless webp": (lambda: photographs.simple_webp(lossless=True), ContentType.WEBP),
    "animated webp": (lambda: photographs.animated_webp(3), ContentType.WEBP),
    "avif": (photographs.avif, ContentType.AVIF),
}
ONE_OF_EACH_TYPE = ["jpeg", "png", "gif", "webp", "avif"]
PIECES = [1, 2, 3, 7, 4096, 10_000_000]


@cache
def content(kind: str) -> bytes:
    return FILES[kind][0]()


def is_whole(kind: str, chunks: Iterable[bytes]) -> bool:
    check = INSPECTOR.follow(ImageInfo(content_type=FILES[kind][1], width_px=320, height_px=200))
    for chunk in chunks:
        check.feed(chunk)
    return check.is_whole


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


@pytest.mark.parametrize("size", PIECES)
@pytest.mark.parametrize("kind", FILES)
def test_whole_file_is_whole_however_it_comes(kind: str, size: int) -> None:
    assert is_whole(kind, pieces(content(kind), size))


@pytest.mark.parametrize("size", PIECES)
@pytest.mark.parametrize("kind", FILES)
def test_file_without_its_last_byte_is_not(kind: str, size: int) -> None:
    assert not is_whole(kind, pieces(content(kind)[:-1], size))


@pytest.mark.parametrize("size", [3, 4096])
@pytest.mark.parametrize("kind", ONE_OF_EACH_TYPE)
def test_what_cameras_append_does_not_matter(kind: str, size: int) -> None:
    trailer = b"\x00\x00\x10\x00free" + bytes(4088) if kind == "avif" else b"Image_UTC_Data1606142400000" + bytes(4000)
    assert is_whole(kind, pieces(content(kind) + trailer, size))


@pytest.mark.parametrize("kind", FILES)
@given(data=st.data())
@settings(deadline=None, max_examples=60)
def test_no_beginning_of_a_file_is_whole(kind: str, data: st.DataObject) -> None:
    whole = content(kind)
    length = data.draw(st.integers(0, len(whole) - 1) | st.integers(max(0, len(whole) - 40), len(whole) - 1))
    places = data.draw(st.lists(st.integers(0, len(whole)), max_size=20))

    assert is_whole(kind, cut(whole, places))
    assert not is_whole(kind, cut(whole[:length], places))


@pytest.mark.parametrize("size", PIECES)
def test_end_of_a_thumbnail_is_not_the_end_of_the_picture(size: int) -> None:
    plain, thumbnail = content("jpeg"), photographs.jpeg(32, 20)
    segment = b"\xff\xeb" + struct.pack(">H", len(thumbnail) + 2) + thumbnail
    data = plain[:2] + segment + plain[2:]

    assert is_whole("jpeg", pieces(data, size))
    assert not is_whole("jpeg", pieces(data[:-2], size))


@pytest.mark.parametrize("size", PIECES)
def test_what_looks_like_an_end_between_scans_is_none(size: int) -> None:
    """A segment between coded data is stepped over by its length, restarts and stuffed zeros by what they are."""
    comment = b"\xff\xfe" + struct.pack(">H", 4) + b"\xff\xd9"
    coded = b"\x12\xff\x00\xd9\xff\xd0\x34\xff\xd7\xff\xff\x00\xd9"
    data = content("jpeg")[:-2] + coded + comment + coded

    assert not is_whole("jpeg", pieces(data, size))
    assert is_whole("jpeg", pieces(data + b"\xff\xff\xd9", size))


def coded(size: int) -> bytes:
    """So much of a coded picture."""
    return random.Random(1).randbytes(size).replace(b"\xff", b"\xff\x00")[:size]  # noqa: S311  # no secret


@pytest.mark.parametrize("size", [4096, 40_000, 131_072, 262_144, 10_000_000])
def test_end_of_a_large_picture_is_found_wherever_it_is_and_whatever_follows(size: int) -> None:
    picture = content("jpeg")[:-2] + coded(700_000)
    scan = b"\xff\xda\x00\x04\x01\x01" + coded(300_000)
    preview = content("jpeg")[:-2] + coded(500_000) + b"\xff\xd9"

    for whole in (picture, picture + scan, picture + b"\xff\xd0" + scan):
        assert not is_whole("jpeg", pieces(whole, size))
        for trailer in (b"", bytes(600_000), coded(700), b"\xff\x01\xff\x00" * 100_000, preview):
            assert is_whole("jpeg", pieces(whole + b"\xff\xd9" + trailer, size))


@pytest.mark.parametrize("length", range(262_144 - 4, 262_144 + 4))
def test_end_of_a_large_picture_may_be_cut_in_two(length: int) -> None:
    beginning = content("jpeg")[:-2]
    picture = beginning + coded(length - len(beginning))

    assert is_whole("jpeg", pieces(picture + b"\xff\xd9", 131_072))
    assert not is_whole("jpeg", pieces(picture + b"\xff", 131_072))


@pytest.mark.parametrize("size", PIECES)
def test_pixels_of_an_avif_file_may_stand_in_its_description(size: int) -> None:
    beginning = content("avif")[: int.from_bytes(content("avif")[:4], "big")]
    pixels = struct.pack(">I4s", 16, b"idat") + bytes(8)
    data = beginning + struct.pack(">I4sI", 12 + len(pixels), b"meta", 0) + pixels

    assert is_whole("avif", pieces(data, size))
    assert not is_whole("avif", pieces(data[:-1], size))


@pytest.mark.parametrize("size", PIECES)
def test_avif_file_of_a_description_alone_is_not_whole(size: int) -> None:
    data = content("avif")
    assert not is_whole("avif", pieces(data[: data.index(b"mdat") - 4], size))


@pytest.mark.parametrize(
    ("size_field", "more"), [(b"\x00\x00\x00\x01mdat" + (24).to_bytes(8, "big"), 8), (b"\x00\x00\x00\x00mdat", 0)]
)
@pytest.mark.parametrize("size", PIECES)
def test_avif_box_may_have_a_long_size_or_none(size: int, size_field: bytes, more: int) -> None:
    data = content("avif")
    beginning = data[: data.index(b"mdat") - 4] + size_field

    assert is_whole("avif", pieces(beginning + bytes(more), size))
    assert is_whole("avif", pieces(beginning + bytes(7), size)) is (more == 0)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("jpeg", b"\xff\xd8" + b"\xff\xe0\x00\x02" * 200_000 + b"\xff\xd9"),
        ("png", b"\x89PNG\r\n\x1a\n" + photographs.png_chunk(b"teXt", b"") * 150_000 + content("png")[8:]),
        ("gif", b"GIF89a\x01\x00\x01\x00\x00\x00\x00" + b"\x21\xfe\x00" * 150_000 + b"\x3b"),
        ("avif", b"\x00\x00\x00\x10ftypavif\x00\x00\x00\x00" + b"\x00\x00\x00\x08free" * 150_000 + content("avif")),
    ],
    ids=["jpeg", "png", "gif", "avif"],
)
def test_file_of_countless_parts_is_given_up(kind: str, data: bytes) -> None:
    assert not is_whole(kind, pieces(data, 65_536))


def test_large_file_of_ordinary_parts_is_not_given_up() -> None:
    """More than a gigabyte of pixels in parts of 8 KiB, as libpng writes them."""
    header, pixels = content("png")[:33], photographs.png_chunk(b"IDAT", bytes(8192))
    whole = [header, *[pixels * 16] * 8_500, photographs.png_chunk(b"IEND", b"")]

    assert is_whole("png", whole)
    assert not is_whole("png", whole[:-1])


@given(st.sampled_from(ONE_OF_EACH_TYPE), st.data())
@settings(deadline=None, max_examples=300)
def test_damaged_file_is_judged_alike_however_it_comes(kind: str, data: st.DataObject) -> None:
    damaged = bytearray(content(kind))
    for position, value in data.draw(st.lists(st.tuples(st.integers(0, len(damaged) - 1), st.integers(0, 255)))):
        damaged[position] = value
    places = data.draw(st.lists(st.integers(0, len(damaged)), max_size=20))

    assert is_whole(kind, cut(bytes(damaged), places)) == is_whole(kind, [bytes(damaged)])
