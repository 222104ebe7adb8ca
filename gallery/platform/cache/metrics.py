"""What the cache counts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class CacheMetrics:
    """Counts values, apart from `errors`, which counts calls of Valkey that failed.

    A hit is a value for which the database was not asked, a miss one for which it was. A value is refused if something
    was written while it was read: it is given to who asked, but not kept.
    """

    hits: int = 0
    misses: int = 0
    refused: int = 0
    errors: int = 0
