"""What several processes have counted, told by each and added up, so that any of them can give the page of all."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any, Final

import orjson
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

_OF_ONE_PROCESS: Final = ("process_", "python_")
"""How metrics begin that mean nothing once they are added up: each process keeps its own, told by a label. While one
replaces another they have the same, and the newer one is told of."""
_AS_BAD_AS_THE_WORST: Final = frozenset({"gallery_cache_up"})
"""What is true of all processes only if it is true of each."""
_LASTING: Final = frozenset({"counter", "histogram"})
"""Types that only grow: what a process has added stays when it has ended."""


class Merged(Collector):
    """The metrics of several processes as those of one."""

    def __init__(self, told: Iterable[bytes]) -> None:
        self._families = merged(told)

    def collect(self) -> Iterator[Metric]:
        """The metrics, in the order in which they were first told."""
        yield from self._families


class Ledger:
    """What processes have told so far, by their names. Counters never fall: what a process has told stays counted."""

    def __init__(self) -> None:
        self._living: dict[int, bytes] = {}
        self._ended = _encoded(())

    def tell(self, process: int, told: bytes) -> None:
        """Puts what a process tells in the place of what it told before."""
        self._living[process] = told

    def end(self, process: int) -> None:
        """Keeps what lasts of a process that has ended."""
        told = self._living.pop(process, None)
        if told is not None:
            families = merged([self._ended, told])
            self._ended = _encoded(family for family in families if _lasts(family))

    def all(self, *, restarts: int) -> list[bytes]:
        """Everything that was told, with how many processes tell it and how often one had to be started again."""
        processes = GaugeMetricFamily(
            "gallery_server_processes", "Processes that answer requests.", value=len(self._living)
        )
        started_again = CounterMetricFamily(
            "gallery_server_process_restarts", "Processes that ended by themselves and were replaced.", value=restarts
        )
        return [_encoded([processes, started_again]), *self._living.values(), self._ended]


def told_by(collectors: Collection[Collector], *, process: int) -> bytes:
    """The metrics of this process for others to add to theirs; `process` is the label of what is its own."""
    families = [family for collector in collectors for family in collector.collect()]
    for family in families:
        if family.name.startswith(_OF_ONE_PROCESS):
            family.samples = [
                sample._replace(labels={**sample.labels, "process": str(process)}) for sample in family.samples
            ]
    return _encoded(families)


def merged(told: Iterable[bytes]) -> list[Metric]:
    """Adds up what several processes have told."""
    families: dict[str, tuple[Metric, dict[tuple[Any, ...], Sample]]] = {}
    for family in (family for one in told for family in _decoded(one)):
        _, samples = families.setdefault(family.name, (family, {}))
        for sample in family.samples:
            series = sample.name, *sorted(sample.labels.items())
            there = samples.get(series)
            samples[series] = sample if there is None else _added(family.name, there, sample)
    for family, samples in families.values():
        family.samples = list(samples.values())
    return [family for family, _ in families.values()]


def _added(family: str, one: Sample, other: Sample) -> Sample:
    if family.startswith(_OF_ONE_PROCESS):
        return other
    values = one.value, other.value
    return one._replace(value=min(values) if family in _AS_BAD_AS_THE_WORST else sum(values))


def _lasts(family: Metric) -> bool:
    return family.type in _LASTING and not family.name.startswith(_OF_ONE_PROCESS)


def _encoded(families: Iterable[Metric]) -> bytes:
    return orjson.dumps(
        [
            [
                one.name,
                one.documentation,
                one.type,
                [[sample.name, sample.labels, sample.value] for sample in one.samples],
            ]
            for one in families
        ]
    )


def _decoded(told: bytes) -> Iterator[Metric]:
    for name, documentation, kind, samples in orjson.loads(told):
        family = Metric(name, documentation, kind)
        family.samples = [Sample(*sample) for sample in samples]
        yield family
