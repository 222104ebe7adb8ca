"""Finds out whether an image can be decoded, at the price of one decoding."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gallery.domain.errors import CorruptImageError
from gallery.platform.imaging import vips
from gallery.platform.imaging.errors import UndecodableError
from gallery.platform.imaging.files import check_pixels, sniff_file, spooled, why_undecodable
from gallery.platform.imaging.inspect import DEFAULT_MAX_PIXELS

if TYPE_CHECKING:
    from collections.abc import AsyncIterable
    from pathlib import Path


def verify_image(source: Path, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> None:
    """Passes if the pixels of the first frame in a file can be decoded.

    Takes long: belongs in a thread, where libvips lets go of the interpreter.

    Raises:
        CorruptImageError: if not, with a reason for people.
        RefusedFileError: another kind of it, if the file is none that `inspect_image` takes.
        OSError: if the file cannot be read.
    """
    content_type = sniff_file(source)
    try:
        check_pixels(vips.open_file(content_type, source), max_pixels)
        vips.decode(content_type, source)
    except UndecodableError as error:
        raise CorruptImageError(why_undecodable(content_type, source), field=("file",)) from error


class VipsImageVerifier:
    """`verify_image` in threads, as many at once as are asked for."""

    def __init__(self, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> None:
        self._max_pixels = max_pixels

    async def verify(self, chunks: AsyncIterable[bytes]) -> None:
        """As the port says. The bytes wait in a temporary file, which is gone afterwards."""
        async with spooled(chunks) as source:
            await asyncio.to_thread(verify_image, source, max_pixels=self._max_pixels)
