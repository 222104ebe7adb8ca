"""The one door to libvips: what it may read, how many threads and how much memory it may take.

libvips keeps such settings for the whole process; they are made when this module is first imported. Only the
loaders of the formats that the gallery takes stay open: a file that libvips would take for something else, like
a PDF or an SVG with links, reaches no parser at all.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pyvips

from gallery.domain.images import ContentType
from gallery.platform.imaging import exif
from gallery.platform.imaging.errors import UndecodableError, UnreadableHeaderError
from gallery.platform.imaging.layout import Header

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

_LOADERS = {
    ContentType.JPEG: ("VipsForeignLoadJpeg", "jpegload"),
    ContentType.PNG: ("VipsForeignLoadPng", "pngload"),
    ContentType.WEBP: ("VipsForeignLoadWebp", "webpload"),
    ContentType.GIF: ("VipsForeignLoadNsgif", "gifload"),
    ContentType.AVIF: ("VipsForeignLoadHeif", "heifload"),
}
"""For each format the loader's class, which is what blocking names, and its operation."""

_BLOCKED = True

_MAX_THREADS_PER_IMAGE = 2
"""More than two hardly speed up one image, and several are made at once (docs/adr/0006-imaging.md)."""


def _configure() -> None:
    """Closes every loader but ours, and keeps no results: an image is never asked for twice."""
    pyvips.block_untrusted_set(_BLOCKED)
    pyvips.operation_block_set("VipsForeignLoad", _BLOCKED)
    for class_name, _ in _LOADERS.values():
        pyvips.operation_block_set(class_name, not _BLOCKED)
    pyvips.cache_set_max(0)
    pyvips.concurrency_set(min(_MAX_THREADS_PER_IMAGE, os.cpu_count() or 1))


_configure()


def read_header(content_type: ContentType, data: memoryview) -> Header:
    """The size of the image in a buffer after orientation, and its frames; the pixels are not decoded.

    Raises:
        UnreadableHeaderError: if libvips cannot make sense of the header.
    """
    load = getattr(pyvips.Image, f"{_LOADERS[content_type][1]}_buffer")
    with failing_as(UnreadableHeaderError):
        image = load(data)
    width, height = (image.height, image.width) if _is_turned(image) else (image.width, image.height)
    return Header(width_px=width, height_px=height, frames=_number(image, "n-pages"))


def open_file(content_type: ContentType, path: Path) -> pyvips.Image:
    """The first frame in a file through the loader of the type, its pixels not decoded.

    Raises:
        UndecodableError: if libvips cannot make sense of the header.
    """
    load = getattr(pyvips.Image, f"{_LOADERS[content_type][1]}_source")
    with failing_as(UndecodableError):
        return load(pyvips.Source.new_from_file(str(path)))


def open_lines(content_type: ContentType, source: pyvips.Source) -> pyvips.Image:
    """The first frame in a source, to be decoded line by line, as far as the format has lines.

    Raises:
        UndecodableError: if libvips cannot make sense of the header.
    """
    load = getattr(pyvips.Image, f"{_LOADERS[content_type][1]}_source")
    with failing_as(UndecodableError):
        return load(source, access="sequential", fail_on="error")


def read_lines(image: pyvips.Image) -> None:
    """Decodes an image of `open_lines` and keeps nothing of it: its last pixel takes all lines. No other thread helps.

    Raises:
        UndecodableError: if the pixels are damaged.
    """
    with failing_as(UndecodableError):
        pyvips.Region.new(image).fetch(image.width - 1, image.height - 1, 1, 1)


@contextmanager
def failing_as(error_type: type[ValueError]) -> Generator[None]:
    """Turns the failures of libvips into an error of this package.

    Where a message of libvips quotes bytes of the file that are no UTF-8, pyvips fails to decode the message, raises
    that instead, and leaves the message in the way of the next.
    """
    try:
        yield
    except pyvips.Error as error:
        raise error_type(str(error)) from error
    except UnicodeDecodeError as error:
        pyvips.vips_lib.vips_error_clear()
        message = "libvips quotes the file"
        raise error_type(message) from error


def _is_turned(image: pyvips.Image) -> bool:
    return _number(image, "orientation") in exif.TURNED


def _number(image: pyvips.Image, name: str) -> int:
    """A number among the metadata of an image, 1 if there is none."""
    return int(image.get(name)) if image.get_typeof(name) else 1
