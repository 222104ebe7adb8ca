"""Real image files, made in memory: small, exact, and of every kind that people send.

The picture is the same everywhere: red at the top left, green at the top right, blue at the bottom left, white
at the bottom right. Where its corners end up shows whether it was turned rightly.
"""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import pyvips

WIDTH_PX = 320
HEIGHT_PX = 200

RED = (220, 20, 20)
GREEN = (20, 200, 40)
BLUE = (20, 40, 220)
WHITE = (250, 250, 250)

GPS_LATITUDE = "59/1 20/1 3/1"
CAMERA_MAKER = "Ljusmakare"

CORNERS_BY_ORIENTATION = {
    1: (RED, GREEN, BLUE, WHITE),
    2: (GREEN, RED, WHITE, BLUE),
    3: (WHITE, BLUE, GREEN, RED),
    4: (BLUE, WHITE, RED, GREEN),
    5: (RED, BLUE, GREEN, WHITE),
    6: (BLUE, RED, WHITE, GREEN),
    7: (WHITE, GREEN, BLUE, RED),
    8: (GREEN, WHITE, RED, BLUE),
}
"""For an orientation in EXIF, how the picture is to be shown: top left and right, bottom left and right."""

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def picture(width_px: int = WIDTH_PX, height_px: int = HEIGHT_PX) -> pyvips.Image:
    """The picture as pixels in sRGB."""
    right, bottom = width_px - width_px // 2, height_px - height_px // 2
    quarters = [
        _plain(RED, width_px - right, height_px - bottom),
        _plain(GREEN, right, height_px - bottom),
        _plain(BLUE, width_px - right, bottom),
        _plain(WHITE, right, bottom),
    ]
    top, low = quarters[0].join(quarters[1], "horizontal"), quarters[2].join(quarters[3], "horizontal")
    return top.join(low, "vertical").copy(interpretation="srgb").copy_memory()


def with_metadata(image: pyvips.Image, *, orientation: int = 1, gps: bool = True) -> pyvips.Image:
    """The image with what a telephone writes into its files: camera, orientation, place, XMP."""
    described = image.copy()
    described.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    described.set_type(pyvips.GValue.gstr_type, "exif-ifd0-Make", CAMERA_MAKER)
    if gps:
        described.set_type(pyvips.GValue.gstr_type, "exif-ifd3-GPSLatitude", GPS_LATITUDE)
        described.set_type(pyvips.GValue.blob_type, "xmp-data", b"<x:xmpmeta>taken at home</x:xmpmeta>")
    return described


def jpeg(width_px: int = WIDTH_PX, height_px: int = HEIGHT_PX, *, orientation: int = 1, quality: int = 85) -> bytes:
    """A JPEG file with EXIF (camera, place, orientation) and XMP."""
    return _bytes(with_metadata(picture(width_px, height_px), orientation=orientation).jpegsave_buffer(Q=quality))


def progressive_jpeg(width_px: int = WIDTH_PX, height_px: int = HEIGHT_PX) -> bytes:
    """A JPEG file whose picture comes in several scans."""
    return _bytes(picture(width_px, height_px).jpegsave_buffer(interlace=True))


def grainy_jpeg(*, interlace: bool = False, restart_interval: int = 0) -> bytes:
    """A JPEG file with much coded data, in several scans or with restart markers after so many units."""
    grain = pyvips.Image.gaussnoise(WIDTH_PX, HEIGHT_PX, sigma=20, mean=0, seed=1)
    image = (picture() + grain).cast("uchar").copy(interpretation="srgb")
    return _bytes(image.jpegsave_buffer(interlace=interlace, restart_interval=restart_interval))


def jpeg_with_long_header(padding_bytes: int) -> bytes:
    """A JPEG file with that many bytes of application data ahead of the size of the image."""
    plain = jpeg()
    body = b"\xff\xd8" * 30_000
    segment = b"\xff\xeb" + struct.pack(">H", len(body) + 2) + body
    return plain[:2] + segment * -(-padding_bytes // len(segment)) + plain[2:]


def cmyk_jpeg(width_px: int = WIDTH_PX, height_px: int = HEIGHT_PX) -> bytes:
    """A JPEG file for print: four inks and their profile."""
    return _bytes(picture(width_px, height_px).icc_transform("cmyk", embedded=False).jpegsave_buffer())


def bare_cmyk_jpeg() -> bytes:
    """A JPEG file of four inks that does not say which ones."""
    return _bytes(picture().icc_transform("cmyk", embedded=False).jpegsave_buffer(keep="none"))


def wide_gamut_jpeg() -> bytes:
    """A JPEG file in Display P3 with its profile, as telephones make them."""
    return _bytes(picture().icc_transform("p3", embedded=False).jpegsave_buffer(Q=95))


def png(width_px: int = WIDTH_PX, height_px: int = HEIGHT_PX, *, orientation: int = 1) -> bytes:
    """A PNG file with an EXIF chunk."""
    return _bytes(with_metadata(picture(width_px, height_px), orientation=orientation).pngsave_buffer())


def png_with_alpha(width_px: int = WIDTH_PX, height_px: int = HEIGHT_PX) -> bytes:
    """A PNG file whose left half is transparent."""
    left = _plain((0,), width_px // 2, height_px)
    alpha = left.join(_plain((255,), width_px - width_px // 2, height_px), "horizontal")
    return _bytes(picture(width_px, height_px).bandjoin(alpha).pngsave_buffer())


def png_16_bit() -> bytes:
    """A PNG file with 16 bits for each colour."""
    return _bytes(picture().colourspace("rgb16").pngsave_buffer(bitdepth=16))


def grey_png() -> bytes:
    """A PNG file of one channel: a grey of 128."""
    return _bytes(_plain((128,), WIDTH_PX, HEIGHT_PX).copy(interpretation="b-w").pngsave_buffer())


def animated_png(frames: int, width_px: int = WIDTH_PX, height_px: int = HEIGHT_PX) -> bytes:
    """A PNG file that announces an animation; programs without animations show its one picture."""
    still = png(width_px, height_px)
    header_end = len(_PNG_SIGNATURE) + 25
    return still[:header_end] + png_chunk(b"acTL", struct.pack(">II", frames, 0)) + still[header_end:]


def png_claiming(width_px: int, height_px: int) -> bytes:
    """A PNG file of some bytes that unpacks to width times height pixels: a decompression bomb."""
    return (
        _PNG_SIGNATURE
        + png_chunk(b"IHDR", struct.pack(">IIBBBBB", width_px, height_px, 8, 2, 0, 0, 0))
        + png_chunk(b"IDAT", zlib.compress(bytes(1000)))
        + png_chunk(b"IEND", b"")
    )


def png_chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk of a PNG file with its length and checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def gif(width_px: int = WIDTH_PX, height_px: int = HEIGHT_PX, *, frames: int = 1) -> bytes:
    """A GIF file; each frame is the picture, a little darker than the one before."""
    return _bytes(_pages(width_px, height_px, frames).gifsave_buffer(effort=1))


def webp(
    width_px: int = WIDTH_PX, height_px: int = HEIGHT_PX, *, lossless: bool = False, orientation: int = 1
) -> bytes:
    """A WebP file of the extended form, with EXIF and XMP behind its pixels."""
    image = with_metadata(picture(width_px, height_px), orientation=orientation)
    return _bytes(image.webpsave_buffer(lossless=lossless))


def simple_webp(width_px: int = WIDTH_PX, height_px: int = HEIGHT_PX, *, lossless: bool = False) -> bytes:
    """A WebP file of the simple form: pixels alone."""
    return _bytes(picture(width_px, height_px).webpsave_buffer(lossless=lossless, keep="none"))


def animated_webp(frames: int, width_px: int = WIDTH_PX, height_px: int = HEIGHT_PX) -> bytes:
    """A WebP file with several frames."""
    return _bytes(_pages(width_px, height_px, frames).webpsave_buffer(effort=0))


def avif(width_px: int = WIDTH_PX, height_px: int = HEIGHT_PX, *, orientation: int = 1) -> bytes:
    """An AVIF file; its orientation is a property of the file format, beside EXIF."""
    image = with_metadata(picture(width_px, height_px), orientation=orientation)
    return _bytes(image.heifsave_buffer(compression="av1", effort=0, Q=70))


def tiff() -> bytes:
    """A TIFF file: an image that the gallery does not take."""
    return _bytes(picture(16, 10).tiffsave_buffer())


def truncated(data: bytes, keep: float = 0.5) -> bytes:
    """The first part of a file, as a broken transfer leaves it."""
    return data[: int(len(data) * keep)]


def real_photographs() -> list[Path]:
    """The photographs in the folder GALLERY_TEST_PHOTOS, or else in `shared/photos` beside the project."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "photos"
    folder = Path(os.environ.get("GALLERY_TEST_PHOTOS", beside))
    return sorted(folder.glob("*.jpg")) if folder.is_dir() else []


def _plain(colour: tuple[int, ...], width_px: int, height_px: int) -> pyvips.Image:
    return (pyvips.Image.black(width_px, height_px, bands=len(colour)) + list(colour)).cast("uchar")


def _pages(width_px: int, height_px: int, frames: int) -> pyvips.Image:
    still = picture(width_px, height_px)
    pages = [(still * (1 - index / (2 * frames))).cast("uchar") for index in range(frames)]
    animation = pyvips.Image.arrayjoin(pages, across=1).copy(interpretation="srgb")
    animation.set_type(pyvips.GValue.gint_type, "page-height", height_px)
    return animation


def _bytes(encoded: object) -> bytes:
    assert isinstance(encoded, bytes)
    return encoded


def with_long_header(jpeg_file: bytes, size_bytes: int) -> bytes:
    """A JPEG file with so many bytes of descriptions before its picture, as layered editors write them."""
    segment = b"\xff\xed\xff\xff" + bytes(65_533)
    return jpeg_file[:2] + segment * -(-size_bytes // len(segment)) + jpeg_file[2:]
