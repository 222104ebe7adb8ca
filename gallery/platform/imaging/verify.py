"""Finds out whether an image can be decoded, before it is one.

From what is kept of a file while its bytes pass, or else from the file once it is stored.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
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

_MEBIBYTE = 1024 * 1024

_SHORT_OUTLINE_BYTES = 64 * 1024
"""An outline of this size is decoded in a few milliseconds; real ones have less."""

_READ_ON = {ContentType.JPEG, ContentType.PNG}
"""The formats whose decoders read on as they need it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodingLimits:
    """What decoding may take before an image exists. Larger ones that are not refused are left to the job alone."""

    max_pixels: int = DEFAULT_MAX_PIXELS
    """Pictures beyond are refused."""
    max_whole_pixels: int = 50_000_000
    """The largest picture that is not decoded line by line: AVIF takes 18 bytes for a pixel, WebP 8."""
    max_read_bytes: int = 64 * _MEBIBYTE
    """The largest file that is read into memory, which all formats but JPEG and PNG need."""
    kept_bytes_of_file: int = 8 * _MEBIBYTE
    """The largest file that is kept while it passes; of a JPEG file only the outline is."""
    kept_bytes: int = 32 * _MEBIBYTE
    """The same for all files together. Those that find no room are read back."""


DEFAULT_LIMITS = DecodingLimits()


class VipsImageVerifier:
    """Decodes at most `parallel` images at once, in threads, where libvips lets go of the interpreter."""

    def __init__(self, limits: DecodingLimits = DEFAULT_LIMITS, *, parallel: int = 2) -> None:
        self._limits = limits
        self._free = asyncio.Semaphore(parallel)
        self._room = Room(limits.kept_bytes)

    def follow(self, info: ImageInfo) -> RemainderCheck:
        """As the port says. A short outline is decoded without waiting for others: real ones take a millisecond."""
        if info.content_type is ContentType.JPEG:
            return RemainderCheck(Outline(), self._decode_outline)
        whole = Whole(self._room, self._limits.kept_bytes_of_file)
        return RemainderCheck(whole, partial(self._decode_in_turn, info.content_type))

    async def verify(self, info: ImageInfo, chunks: AsyncIterable[bytes]) -> None:
        """As the port says. JPEG and PNG files are decoded while they are read; others wait in memory."""
        async with self._free:
            if info.content_type in _READ_ON:
                pulled = PulledBytes(chunks)
                await pulled.used(partial(self._decode, info.content_type))
            elif (file := await _read(chunks, self._limits.max_read_bytes)) is not None:
                await self._decode_file(info.content_type, file)

    async def _decode_outline(self, outline: bytes) -> None:
        if len(outline) > _SHORT_OUTLINE_BYTES:
            await self._decode_in_turn(ContentType.JPEG, outline)
        else:
            await self._decode_file(ContentType.JPEG, outline)

    async def _decode_in_turn(self, content_type: ContentType, file: bytes) -> None:
        async with self._free:
            await self._decode_file(content_type, file)

    async def _decode_file(self, content_type: ContentType, file: bytes | bytearray) -> None:
        await in_thread(lambda: self._decode(content_type, pyvips.Source.new_from_memory(file)))

    def _decode(self, content_type: ContentType, source: pyvips.Source) -> None:
        try:
            image = vips.open_lines(content_type, source)
            check_pixels(image, self._limits.max_pixels)
            if _is_decoded_in_lines(content_type, image) or image.width * image.height <= self._limits.max_whole_pixels:
                vips.read_lines(image)
        except UndecodableError as error:
            raise CorruptImageError(DAMAGED, field=("file",)) from error


def _is_decoded_in_lines(content_type: ContentType, image: pyvips.Image) -> bool:
    """Whether memory holds a few lines of the picture at a time. Of an interlaced one the last lines come first."""
    return content_type in _READ_ON and not image.get_typeof("interlaced")


async def _read(chunks: AsyncIterable[bytes], max_bytes: int) -> bytearray | None:
    """All bytes, None if they are too many."""
    read = bytearray()
    async for chunk in chunks:
        read += chunk
        if len(read) > max_bytes:
            return None
    return read
