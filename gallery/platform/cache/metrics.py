"""What the cache counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum, unique


@dataclass(slots=True)
class CacheMetrics:
    """Counts values by the names of their kinds, apart from `errors`, which counts calls of Valkey that failed.

    A hit is a value for which the database was not asked, a miss one for which it was. A value is refused if something
    was written while it was read: it is given to who asked, but not kept.
    """

    hits_by_kind: Counter[str] = field(default_factory=Counter)
    misses_by_kind: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    errors: int = 0

    @property
    def hits(self) -> int:
        """Those of all kinds."""
        return self.hits_by_kind.total()

    @property
    def misses(self) -> int:
        """Those of all kinds."""
        return self.misses_by_kind.total()


@unique
class Layer(StrEnum):
    """Where whole answers are kept."""

    MEMORY = "memory"
    VALKEY = "valkey"


@dataclass(slots=True, kw_only=True)
class ResponseMetrics:
    """Counts whole answers by where they were looked for, and says how much of the memory they take.

    An answer is refused if something was written while it was made: it is given to who asked, but not kept.
    """

    size_bytes: Callable[[], int]
    hits: Counter[Layer] = field(default_factory=Counter)
    misses: Counter[Layer] = field(default_factory=Counter)
    refused: Counter[Layer] = field(default_factory=Counter)
