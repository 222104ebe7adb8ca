"""Whole answers in the memory of a process: no more than so many bytes, the least recently used go first."""

from __future__ import annotations

import time
from array import array
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gallery.domain.response_ports import KeptResponse
from gallery.platform.cache.drop_history import DropHistory
from gallery.platform.cache.drops import Position

REFRESH_SHARE: Final = 0.1
"""In this last share of its life an answer is made anew by one of those who ask, while others still get it."""

_REFRESH_PATIENCE_SECONDS: Final = 5.0
"""After how long somebody else tries, if nothing came of that."""
_OVERHEAD_BYTES: Final = 1000


@dataclass(slots=True, kw_only=True, eq=False)
class Entry:
    """An answer with what it was read from, and when. Times are those of the process's own clock."""

    response: KeptResponse
    position: Position
    """Everything that was dropped up to here had been dropped before anything was read."""
    tags: array[int]
    expires_at: float
    refresh_at: float
    checked_at: Position | None = None

    @property
    def size_bytes(self) -> int:
        """What the entry takes of the memory, with room for its bytes in other codings."""
        return 2 * len(self.response.body) + 4 * len(self.tags) + _OVERHEAD_BYTES

    def is_right(self, history: DropHistory) -> bool:
        """Whether nothing that the answer was read from was dropped since."""
        if self.checked_at is history.position is not None:
            return True
        if not history.is_right(self.position, self.tags):
            return False
        self.checked_at = history.position
        return True


class ResponseMemory:
    """Entries by their keys."""

    def __init__(self, max_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_bytes = max_bytes
        self._clock = clock
        self._entries: OrderedDict[bytes, Entry] = OrderedDict()
        self.size_bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, key: bytes, history: DropHistory) -> KeptResponse | None:
        """An answer that is right, unless the one who asks is to make it anew."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        now = self._clock()
        if now >= entry.expires_at or not entry.is_right(history):
            self._remove(key)
            return None
        if now >= entry.refresh_at:
            entry.refresh_at = now + _REFRESH_PATIENCE_SECONDS
            return None
        self._entries.move_to_end(key)
        return entry.response

    def keep(self, key: bytes, entry: Entry) -> None:
        """Keeps an answer in the place of another, if it is not larger than all there may be."""
        self._remove(key)
        if entry.size_bytes > self._max_bytes:
            return
        self._entries[key] = entry
        self.size_bytes += entry.size_bytes
        while self.size_bytes > self._max_bytes:
            self._remove(next(iter(self._entries)))

    def clear(self) -> None:
        """Forgets everything."""
        self._entries.clear()
        self.size_bytes = 0

    def _remove(self, key: bytes) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.size_bytes -= entry.size_bytes
