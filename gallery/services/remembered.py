"""What was found out of those who ask, remembered for a few seconds."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final, Generic, TypeVar

REMEMBERED_SECONDS: Final = 5.0
"""How long somebody may be let in of whom another process knows better."""

MOST_REMEMBERED: Final = 10_000

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Remembered(Generic[K, V]):
    """So many values, each for five seconds by the clock; the oldest go first."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._values: OrderedDict[K, tuple[V, float]] = OrderedDict()

    def get(self, key: K) -> V | None:
        """The value, as long as it is remembered."""
        value, until = self._values.get(key, (None, 0.0))
        return value if self._clock() < until else None

    def keep(self, key: K, value: V) -> None:
        """Remembers a value from now on."""
        self._values.pop(key, None)
        self._values[key] = value, self._clock() + REMEMBERED_SECONDS
        if len(self._values) > MOST_REMEMBERED:
            self._values.popitem(last=False)

    def clear(self) -> None:
        """Forgets all of them."""
        self._values.clear()
