"""What strangers send must neither fill the memory nor push out what clients use.

An item is on probation until it is used again, and is protected then: a stream of items that come once changes nothing
for those that are protected (a segmented LRU, Karedla, Love and Wherry, 1994).
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """The most recently used of many, as long as they weigh no more than that together."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._items: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self.weight = 0

    def get(self, key: K) -> V | None:
        """An item, which was used by that."""
        found = self._items.get(key)
        if found is None:
            return None
        self._items.move_to_end(key)
        return found[0]

    def put(self, key: K, value: V, weight: int) -> list[tuple[K, V, int]]:
        """Keeps an item, and gives those that had to go for it."""
        self.pop(key)
        self._items[key] = value, weight
        self.weight += weight
        gone = []
        while self.weight > self._most:
            old, (former, lighter) = self._items.popitem(last=False)
            self.weight -= lighter
            gone.append((old, former, lighter))
        return gone

    def pop(self, key: K) -> tuple[V, int] | None:
        """Takes an item out, with its weight."""
        found = self._items.pop(key, None)
        if found is not None:
            self.weight -= found[1]
        return found


class Segmented(Generic[K, V]):
    """The most recently used of those that were used again, and a few of those that were not yet."""

    def __init__(self, most: int) -> None:
        probation = max(1, most // 4)
        self._probation: Recent[K, V] = Recent(probation)
        self._protected: Recent[K, V] = Recent(max(1, most - probation))

    @property
    def weight(self) -> int:
        """What all items weigh together."""
        return self._probation.weight + self._protected.weight

    def get(self, key: K) -> V | None:
        """An item, which is protected from now on."""
        protected = self._protected.get(key)
        if protected is not None:
            return protected
        found = self._probation.pop(key)
        if found is None:
            return None
        for pushed_out in self._protected.put(key, *found):
            self._probation.put(*pushed_out)
        return found[0]

    def put(self, key: K, value: V, weight: int = 1) -> None:
        """Keeps an item on probation."""
        self._probation.put(key, value, weight)
