"""What a viewer may ask for in the course of time: a bucket of points that fills again (a leaky bucket as a meter).

A bucket begins full. What is asked for is taken out if there is enough; what was not needed is put back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """How many points a bucket holds, and how many come back in each second."""

    points: int
    points_per_second: float

    def filled(self, available: float, seconds: float) -> float:
        """How many there are after so many seconds in which nobody took any; clocks may go back."""
        return min(float(self.points), available + max(0.0, seconds) * self.points_per_second)

    def wait_seconds(self, available: float, points: int) -> float:
        """How long it takes until there are so many; 0 if there are."""
        return max(0.0, points - available) / self.points_per_second


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """What is in a bucket after somebody asked for points.

    `wait_seconds` is 0 if they were taken out; else nothing was, and after so long there will be enough.
    """

    available: float
    wait_seconds: float

    @property
    def is_enough(self) -> bool:
        """Whether the points were taken out."""
        return self.wait_seconds <= 0


class Budget(Protocol):
    """The buckets of all viewers."""

    @property
    def allowance(self) -> Allowance:
        """How large each bucket is."""
        ...

    async def take(self, holder: str, points: int) -> Balance:
        """Takes points out of a bucket if there are enough. Never fails, and never takes long."""
        ...

    def give_back(self, holder: str, points: int) -> None:
        """Puts points back that were taken and not needed, now or in a moment."""
        ...
