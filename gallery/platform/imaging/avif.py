"""AVIF files (AV1 Image File Format 1.1 on ISO/IEC 23008-12): boxes within boxes.

libvips needs the whole file to tell the size of an AVIF image; its beginning, the box `meta`, is enough here.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from gallery.platform.imaging.errors import UnreadableHeaderError
from gallery.platform.imaging.layout import Header, uint
from gallery.platform.imaging.wholeness import Walk

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_BOXES = 1_000
_BOX_HEADER_BYTES = 8
_FULL_BOX_BYTES = 4
_PIXELS = {b"mdat", b"idat"}


@dataclass(frozen=True, slots=True)
class _Box:
    """A box: its type, its body as far as it is there, and where it ends in the data around it."""

    kind: bytes
    body: memoryview
    end: int


def read_header(data: memoryview) -> Header:
    """The size of the primary item after its cropping and rotation.

    Raises:
        UnreadableHeaderError: if the data does not hold all of the box `meta`, or that names no primary item.
    """
    try:
        meta = _child(data, b"meta")
        if meta.end > len(data):
            message = "the description of the image is not whole"
            raise UnreadableHeaderError(message)
        return _shown(_primary_properties(meta.body[_FULL_BOX_BYTES:]))
    except IndexError as error:
        message = "a box is shorter than what it holds"
        raise UnreadableHeaderError(message) from error


def follow() -> Walk:
    """Follows a file whose header can be read."""
    return _WalkToEnd()


class _WalkToEnd(Walk):
    """Steps from box to box; after the last one there must have been one that holds pixels.

    `meta` is entered rather than stepped over, since small images keep their pixels in it.
    """

    def _advance(self, data: bytes | memoryview, position: int) -> int:
        try:
            while not self._is_over:
                kind, start, end = _box_at(data, position)
                if kind in _PIXELS:
                    self._has_end = True
                self._count()
                if end is None or end < start:
                    self._is_over = True
                    return start
                position = start + _FULL_BOX_BYTES if kind == b"meta" else end
        except IndexError:  # the rest is still to come
            pass
        return position


def _primary_properties(meta: memoryview) -> list[_Box]:
    """The properties of the primary item, in the order in which they apply."""
    primary = _child(meta, b"pitm").body
    item_id = uint(primary, _FULL_BOX_BYTES, 4 if primary[0] else 2)
    described = _child(meta, b"iprp").body
    properties = list(_boxes(_child(described, b"ipco").body))
    indexes = _associations(_child(described, b"ipma").body).get(item_id, [])
    return [properties[index - 1] for index in indexes if index]


def _associations(ipma: memoryview) -> dict[int, list[int]]:
    """For each item the numbers of its properties, counted from 1 (ISO/IEC 23008-12, section 9.3)."""
    id_bytes, index_bytes = (4 if ipma[0] else 2), (2 if ipma[3] & 1 else 1)
    mask = (1 << (8 * index_bytes - 1)) - 1
    position = _FULL_BOX_BYTES + 4
    found: dict[int, list[int]] = {}
    for _ in range(min(uint(ipma, _FULL_BOX_BYTES, 4), len(ipma))):
        item_id = uint(ipma, position, id_bytes)
        position += id_bytes
        end = position + 1 + ipma[position] * index_bytes
        found[item_id] = [uint(ipma, at, index_bytes) & mask for at in range(position + 1, end, index_bytes)]
        position = end
    return found


def _shown(properties: list[_Box]) -> Header:
    """The size that `ispe`, cropping (`clap`) and turning by quarters (`irot`) lead to."""
    width = height = 0
    for box in properties:
        if box.kind == b"ispe":
            width, height = uint(box.body, 4, 4), uint(box.body, 8, 4)
        elif box.kind == b"clap":
            width = uint(box.body, 0, 4) // max(1, uint(box.body, 4, 4))
            height = uint(box.body, 8, 4) // max(1, uint(box.body, 12, 4))
        elif box.kind == b"irot" and uint(box.body, 0, 1) & 1:
            width, height = height, width
    return Header(width_px=width, height_px=height)


def _child(data: memoryview, kind: bytes) -> _Box:
    for box in _boxes(data):
        if box.kind == kind:
            return box
    message = f"no box {kind!r}"
    raise UnreadableHeaderError(message)


def _boxes(data: memoryview) -> Iterator[_Box]:
    """The boxes in the data; the last may reach beyond it."""
    return islice(_all_boxes(data), _MAX_BOXES)


def _all_boxes(data: memoryview) -> Iterator[_Box]:
    position = 0
    while position + _BOX_HEADER_BYTES <= len(data):
        kind, start, end = _box_at(data, position)
        if end is None:
            end = len(data)
        if end < start:
            return
        yield _Box(kind, data[start:end], end)
        position = end


def _box_at(data: bytes | memoryview, position: int) -> tuple[bytes, int, int | None]:
    """The type of a box, where its body starts, and where it ends; None if it is the rest of the file.

    ISO/IEC 14496-12, section 4.2: a size of 1 stands for a larger one, 0 for the rest.

    Raises:
        IndexError: if the data ends before that is known.
    """
    size, kind, start = uint(data, position, 4), uint(data, position + 4, 4), position + _BOX_HEADER_BYTES
    if size == 1:
        size, start = uint(data, start, 8), start + 8
    return kind.to_bytes(4, "big"), start, position + size if size else None
