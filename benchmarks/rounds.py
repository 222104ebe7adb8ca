"""Turns, taken A B B A …, and what they say: medians, and the ratio of each subject to the first one.

The machine is never still: other programs run, clocks change. Turns of all subjects lie so close together that such
things meet all of them, and a ratio is taken inside each round, before any median.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

RESAMPLES = 2000
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What a subject did in one turn. `units` are requests, or mebibytes."""

    units: float
    seconds: float
    cpu_seconds: float
    latencies_seconds: tuple[float, ...] = ()

    @property
    def rate(self) -> float:
        """Units per second."""
        return self.units / self.seconds

    @property
    def cpu_per_unit(self) -> float:
        """Seconds of processor time per unit."""
        return self.cpu_seconds / self.units


@dataclass(frozen=True, slots=True)
class Subject:
    """What is measured, and how it takes a turn."""

    name: str
    take_turn: Callable[[], Awaitable[Turn]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """The median of some numbers, and how far they lie apart."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Of the numbers themselves."""
        return cls(median=statistics.median(values), least=min(values), most=max(values))

    @classmethod
    def of_median(cls, values: Sequence[float]) -> Self:
        """The median, and the interval in which it lies with 95 % confidence (percentile bootstrap, Efron 1979)."""
        chance = random.Random(0)  # noqa: S311  # the same interval for the same numbers
        medians = sorted(statistics.median(chance.choices(values, k=len(values))) for _ in range(RESAMPLES))
        outside = round(RESAMPLES * (1 - CONFIDENCE) / 2)
        return cls(median=statistics.median(values), least=medians[outside], most=medians[-outside - 1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All turns of all subjects; the first subject is what the others are compared with."""

    turns: Mapping[str, Sequence[Turn]] = field(default_factory=dict)

    @property
    def baseline(self) -> str:
        """The first subject."""
        return next(iter(self.turns))

    def spread(self, name: str, measure: Callable[[Turn], float]) -> Spread:
        """A measure of all turns of a subject."""
        return Spread.of([measure(turn) for turn in self.turns[name]])

    def ratio(self, name: str, measure: Callable[[Turn], float]) -> Spread:
        """By how much a measure of a subject is that of the first subject: the median over the rounds."""
        pairs = zip(self.turns[name], self.turns[self.baseline], strict=True)
        return Spread.of_median([measure(own) / measure(other) for own, other in pairs])

    def latency_ms(self, name: str, percent: int) -> float:
        """Below which so many percent of all latencies of a subject lie, in milliseconds."""
        latencies = [latency for turn in self.turns[name] for latency in turn.latencies_seconds]
        if len(latencies) < 2:
            return sum(latencies) * 1000
        return statistics.quantiles(latencies, n=100, method="inclusive")[percent - 1] * 1000


async def take_turns(subjects: Sequence[Subject], rounds: int) -> Comparison:
    """Lets all subjects take turns, in each round in the opposite order of the one before."""
    turns: dict[str, list[Turn]] = {subject.name: [] for subject in subjects}
    for number in range(rounds):
        for subject in reversed(subjects) if number % 2 else subjects:
            turns[subject.name].append(await subject.take_turn())
    return Comparison(turns=turns)
