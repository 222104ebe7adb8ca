"""What kind of file some bytes are, by their content. Names and declared types are never looked at."""

from __future__ import annotations

import filetype

from gallery.domain.errors import NotAnImageError, UnsupportedTypeError
from gallery.domain.images import ContentType

SNIFFED_BYTES = 4096
"""How much of a file's beginning is looked at."""

_SAME_FILE_FORMAT = {"image/apng": ContentType.PNG}

_BMP_HEADER_SIZES = {12, 16, 40, 52, 56, 64, 108, 124}
"""The sizes that the second header of a BMP file can have; its signature alone, "BM", begins many texts."""

_ISO_BRANDS = {
    b"avis": "image/avif-sequence",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"heim": "image/heic",
    b"heis": "image/heic",
    b"hevc": "image/heic-sequence",
    b"hevx": "image/heic-sequence",
    b"mif1": "image/heif",
    b"msf1": "image/heif-sequence",
}
"""Brands of image files that `filetype` does not name (ISO/IEC 23008-12, annex B; AVIF 1.1, section 6)."""

_SIGNATURES = {b"\xff\x0a": "image/jxl", b"\x00\x00\x00\x0cJXL \r\n\x87\n": "image/jxl"}


def sniff(head: memoryview) -> ContentType:
    """The type of the image that begins with these bytes.

    Raises:
        NotAnImageError: if no image begins so.
        UnsupportedTypeError: if it is an image of a type that the gallery does not take.
    """
    beginning = bytes(head[:SNIFFED_BYTES])
    found = _media_type(beginning)
    if found is None:
        raise NotAnImageError
    try:
        return _SAME_FILE_FORMAT.get(found) or ContentType(found)
    except ValueError:
        raise UnsupportedTypeError(found) from None


def _media_type(beginning: bytes) -> str | None:
    match = filetype.image_match(beginning)
    if match is None:
        return _without_library(beginning)
    if match.mime == "image/bmp" and int.from_bytes(beginning[14:18], "little") not in _BMP_HEADER_SIZES:
        return None
    return str(match.mime) if match.mime.startswith("image/") else None


def _without_library(beginning: bytes) -> str | None:
    if beginning[4:8] == b"ftyp":
        return _ISO_BRANDS.get(beginning[8:12])
    return next((name for signature, name in _SIGNATURES.items() if beginning.startswith(signature)), None)
