"""Tells from the first bytes of a file what image it is, before anything of it is stored."""

from __future__ import annotations

import asyncio
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from gallery.domain.errors import (
    CutOffHeaderError,
    EmptyFileError,
    ImageTooLargeError,
    NotAnImageError,
    TruncatedImageError,
)
from gallery.domain.images import ContentType, ImageInfo
from gallery.platform.imaging import avif, errors, gif, jpeg, png, webp
from gallery.platform.imaging.sniffing import sniff

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gallery.platform.imaging.layout import Header
    from gallery.platform.imaging.wholeness import Walk

DEFAULT_MAX_PIXELS = 200_000_000


class Format(Protocol):
    """What is known of a file format."""

    def read_header(self, data: memoryview) -> Header:
        """The size of the image; raises `UnreadableHeaderError` if it cannot be told."""
        ...

    def follow(self) -> Walk:
        """Follows a file whose header can be read, from its first byte on."""
        ...


FORMATS: Mapping[ContentType, Format] = MappingProxyType(
    {
        ContentType.JPEG: jpeg,
        ContentType.PNG: png,
        ContentType.WEBP: webp,
        ContentType.GIF: gif,
        ContentType.AVIF: avif,
    }
)


def inspect_image(
    head: bytes | bytearray | memoryview, *, complete: bool, max_pixels: int = DEFAULT_MAX_PIXELS
) -> ImageInfo:
    """What the image is whose file begins with `head`; nothing is decoded.

    `complete` says that the head is the whole file; only then must the image's end be there. Of a longer file
    those frames count that begin in the head.

    Raises:
        EmptyFileError: if there are no bytes.
        CutOffHeaderError: if a longer head may tell.
        NotAnImageError: if it is no image, or one whose header cannot be read.
        UnsupportedTypeError: if it is an image of a type that the gallery does not take.
        ImageTooLargeError: if width times height times frames is above `max_pixels`.
        TruncatedImageError: if the file ends before the image does.
    """
    data = memoryview(head)
    if not data:
        raise EmptyFileError
    content_type = sniff(data)
    header = _read_header(content_type, data, complete=complete)
    pixels = header.width_px * header.height_px * header.frames
    if pixels > max_pixels:
        raise ImageTooLargeError(pixels, max_pixels)
    if complete and not is_whole(content_type, data):
        raise TruncatedImageError
    return ImageInfo(
        content_type=content_type, width_px=header.width_px, height_px=header.height_px, frames=header.frames
    )


class VipsImageInspector:
    """`inspect_image` with the limit from the settings, for some formats beside the event loop."""

    def __init__(self, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> None:
        self._max_pixels = max_pixels

    async def inspect(self, head: bytes, *, complete: bool) -> ImageInfo:
        """What the file is, as in `inspect_image`.

        The header of a JPEG file takes a fifth of a millisecond whatever is in it, less than a thread waits for its
        turn; others hold compressed data, or are read by libraries that take their time.
        """
        if head.startswith(jpeg.SIGNATURE):
            return inspect_image(head, complete=complete, max_pixels=self._max_pixels)
        return await asyncio.to_thread(inspect_image, head, complete=complete, max_pixels=self._max_pixels)

    def follow(self, info: ImageInfo) -> Walk:
        """Follows the file from its first byte on; takes less than a millisecond of processor time for a mebibyte."""
        return FORMATS[info.content_type].follow()


def is_whole(content_type: ContentType, data: memoryview) -> bool:
    """Whether a file whose header can be read has its end."""
    walk = FORMATS[content_type].follow()
    walk.feed(data)
    return walk.is_whole


def _read_header(content_type: ContentType, data: memoryview, *, complete: bool) -> Header:
    name = content_type.removeprefix("image/").upper()
    message = f"The file begins like {name}, but its header cannot be read; it may be damaged."
    try:
        header = FORMATS[content_type].read_header(data)
    except errors.CutOffHeaderError as error:
        raise (NotAnImageError if complete else CutOffHeaderError)(message) from error
    except errors.UnreadableHeaderError as error:
        raise NotAnImageError(message) from error
    if not (header.width_px and header.height_px):
        raise NotAnImageError(message)
    return header
