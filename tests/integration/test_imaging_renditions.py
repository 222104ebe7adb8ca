"""The smaller copies of an image: their sizes, their colours, and all that must not be in them."""

from __future__ import annotations

import struct
import sys
import tempfile
from typing import TYPE_CHECKING

import pytest
import pyvips

from gallery.domain.errors import (
    CorruptImageError,
    ErrorCode,
    ImageTooLargeError,
    NotAnImageError,
    UnsupportedTypeError,
)
from gallery.domain.images import RenditionSize
from gallery.platform.imaging.errors import UndecodableError
from gallery.platform.imaging.files import spooled
from gallery.platform.imaging.inspect import inspect_image
from gallery.platform.imaging.renditions import DEFAULT_SIZES_PX, VipsImageRenderer, make_renditions
from tests import photographs
from tests.photographs import BLUE, CORNERS_BY_ORIENTATION, GREEN, RED, WHITE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from gallery.domain.ports import RenderedImage

SIZES_PX = {RenditionSize.SMALL: 40, RenditionSize.MEDIUM: 160, RenditionSize.LARGE: 2048}

COLOURFUL: dict[str, Callable[[], bytes]] = {
    "jpeg": photographs.jpeg,
    "progressive jpeg": photographs.progressive_jpeg,
    "jpeg in Display P3": photographs.wide_gamut_jpeg,
    "png": photographs.png,
    "png of 16 bits": photographs.png_16_bit,
    "animated png": lambda: photographs.animated_png(3),
    "gif": photographs.gif,
    "animated gif": lambda: photographs.gif(frames=3),
    "webp": photographs.webp,
    "lossless webp": lambda: photographs.webp(lossless=True),
    "animated webp": lambda: photographs.animated_webp(3),
    "avif": photographs.avif,
}

WITH_METADATA: dict[str, Callable[..., bytes]] = {
    "jpeg": photographs.jpeg,
    "png": photographs.png,
    "webp": photographs.webp,
    "avif": photographs.avif,
}


@pytest.fixture
def file_with(tmp_path: Path) -> Callable[[bytes], Path]:
    """Writes bytes to a file whose name would mean something to libvips."""

    def write(data: bytes) -> Path:
        path = tmp_path / "photo[page=1,shrink=8].pdf"
        path.write_bytes(data)
        return path

    return write


@pytest.mark.parametrize("kind", COLOURFUL)
def test_renditions_have_their_sizes_and_the_colours_of_the_first_frame(
    kind: str, file_with: Callable[[bytes], Path]
) -> None:
    renditions = make_renditions(file_with(COLOURFUL[kind]()), SIZES_PX)
    assert [(made.size, made.content_type, made.width_px, made.height_px) for made in renditions] == [
        (RenditionSize.SMALL, "image/webp", 40, 25),
        (RenditionSize.MEDIUM, "image/webp", 160, 100),
        (RenditionSize.LARGE, "image/webp", 320, 200),
    ]
    for made in renditions:
        assert_whole_webp(made)
        assert_corners(made, (RED, GREEN, BLUE, WHITE))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", WITH_METADATA)
def test_renditions_stand_upright(kind: str, orientation: int, file_with: Callable[[bytes], Path]) -> None:
    data = WITH_METADATA[kind](orientation=orientation)
    renditions = make_renditions(file_with(data), SIZES_PX)
    upright = [(40, 25), (160, 100), (320, 200)]
    expected = upright if orientation <= 4 else [(height, width) for width, height in upright]
    assert [(made.width_px, made.height_px) for made in renditions] == expected
    info = inspect_image(data, complete=True)
    assert (info.width_px, info.height_px) == expected[-1]
    for made in renditions:
        assert_corners(made, CORNERS_BY_ORIENTATION[orientation])


@pytest.mark.parametrize("kind", WITH_METADATA)
def test_renditions_carry_no_metadata(kind: str, file_with: Callable[[bytes], Path]) -> None:
    source = file_with(WITH_METADATA[kind](orientation=6))
    original = pyvips.Image.new_from_source(pyvips.Source.new_from_file(str(source)), "")
    assert {"exif-data", "exif-ifd3-GPSLatitude", "xmp-data"} <= set(original.get_fields())
    for made in make_renditions(source, SIZES_PX):
        assert webp_chunks(made.data).keys() <= {"VP8 "}
        decoded = pyvips.Image.webpload_buffer(made.data)
        assert not [name for name in decoded.get_fields() if name.startswith(("exif", "xmp", "iptc", "icc"))]
        assert photographs.CAMERA_MAKER.encode() not in made.data


def test_transparency_is_kept(file_with: Callable[[bytes], Path]) -> None:
    for made in make_renditions(file_with(photographs.png_with_alpha()), SIZES_PX):
        image = pyvips.Image.webpload_buffer(made.data)
        assert image.hasalpha()
        assert image(1, 1)[3] == 0
        assert image(made.width_px - 2, 1)[3] == 255
        assert webp_chunks(made.data).keys() == {"VP8X", "ALPH", "VP8 "}


def test_print_colours_become_screen_colours(file_with: Callable[[bytes], Path]) -> None:
    for made in make_renditions(file_with(photographs.cmyk_jpeg()), SIZES_PX):
        assert pyvips.Image.webpload_buffer(made.data).bands == 3
        assert_corners(made, ((225, 43, 43), (116, 178, 48), (44, 69, 142), (248, 248, 248)))


def test_grey_stays_grey(file_with: Callable[[bytes], Path]) -> None:
    for made in make_renditions(file_with(photographs.grey_png()), SIZES_PX):
        assert_corners(made, ((128, 128, 128),) * 4)


def test_colours_of_a_profile_are_converted(file_with: Callable[[bytes], Path]) -> None:
    data = photographs.wide_gamut_jpeg()
    stored = pyvips.Image.jpegload_buffer(data)(5, 195)
    assert max(abs(value - blue) for value, blue in zip(stored, BLUE, strict=True)) > 8
    (made,) = make_renditions(file_with(data), {RenditionSize.LARGE: 2048})
    assert_corners(made, (RED, GREEN, BLUE, WHITE))


def test_a_very_long_image_keeps_a_pixel_of_height(file_with: Callable[[bytes], Path]) -> None:
    renditions = make_renditions(file_with(photographs.png(4000, 2)), DEFAULT_SIZES_PX)
    assert [(made.width_px, made.height_px) for made in renditions] == [(320, 1), (960, 1), (2048, 1)]


def test_quality_trades_bytes_for_detail(file_with: Callable[[bytes], Path]) -> None:
    source = file_with(photographs.jpeg(800, 500))
    (good,) = make_renditions(source, {RenditionSize.MEDIUM: 500}, quality=95)
    (poor,) = make_renditions(source, {RenditionSize.MEDIUM: 500}, quality=20)
    assert len(poor.data) < len(good.data)


@pytest.mark.parametrize("kind", WITH_METADATA)
def test_a_file_that_ends_early_is_refused_with_the_reason(kind: str, file_with: Callable[[bytes], Path]) -> None:
    source = file_with(photographs.truncated(WITH_METADATA[kind](640, 400), keep=0.7))
    with pytest.raises(CorruptImageError) as refusal:
        make_renditions(source, SIZES_PX)
    assert refusal.value.code is ErrorCode.IMAGE_CORRUPT
    assert refusal.value.message == "The file ends before the image does. Send it again whole."
    assert isinstance(refusal.value.__cause__, UndecodableError)


@pytest.mark.parametrize("kind", ["png", "webp", "avif"])
def test_damaged_pixels_are_refused_with_the_reason(kind: str, file_with: Callable[[bytes], Path]) -> None:
    data = WITH_METADATA[kind](orientation=1)
    middle = data.index({"png": b"IDAT", "webp": b"VP8 ", "avif": b"mdat"}[kind]) + 12
    source = file_with(data[:middle] + b"\xff\x55" * 40 + data[middle + 80 :])
    with pytest.raises(CorruptImageError) as refusal:
        make_renditions(source, SIZES_PX)
    assert refusal.value.message == (
        "The pixels of the image are damaged and cannot be decoded. Send the original file again."
    )


def test_a_bomb_is_not_decoded(file_with: Callable[[bytes], Path]) -> None:
    with pytest.raises(ImageTooLargeError, match="10,000,000,000 pixels"):
        make_renditions(file_with(photographs.png_claiming(100_000, 100_000)), SIZES_PX)


def test_types_that_are_not_taken_reach_no_decoder(file_with: Callable[[bytes], Path]) -> None:
    with pytest.raises(UnsupportedTypeError, match="image/tiff"):
        make_renditions(file_with(photographs.tiff()), SIZES_PX)
    with pytest.raises(NotAnImageError):
        make_renditions(file_with(b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>"), SIZES_PX)
    with pytest.raises(pyvips.Error, match="blocked"):
        pyvips.Image.tiffload_buffer(photographs.tiff())


def test_a_missing_file_is_the_callers_affair(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        make_renditions(tmp_path / "nothing", SIZES_PX)


def test_libvips_keeps_nothing_between_images(file_with: Callable[[bytes], Path]) -> None:
    make_renditions(file_with(photographs.jpeg()), SIZES_PX)
    assert pyvips.cache_get_size() == 0


async def test_the_renderer_takes_chunks_and_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    data = photographs.jpeg(orientation=6)
    renditions = await VipsImageRenderer(SIZES_PX, parallel=1).render(chunks_of(data, 500))
    assert [(made.width_px, made.height_px) for made in renditions] == [(25, 40), (100, 160), (200, 320)]
    assert files_in(tmp_path) == []


async def test_the_renderer_leaves_no_file_after_a_failure_and_works_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    renderer = VipsImageRenderer(SIZES_PX, parallel=1)
    with pytest.raises(CorruptImageError):
        await renderer.render(chunks_of(photographs.truncated(photographs.png()), 500))
    assert files_in(tmp_path) == []
    assert len(await renderer.render(chunks_of(photographs.png(), 500))) == 3


def test_real_photographs() -> None:
    for path in photographs.real_photographs():
        info = inspect_image(path.read_bytes(), complete=True)
        renditions = make_renditions(path, DEFAULT_SIZES_PX, effort=0)
        assert [made.size for made in renditions] == list(RenditionSize), path.name
        for made in renditions:
            longest_px = min(DEFAULT_SIZES_PX[made.size], max(info.width_px, info.height_px))
            assert max(made.width_px, made.height_px) == longest_px, path.name
            assert made.width_px / made.height_px == pytest.approx(info.width_px / info.height_px, rel=0.01)
            assert webp_chunks(made.data).keys() == {"VP8 "}, path.name


def test_a_real_photograph_that_ends_early(file_with: Callable[[bytes], Path]) -> None:
    for path in photographs.real_photographs()[:2]:
        with pytest.raises(CorruptImageError, match="The file ends before the image does"):
            make_renditions(file_with(path.read_bytes()[:-2000]), DEFAULT_SIZES_PX)


def files_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def chunks_of(data: bytes, size_bytes: int) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size_bytes):
        yield data[start : start + size_bytes]


def assert_whole_webp(made: RenderedImage) -> None:
    info = inspect_image(made.data, complete=True)
    assert info.content_type == made.content_type
    assert (info.width_px, info.height_px, info.frames) == (made.width_px, made.height_px, 1)


def assert_corners(made: RenderedImage, expected: Sequence[tuple[int, int, int]]) -> None:
    image = pyvips.Image.webpload_buffer(made.data)
    right, bottom = made.width_px - 3, made.height_px - 3
    corners = [image(2, 2), image(right, 2), image(2, bottom), image(right, bottom)]
    for corner, colour in zip(corners, expected, strict=True):
        assert corner[:3] == pytest.approx(colour, abs=8)


def webp_chunks(data: bytes) -> dict[str, bytes]:
    """The chunks of a WebP file by their names (RFC 9649), read without the code under test."""
    assert data[:4] == b"RIFF"
    assert data[8:12] == b"WEBP"
    chunks, position = {}, 12
    while position < len(data):
        name, size = data[position : position + 4].decode(), struct.unpack_from("<I", data, position + 4)[0]
        chunks[name] = data[position + 8 : position + 8 + size]
        position += 8 + size + size % 2
    return chunks


@pytest.mark.skipif(sys.platform != "linux", reason="files without a name are a matter of Linux")
async def test_what_waits_for_the_decoder_never_has_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    seen: list[list[Path]] = []

    async def chunks() -> AsyncIterator[bytes]:
        content = photographs.jpeg()
        yield content[:100]
        seen.append(files_in(tmp_path))
        yield content[100:]

    async with spooled(chunks()) as source:
        seen.append(files_in(tmp_path))
        assert source.read_bytes() == photographs.jpeg()
    assert seen == [[], []]
