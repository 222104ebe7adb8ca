"""What a file is, told from its first bytes before anything of it is stored."""

from __future__ import annotations

import struct
import zipfile
from io import BytesIO
from typing import TYPE_CHECKING

import pytest

from gallery.domain.errors import (
    CutOffHeaderError,
    EmptyFileError,
    ErrorCode,
    ImageTooLargeError,
    NotAnImageError,
    TruncatedImageError,
    UnsupportedTypeError,
)
from gallery.domain.images import ContentType, ImageInfo
from gallery.platform.imaging.inspect import VipsImageInspector, inspect_image
from tests import photographs

if TYPE_CHECKING:
    from collections.abc import Callable

TAKEN: dict[str, tuple[Callable[[], bytes], ContentType, int]] = {
    "jpeg": (photographs.jpeg, ContentType.JPEG, 1),
    "progressive jpeg": (photographs.progressive_jpeg, ContentType.JPEG, 1),
    "jpeg for print": (photographs.cmyk_jpeg, ContentType.JPEG, 1),
    "jpeg in Display P3": (photographs.wide_gamut_jpeg, ContentType.JPEG, 1),
    "png": (photographs.png, ContentType.PNG, 1),
    "png with alpha": (photographs.png_with_alpha, ContentType.PNG, 1),
    "png of 16 bits": (photographs.png_16_bit, ContentType.PNG, 1),
    "grey png": (photographs.grey_png, ContentType.PNG, 1),
    "animated png": (lambda: photographs.animated_png(5), ContentType.PNG, 5),
    "gif": (photographs.gif, ContentType.GIF, 1),
    "animated gif": (lambda: photographs.gif(frames=3), ContentType.GIF, 3),
    "webp": (photographs.webp, ContentType.WEBP, 1),
    "lossless webp": (lambda: photographs.webp(lossless=True), ContentType.WEBP, 1),
    "simple webp": (photographs.simple_webp, ContentType.WEBP, 1),
    "simple lossless webp": (lambda: photographs.simple_webp(lossless=True), ContentType.WEBP, 1),
    "animated webp": (lambda: photographs.animated_webp(4), ContentType.WEBP, 4),
    "avif": (photographs.avif, ContentType.AVIF, 1),
}
"""For every kind of file how it is made, its type and its frames. All are 320 by 200 pixels."""

TURNABLE: dict[str, Callable[..., bytes]] = {
    "jpeg": photographs.jpeg,
    "png": photographs.png,
    "webp": photographs.webp,
    "avif": photographs.avif,
}

ONE_OF_EACH_TYPE: dict[str, Callable[..., bytes]] = {**TURNABLE, "gif": photographs.gif}


def zip_file() -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("photo.jpg", photographs.jpeg())
    return buffer.getvalue()


NO_IMAGES = {
    "text": b"Dear gallery, please find my photograph attached.",
    "text that begins like BMP": b"BMW, the car that I photographed, is to be seen in the other file.",
    "text that begins like GIF": b"GIF is how we call it, and how to say it nobody knows.",
    "zeros": bytes(100),
    "one byte": b"\xff",
    "pdf": b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\n",
    "zip": zip_file(),
    "html": b"<!DOCTYPE html><html><body><img src='x' onerror='alert(1)'></body></html>",
    "svg": b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><rect width="9" height="9"/></svg>',
    "shell script": b"#!/bin/sh\nrm -rf /\n",
    "mp4 video": b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2" + bytes(64),
}

OTHER_IMAGES = {
    "image/tiff": photographs.tiff(),
    "image/bmp": b"BM" + struct.pack("<IHHIIii", 70, 0, 0, 54, 40, 2, 2) + bytes(44),
    "image/heic": b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(64),
    "image/x-icon": b"\x00\x00\x01\x00\x01\x00\x10\x10" + bytes(64),
    "image/vnd.adobe.photoshop": b"8BPS\x00\x01" + bytes(64),
    "image/jxl": b"\x00\x00\x00\x0cJXL \r\n\x87\n" + bytes(64),
    "image/heif": b"\x00\x00\x00\x14ftypmif1\x00\x00\x00\x00miaf" + bytes(64),
    "image/avif-sequence": b"\x00\x00\x00\x14ftypavis\x00\x00\x00\x00msf1" + bytes(64),
}


@pytest.mark.parametrize("kind", TAKEN)
def test_type_size_and_frames_of_a_whole_file(kind: str) -> None:
    make, content_type, frames = TAKEN[kind]
    assert inspect_image(make(), complete=True) == ImageInfo(
        content_type=content_type, width_px=320, height_px=200, frames=frames
    )


@pytest.mark.parametrize("kind", TAKEN)
def test_the_beginning_of_a_file_tells_its_size(kind: str) -> None:
    make, content_type, _ = TAKEN[kind]
    data = make()
    head = data[:-40]
    info = inspect_image(head, complete=False)
    assert (info.content_type, info.width_px, info.height_px) == (content_type, 320, 200)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", TURNABLE)
def test_size_is_as_shown(kind: str, orientation: int) -> None:
    info = inspect_image(TURNABLE[kind](orientation=orientation), complete=True)
    assert (info.width_px, info.height_px) == ((320, 200) if orientation <= 4 else (200, 320))


def test_any_kind_of_buffer_is_read() -> None:
    data = photographs.jpeg()
    expected = ImageInfo(content_type=ContentType.JPEG, width_px=320, height_px=200)
    assert inspect_image(bytearray(data), complete=True) == expected
    assert inspect_image(memoryview(data), complete=True) == expected


def test_a_megabyte_of_metadata_may_stand_before_the_size() -> None:
    data = photographs.jpeg_with_long_header(1_000_000)
    info = inspect_image(data[:1_022_000], complete=False)
    assert (info.width_px, info.height_px) == (320, 200)


def test_an_empty_file_is_refused() -> None:
    with pytest.raises(EmptyFileError) as refusal:
        inspect_image(b"", complete=True)
    assert refusal.value.code is ErrorCode.FILE_EMPTY


@pytest.mark.parametrize("complete", [True, False])
@pytest.mark.parametrize("kind", NO_IMAGES)
def test_what_is_no_image_is_refused(kind: str, complete: bool) -> None:
    with pytest.raises(NotAnImageError) as refusal:
        inspect_image(NO_IMAGES[kind], complete=complete)
    assert refusal.value.code is ErrorCode.NOT_AN_IMAGE
    assert refusal.value.field == ("file",)


@pytest.mark.parametrize("content_type", OTHER_IMAGES)
def test_an_image_of_another_type_is_refused_by_name(content_type: str) -> None:
    with pytest.raises(UnsupportedTypeError) as refusal:
        inspect_image(OTHER_IMAGES[content_type], complete=True)
    assert refusal.value.code is ErrorCode.UNSUPPORTED_TYPE
    assert refusal.value.content_type == content_type
    assert content_type in refusal.value.message
    assert "JPEG, PNG, WebP, GIF or AVIF" in refusal.value.message


@pytest.mark.parametrize("kind", TAKEN)
@pytest.mark.parametrize("missing_bytes", [1, 2, 20])
def test_a_whole_file_without_its_end_is_refused(kind: str, missing_bytes: int) -> None:
    data = TAKEN[kind][0]()
    with pytest.raises(TruncatedImageError) as refusal:
        inspect_image(data[:-missing_bytes], complete=True)
    assert refusal.value.code is ErrorCode.IMAGE_TRUNCATED


@pytest.mark.parametrize("kind", ONE_OF_EACH_TYPE)
def test_half_a_file_is_refused_when_nothing_follows(kind: str) -> None:
    half = photographs.truncated(ONE_OF_EACH_TYPE[kind](640, 400))
    inspect_image(half, complete=False)
    with pytest.raises(TruncatedImageError):
        inspect_image(half, complete=True)


@pytest.mark.parametrize("kind", ONE_OF_EACH_TYPE)
def test_what_cameras_append_does_not_matter(kind: str) -> None:
    data = ONE_OF_EACH_TYPE[kind]()
    trailer = b"\x00\x00\x10\x00free" + bytes(4088) if kind == "avif" else b"Image_UTC_Data1606142400000" + bytes(4000)
    assert inspect_image(data + trailer, complete=True) == inspect_image(data, complete=True)


def test_a_second_picture_behind_the_first_does_not_matter() -> None:
    data = photographs.jpeg() + photographs.jpeg(32, 20)
    info = inspect_image(data, complete=True)
    assert (info.width_px, info.height_px, info.frames) == (320, 200, 1)


def test_the_end_of_a_thumbnail_is_not_the_end_of_the_picture() -> None:
    plain, thumbnail = photographs.jpeg(), photographs.jpeg(32, 20)
    segment = b"\xff\xeb" + struct.pack(">H", len(thumbnail) + 2) + thumbnail
    data = plain[:2] + segment + plain[2:]
    assert inspect_image(data, complete=True).width_px == 320
    with pytest.raises(TruncatedImageError):
        inspect_image(data[:-2], complete=True)


@pytest.mark.parametrize("kind", ONE_OF_EACH_TYPE)
def test_a_header_that_cannot_be_read_is_no_image(kind: str) -> None:
    data = ONE_OF_EACH_TYPE[kind]()
    damaged = data[:16] + bytes(len(data) - 16)
    with pytest.raises(NotAnImageError) as refusal:
        inspect_image(damaged, complete=True)
    assert refusal.value.message == (
        f"The file begins like {kind.upper()}, but its header cannot be read; it may be damaged."
    )


def test_a_jpeg_may_describe_itself_at_length() -> None:
    data = photographs.with_long_header(photographs.jpeg(), 1024 * 1024)
    for size_bytes in (65_536, 1024 * 1024):
        with pytest.raises(CutOffHeaderError):
            inspect_image(data[:size_bytes], complete=False)
        with pytest.raises(NotAnImageError, match="its header cannot be read"):
            inspect_image(data[:size_bytes], complete=True)

    assert inspect_image(data[: 1024 * 1024 + 70_000], complete=False).width_px == 320


def test_a_jpeg_that_ends_before_it_begins_is_not_looked_at_again() -> None:
    with pytest.raises(NotAnImageError) as refusal:
        inspect_image(b"\xff\xd8\xff\xe0\x00\x04ab\xff\xd9" + bytes(70_000), complete=False)

    assert type(refusal.value) is NotAnImageError


def test_pixels_are_limited() -> None:
    data = photographs.jpeg()
    assert inspect_image(data, complete=True, max_pixels=64_000).width_px == 320
    with pytest.raises(ImageTooLargeError) as refusal:
        inspect_image(data, complete=True, max_pixels=63_999)
    assert refusal.value.code is ErrorCode.TOO_MANY_PIXELS
    assert "64,000 pixels" in refusal.value.message
    assert "63,999" in refusal.value.message


@pytest.mark.parametrize("complete", [True, False])
def test_a_decompression_bomb_is_refused_by_its_header(complete: bool) -> None:
    bomb = photographs.png_claiming(100_000, 100_000)
    assert len(bomb) < 100
    with pytest.raises(ImageTooLargeError, match="10,000,000,000 pixels"):
        inspect_image(bomb, complete=complete)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("gif", photographs.gif(frames=3)),
        ("webp", photographs.animated_webp(3)),
        ("png", photographs.animated_png(3)),
    ],
    ids=["gif", "webp", "png"],
)
def test_the_pixels_of_all_frames_count(kind: str, data: bytes) -> None:
    assert inspect_image(data, complete=True, max_pixels=192_000).content_type == f"image/{kind}"
    with pytest.raises(ImageTooLargeError, match="192,000 pixels"):
        inspect_image(data, complete=True, max_pixels=191_999)


async def test_the_inspector_applies_its_limit_and_leaves_the_loop_free() -> None:
    inspector = VipsImageInspector(max_pixels=64_000)
    assert await inspector.inspect(photographs.png(), complete=True) == ImageInfo(
        content_type=ContentType.PNG, width_px=320, height_px=200
    )
    with pytest.raises(ImageTooLargeError):
        await inspector.inspect(photographs.png(321, 200), complete=True)


def test_real_photographs() -> None:
    for path in photographs.real_photographs():
        data = path.read_bytes()
        whole = inspect_image(data, complete=True)
        assert whole.content_type is ContentType.JPEG, path.name
        assert inspect_image(data[:262_144], complete=False) == whole, path.name
        with pytest.raises(TruncatedImageError):
            inspect_image(data[:-1000], complete=True)
