"""Finds out whether an image can be decoded, before it is one.

From what is kept of a file while its bytes pass, or else from the file once it is stored.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import pyvips

from gallery.domain.errors import CorruptImageError
from gallery.domain.images import ContentType
from gallery.platform.imaging import vips
from gallery.platform.imaging.errors import UndecodableError
from gallery.platform.imaging.files import DAMAGED, check_pixels
from gallery.platform.imaging.inspect import DEFAULT_MAX_PIXELS
from gallery.platform.imaging.pixels import Outline, RemainderCheck, Room, Whole
from gallery.platform.imaging.pulling import PulledBytes, in_thread

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

    from gallery.domain.images import ImageInfo

MEBIBYTE = 1024 * 1024
_KEPT_BYTES_OF_FILE = 8 * MEBIBYTE
_KEPT_BYTES = 32 * MEBIBYTE
"""What files keep of themselves until they are decoded. Those that find no room are read back."""

MAX_READ_BYTES = 64 * MEBIBYTE
"""The largest file of another format, whose decoder needs all of it. Beyond that only the job decodes it."""

MAX_WHOLE_PIXELS = 50_000_000
"""The largest picture that is decoded as a whole, where the format wants that: AVIF takes 18 bytes for a pixel, WebP
8. Beyond that only the job decodes it, in the memory of a worker."""

_READ_ON = {ContentType.JPEG, ContentType.PNG}
"""The formats whose decoders read on as they need it."""


class VipsImageVerifier:
    """Decodes at most `parallel` images at once, in threads, where libvips lets go of the interpreter."""

    def __init__(self, *, max_pixels: int = DEFAULT_MAX_PIXELS, parallel: int = 2) -> None:
        self._max_pixels = max_pixels
        self._free = asyncio.Semaphore(parallel)
        self._room = Room(_KEPT_BYTES)

    def follow(self, info: ImageInfo) -> RemainderCheck:
        """As the port says. An outline is decoded without waiting for others: that takes less than a millisecond."""
        if info.content_type is ContentType.JPEG:
            return RemainderCheck(Outline(), partial(self._decode_file, info.content_type))
        return RemainderCheck(Whole(self._room, _KEPT_BYTES_OF_FILE), partial(self._decode_in_turn, info.content_type))

    async def verify(self, info: ImageInfo, chunks: AsyncIterable[bytes]) -> None:
        """As the port says. JPEG and PNG files are decoded while they are read; others wait in memory."""
        async with self._free:
            if info.content_type in _READ_ON:
                pulled = PulledBytes(chunks)
                await pulled.used(partial(self._decode, info.content_type))
            elif (file := await _read(chunks)) is not None:
                await self._decode_file(info.content_type, file)

    async def _decode_in_turn(self, content_type: ContentType, file: bytes) -> None:
        async with self._free:
            await self._decode_file(content_type, file)

    async def _decode_file(self, content_type: ContentType, file: bytes) -> None:
        await in_thread(lambda: self._decode(content_type, pyvips.Source.new_from_memory(file)))

    def _decode(self, content_type: ContentType, source: pyvips.Source) -> None:
        try:
            image = vips.open_lines(content_type, source)
            check_pixels(image, self._max_pixels)
            if _is_decoded_in_lines(content_type, image) or image.width * image.height <= MAX_WHOLE_PIXELS:
                vips.read_lines(image)
        except UndecodableError as error:
            raise CorruptImageError(DAMAGED, field=("file",)) from error


def _is_decoded_in_lines(content_type: ContentType, image: pyvips.Image) -> bool:
    """Whether memory holds a few lines of the picture at a time. Of an interlaced one the last lines come first."""
    return content_type in _READ_ON and not image.get_typeof("interlaced")


async def _read(chunks: AsyncIterable[bytes]) -> bytes | None:
    """All bytes, None if they are too many."""
    read = bytearray()
    async for chunk in chunks:
        read += chunk
        if len(read) > MAX_READ_BYTES:
            return None
    return bytes(read)
