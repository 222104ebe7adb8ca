"""Follows a file while its bytes pass, to tell at the end whether the image in it was whole. Nothing is decoded."""

from __future__ import annotations

from abc import ABC, abstractmethod

from gallery.platform.imaging.layout import MAX_BLOCKS

_BYTES_PER_ELEMENT = 1024
"""Large files are made of elements that are larger than this on average: pixels of PNG files of 8 KiB, for example."""


class Walk(ABC):
    """Steps from one element of a file (a segment, a chunk, a block, a box) to the next by their lengths.

    Of what has passed, no more is kept than the beginning of an element whose length is not there yet.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._to_skip = 0
        self._is_over = False
        self._has_end = False
        self._fed_bytes = 0
        self._elements = 0

    def feed(self, chunk: bytes | memoryview) -> None:
        """Takes the next bytes of the file; chunks may be cut anywhere."""
        self._fed_bytes += len(chunk)
        if self._to_skip >= len(chunk):
            self._to_skip -= len(chunk)
            return
        if self._is_over:
            self._to_skip = 0
            return
        data = self._rest + chunk if self._rest else chunk
        position = self._advance(data, self._to_skip)
        self._to_skip = max(0, position - len(data))
        self._rest = bytes(data[position:])

    @property
    def is_whole(self) -> bool:
        """Whether the image would be whole if the file ended here. What stands behind its end does not matter."""
        return self._has_end and not self._to_skip

    @property
    def is_given_up(self) -> bool:
        """Whether there were too many elements: what came behind them was not looked at."""
        return self._is_over and not self._has_end

    @abstractmethod
    def _advance(self, data: bytes | memoryview, position: int) -> int:
        """Steps over elements from `position`, where one begins; answers with where the next begins.

        That may be beyond the data, and is no further than a few bytes before its end, unless the walk is over.
        """

    def _count(self) -> None:
        """Counts an element. No image has so many: that bounds the time spent on what is none."""
        self._elements += 1
        if self._elements > MAX_BLOCKS + self._fed_bytes // _BYTES_PER_ELEMENT:
            self._has_end, self._is_over = False, True

    def _reach_end(self) -> None:
        """Says that the image ends with the element at hand: what follows is looked at no more."""
        self._has_end = self._is_over = True
