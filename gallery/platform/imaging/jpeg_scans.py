"""The restart markers in the scans of a JPEG file (ITU-T T.81, sections B.2.1 and E.1.4), counted.

libjpeg gives up a picture after a hundred complaints, and has one for every interval that is not where it should be.
"""

from __future__ import annotations

from gallery.platform.imaging.layout import uint

_BLOCK_PX = 8
_MARKER_BYTES = 2
_IN_TURN = bytes(byte for number in range(8) for byte in (0xFF, 0xD0 + number))
"""The markers in the order in which they must come, again and again."""

_HEIGHT, _WIDTH, _COMPONENTS = 5, 7, 9
_SCAN_COMPONENTS = 4
"""Where they stand, counted from the marker of a frame or a scan."""


class Scans:
    """Follows scan after scan. `frame` is the segment that holds now; an `interval` of 0 stands for none."""

    def __init__(self) -> None:
        self.are_regular = True
        self.frame = b""
        self.interval = 0
        self._found = 0
        self._expected: int | None = None

    @property
    def are_counted(self) -> bool:
        """Whether restart markers matter: in a scan that should have some."""
        return self._expected is not None

    def begin(self, header: bytes) -> None:
        """Begins a scan with its header."""
        self._found = 0
        if self.interval:
            try:
                self._expected = -(-_units(self.frame, header) // self.interval) - 1
            except (IndexError, KeyError, ValueError, ZeroDivisionError):
                self.are_regular = False

    def add(self, markers: bytes) -> None:
        """Takes restart markers, two bytes each, of a scan in which they are counted."""
        first = self._found % len(_IN_TURN)
        in_turn = _IN_TURN[first:] + _IN_TURN * (len(markers) // len(_IN_TURN) + 1)
        self.are_regular &= markers == in_turn[: len(markers)]
        self._found += len(markers)

    def end(self) -> None:
        """Ends the scan, if one was begun."""
        if self._expected is not None:
            self.are_regular &= self._found == self._expected * _MARKER_BYTES
            self._expected = None


def _units(frame: bytes, scan: bytes) -> int:
    """How many units are coded in a scan (MCUs): of one component, or of all that are interleaved (section A.2).

    Raises:
        IndexError, KeyError, ValueError, ZeroDivisionError: if one of the headers makes no sense.
    """
    height, width = uint(frame, _HEIGHT, 2), uint(frame, _WIDTH, 2)
    described = [frame[at : at + 2] for at in range(_COMPONENTS + 1, _COMPONENTS + 1 + 3 * frame[_COMPONENTS], 3)]
    sampling = {one[0]: (one[1] >> 4, one[1] & 0x0F) for one in described}
    most_across, most_down = max(across for across, _ in sampling.values()), max(down for _, down in sampling.values())
    if scan[_SCAN_COMPONENTS] > 1:
        return _blocks(width, most_across) * _blocks(height, most_down)
    across, down = sampling[scan[_SCAN_COMPONENTS + 1]]
    return _blocks(-(-width * across // most_across)) * _blocks(-(-height * down // most_down))


def _blocks(samples: int, blocks_of_unit: int = 1) -> int:
    return -(-samples // (_BLOCK_PX * blocks_of_unit))
