"""Images in files: where their bytes wait while libvips reads them, and what is found in there."""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager
from mmap import ACCESS_READ, mmap
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryFile
from typing import TYPE_CHECKING

from gallery.domain.errors import ImageTooLargeError
from gallery.platform.imaging.inspect import is_whole
from gallery.platform.imaging.sniffing import SNIFFED_BYTES, sniff

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator

    import pyvips

    from gallery.domain.images import ContentType

DAMAGED = "The pixels of the image are damaged and cannot be decoded. Send the original file again."


@asynccontextmanager
async def spooled(chunks: AsyncIterable[bytes]) -> AsyncIterator[Path]:
    """A temporary file of the bytes, which is gone afterwards.

    On Linux it never has a name in a folder, so that a process that is killed leaves nothing behind.
    """
    nameless = sys.platform == "linux"
    with TemporaryFile() if nameless else NamedTemporaryFile(prefix="gallery-") as file:
        async for chunk in chunks:
            await asyncio.to_thread(file.write, chunk)
        await asyncio.to_thread(file.flush)
        yield Path(f"/proc/self/fd/{file.fileno()}" if nameless else file.name)


def sniff_file(source: Path) -> ContentType:
    """The type of an image in a file.

    Raises:
        RefusedFileError: if it is none that the gallery takes.
    """
    with source.open("rb") as file:
        return sniff(memoryview(file.read(SNIFFED_BYTES)))


def check_pixels(image: pyvips.Image, max_pixels: int) -> None:
    """Passes if the frame is small enough to be decoded.

    Raises:
        ImageTooLargeError: if not.
    """
    pixels = image.width * image.height
    if pixels > max_pixels:
        raise ImageTooLargeError(pixels, max_pixels)


def why_undecodable(content_type: ContentType, source: Path) -> str:
    """Why an image cannot be decoded.

    Found in the file itself: the messages of libvips are mixed between the threads of the process, and name
    its functions.
    """
    with source.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as data:
        if is_whole(content_type, memoryview(data)):
            return DAMAGED
    return "The file ends before the image does. Send it again whole."
