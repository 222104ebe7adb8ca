"""The page that Prometheus reads."""

from __future__ import annotations

from typing import Final

from prometheus_client import (
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from gallery.platform.metrics.counters import PrometheusMetrics
from gallery.platform.metrics.database import DatabaseState
from gallery.platform.metrics.gauges import FiguresCollector, ProcessState, StateCollector

# A second series for each counter, of the time when it began, is of no use to anybody.
disable_created_metrics()  # type: ignore[no-untyped-call]


class PrometheusPage:
    """Everything that is counted, and what is only looked at when somebody asks, in the text format 0.0.4."""

    content_type: Final = CONTENT_TYPE_PLAIN_0_0_4

    def __init__(self, metrics: PrometheusMetrics, process: ProcessState, database: DatabaseState) -> None:
        self._registry = registry = metrics.registry
        self._database = database
        self._figures = FiguresCollector()
        registry.register(StateCollector(process))
        registry.register(self._figures)
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=registry)

    async def render(self) -> bytes:
        """As the port says."""
        self._figures.figures = await self._database.figures()
        return generate_latest(self._registry)
