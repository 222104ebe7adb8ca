"""Makes the renditions of an image: smaller copies in WebP that carry pixels and nothing else."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import pyvips

from gallery.domain.errors import CorruptImageError
from gallery.domain.images import RenditionSize
from gallery.domain.ports import RenderedImage
from gallery.platform.imaging import vips
from gallery.platform.imaging.errors import UndecodableError
from gallery.platform.imaging.files import check_pixels, sniff_file, spooled, why_undecodable
from gallery.platform.imaging.inspect import DEFAULT_MAX_PIXELS

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Iterator, Mapping


DEFAULT_SIZES_PX = {RenditionSize.SMALL: 320, RenditionSize.MEDIUM: 960, RenditionSize.LARGE: 2048}
DEFAULT_QUALITY = 80
DEFAULT_EFFORT = 4


def make_renditions(
    source: Path,
    sizes_px: Mapping[RenditionSize, int],
    *,
    quality: int = DEFAULT_QUALITY,
    effort: int = DEFAULT_EFFORT,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> tuple[RenderedImage, ...]:
    """The first frame of an image upright, in sRGB and without metadata, for each size; smallest first.

    A size is the longest edge in pixels; no image is enlarged. The file is decoded once, to the largest size,
    from which the others are made. Takes long: belongs in a thread, where libvips lets go of the interpreter.

    Raises:
        CorruptImageError: if the pixels cannot be decoded, with a reason for people.
        RefusedFileError: another kind of it, if the file is none that `inspect_image` takes.
        OSError: if the file cannot be read.
    """
    content_type = sniff_file(source)
    descending = sorted(sizes_px.items(), key=lambda item: -item[1])
    try:
        check_pixels(vips.open_file(content_type, source), max_pixels)
        with vips.failing_as(UndecodableError):
            shrunk = list(_shrink(source, [edge_px for _, edge_px in descending]))
    except UndecodableError as error:
        raise CorruptImageError(why_undecodable(content_type, source), field=("file",)) from error
    rendered = [
        RenderedImage(
            size=size,
            content_type="image/webp",
            width_px=image.width,
            height_px=image.height,
            data=image.webpsave_buffer(Q=quality, effort=effort, keep="none"),
        )
        for (size, _), image in zip(descending, shrunk, strict=True)
    ]
    return tuple(reversed(rendered))


class VipsImageRenderer:
    """`make_renditions` in threads, with what the settings say, for at most `parallel` images at once."""

    def __init__(
        self,
        sizes_px: Mapping[RenditionSize, int] = DEFAULT_SIZES_PX,
        *,
        quality: int = DEFAULT_QUALITY,
        max_pixels: int = DEFAULT_MAX_PIXELS,
        parallel: int = 2,
    ) -> None:
        self._sizes_px = dict(sizes_px)
        self._quality = quality
        self._max_pixels = max_pixels
        self._free = asyncio.Semaphore(parallel)

    async def render(self, chunks: AsyncIterable[bytes]) -> tuple[RenderedImage, ...]:
        """The renditions of the image whose bytes are given, as in `make_renditions`.

        The bytes wait in a temporary file, which is gone afterwards; memory holds a few lines of the image only.
        """
        async with self._free, spooled(chunks) as source:
            return await asyncio.to_thread(self._make, source)

    def _make(self, source: Path) -> tuple[RenderedImage, ...]:
        return make_renditions(source, self._sizes_px, quality=self._quality, max_pixels=self._max_pixels)


def _shrink(source: Path, edges_px: list[int]) -> Iterator[pyvips.Image]:
    """The image in memory at each longest edge, given largest first, each made from the one before.

    The option string says what stops the decoder: the argument `fail_on` of `thumbnail_source` does not reach
    the loader.
    """
    image: pyvips.Image | None = None
    for edge_px in edges_px:
        if image is None:
            image = pyvips.Image.thumbnail_source(
                pyvips.Source.new_from_file(str(source)),
                edge_px,
                height=edge_px,
                size="down",
                output_profile="srgb",
                option_string="[fail_on=error]",
            ).copy_memory()
        else:
            image = image.thumbnail_image(edge_px, height=edge_px, size="down").copy_memory()
        yield image
