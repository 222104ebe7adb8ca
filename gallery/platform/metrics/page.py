"""The page that Prometheus reads."""

from __future__ import annotations

from typing import Final

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from gallery.domain.metrics import OtherProcesses
from gallery.platform.metrics.counters import PrometheusMetrics
from gallery.platform.metrics.database import DatabaseState
from gallery.platform.metrics.gauges import FiguresCollector, ProcessState, StateCollector
from gallery.platform.metrics.several import Merged, told_by

# A second series for each counter, of the time when it began, is of no use to anybody.
disable_created_metrics()  # type: ignore[no-untyped-call]


class PrometheusPage:
    """Everything that is counted, and what is only looked at when somebody asks, in the text format 0.0.4.

    Where there are other processes the page is that of all; the figures of the database are the same for each.
    """

    content_type: Final = CONTENT_TYPE_PLAIN_0_0_4

    def __init__(
        self,
        metrics: PrometheusMetrics,
        process: ProcessState,
        database: DatabaseState,
        others: OtherProcesses | None = None,
    ) -> None:
        self._own = registry = metrics.registry
        self._database = database
        self._figures = FiguresCollector()
        self._others = others
        registry.register(StateCollector(process))
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=registry)
        if others is not None:
            others.join(lambda: told_by([registry], process=others.number))

    async def render(self) -> bytes:
        """As the port says."""
        self._figures.figures = await self._database.figures()  # first, or its own connection would count
        return await self._counted() + _text(self._figures)

    async def _counted(self) -> bytes:
        if self._others is None:
            return generate_latest(self._own)
        return _text(Merged(await self._others.counted()))


def _text(collector: FiguresCollector | Merged) -> bytes:
    registry = CollectorRegistry()
    registry.register(collector)
    return generate_latest(registry)
