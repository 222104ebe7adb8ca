"""What was dropped, as far as this process has heard: tells whether something that was read once is still right."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Final

from gallery.platform.cache.drops import Position
from gallery.platform.cache.keys import EVERYTHING

MAX_TAGS: Final = 100_000
"""How many tags are remembered. What was read before the drop of a forgotten one counts as wrong."""


def tag_number(tag: str | bytes) -> int:
    """A tag in 32 bits. Two with the same number are dropped together, which is never wrong."""
    return zlib.crc32(tag.encode() if isinstance(tag, str) else tag)


_EVERYTHING: Final = tag_number(EVERYTHING)


class DropHistory:
    """The last drop of every tag since `position` was known without a gap."""

    def __init__(self, max_tags: int = MAX_TAGS) -> None:
        self._max_tags = max_tags
        self._last: dict[int, int] = {}
        self._floor = 0
        self.position: Position | None = None
        """The last drop that was heard of, after all before it."""

    def reset(self, position: Position) -> None:
        """Begins anew: what was read before this position counts as wrong."""
        self._last.clear()
        self._floor = position.number
        self.position = position

    def apply(self, position: Position, tags: Iterable[str | bytes]) -> bool:
        """Hears of a drop; answers whether it is the next one. After a gap, everything before counts as wrong."""
        known = self.position
        if known is not None and known.reaches(position):
            return True
        if known is None or known.epoch != position.epoch or known.number + 1 != position.number:
            self.reset(position)
            return False
        self.position = position
        for number in map(tag_number, tags):
            self._last.pop(number, None)
            self._last[number] = position.number
        if _EVERYTHING in self._last:
            self._last.clear()
            self._floor = position.number
        while len(self._last) > self._max_tags:
            oldest = next(iter(self._last))
            self._floor = self._last.pop(oldest)
        return True

    def is_right(self, since: Position, tag_numbers: Iterable[int]) -> bool:
        """Whether what was read at a position is as it would be read now."""
        now = self.position
        if now is None or now.epoch != since.epoch or since.number < self._floor:
            return False
        if since.number == now.number:
            return True
        last, read_at = self._last, since.number
        return not any(last.get(number, 0) > read_at for number in tag_numbers)
