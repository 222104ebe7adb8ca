"""What is looked at when the page is made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gallery.platform.cache import Cache
from gallery.platform.cache.metrics import Layer, ResponseMetrics
from gallery.platform.database.engine import PoolUse
from gallery.platform.metrics.database import DatabaseFigures
from gallery.services.storage_report import FindingKind


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessState:
    """What this process knows of itself. There may be no cache, or none of whole answers."""

    cache: Cache | None
    responses: ResponseMetrics | None
    pool_use: Callable[[], PoolUse]
    parts_in_flight: Callable[[], int]
    received_bytes: Callable[[], int]


class StateCollector(Collector):
    """The state of the process as metrics."""

    def __init__(self, state: ProcessState) -> None:
        self._state = state

    def collect(self) -> Iterator[Metric]:
        """The metrics of this moment."""
        yield CounterMetricFamily(
            "gallery_upload_received_bytes",
            "Bytes of requests with files, those that are still arriving included.",
            value=self._state.received_bytes(),
        )
        yield GaugeMetricFamily(
            "gallery_upload_parts_in_flight",
            "Parts of streamed files that are being sent to the storage.",
            value=self._state.parts_in_flight(),
        )
        yield from _pool(self._state.pool_use())
        if self._state.cache is not None:
            yield from _cache(self._state.cache)
        if self._state.responses is not None:
            yield from _responses(self._state.responses)


class FiguresCollector(Collector):
    """The figures of the database as metrics; without them, that they are missing."""

    def __init__(self) -> None:
        self.figures: DatabaseFigures | None = None

    def collect(self) -> Iterator[Metric]:
        """The metrics of the figures that were set last."""
        yield GaugeMetricFamily(
            "gallery_metrics_database_up",
            "Whether the database gave its part of this page: jobs and storage reports.",
            value=self.figures is not None,
        )
        if self.figures is not None:
            yield _jobs(self.figures)
            yield from _reports(self.figures)


def _pool(use: PoolUse) -> Iterator[Metric]:
    connections = GaugeMetricFamily(
        "gallery_database_pool_connections", "Connections to the database.", labels=["state"]
    )
    connections.add_metric(["in_use"], use.in_use)
    connections.add_metric(["idle"], use.idle)
    yield connections
    yield GaugeMetricFamily(
        "gallery_database_pool_size", "How many connections to the database there may be.", value=use.size
    )


def _cache(cache: Cache) -> Iterator[Metric]:
    metrics = cache.metrics
    values = CounterMetricFamily(
        "gallery_cache_values",
        "Values that were asked for, by their kind: the database was asked for a miss, not for a hit.",
        labels=["kind", "result"],
    )
    for result, by_kind in (("hit", metrics.hits_by_kind), ("miss", metrics.misses_by_kind)):
        for kind, count in by_kind.items():
            values.add_metric([kind, result], count)
    yield values
    yield CounterMetricFamily(
        "gallery_cache_refused_fills",
        "Values that were not kept, since something was written while they were read.",
        value=metrics.refused,
    )
    yield CounterMetricFamily("gallery_cache_errors", "Calls of Valkey that failed.", value=metrics.errors)
    yield GaugeMetricFamily("gallery_cache_up", "Whether the cache is used at present.", value=cache.available)


def _responses(metrics: ResponseMetrics) -> Iterator[Metric]:
    responses = CounterMetricFamily(
        "gallery_cache_responses",
        "Whole answers that were looked for, by where; one not found in memory is looked for in Valkey.",
        labels=["layer", "result"],
    )
    refused = CounterMetricFamily(
        "gallery_cache_refused_responses",
        "Whole answers that were not kept, since something was written while they were made.",
        labels=["layer"],
    )
    for layer in Layer:
        responses.add_metric([layer, "hit"], metrics.hits[layer])
        responses.add_metric([layer, "miss"], metrics.misses[layer])
        refused.add_metric([layer], metrics.refused[layer])
    yield from (responses, refused)
    yield GaugeMetricFamily(
        "gallery_cache_response_bytes", "Memory that whole answers take.", value=metrics.size_bytes()
    )


def _jobs(figures: DatabaseFigures) -> Metric:
    jobs = GaugeMetricFamily(
        "gallery_jobs", "Jobs of all processes; held ones wait for a person.", labels=["kind", "state"]
    )
    for (kind, state), count in figures.jobs.items():
        jobs.add_metric([kind, state.value], count)
    return jobs


def _reports(figures: DatabaseFigures) -> Iterator[Metric]:
    findings = GaugeMetricFamily(
        "gallery_storage_report_findings", "What did not match in the last report.", labels=["depth", "kind"]
    )
    totals = {
        "timestamp_seconds": "When the last report was made, in Unix time.",
        "duration_seconds": "How long the last report took.",
        "objects": "Objects in the storage.",
        "object_bytes": "Bytes of the objects in the storage.",
    }
    gauges = [
        GaugeMetricFamily(f"gallery_storage_report_{name}", text, labels=["depth"]) for name, text in totals.items()
    ]
    for report in figures.reports:
        for kind in FindingKind:
            findings.add_metric([report.depth.value, kind.value], report.counts.get(kind, 0))
        values = report.checked_at.timestamp(), report.duration_seconds, report.objects, report.objects_bytes
        for gauge, value in zip(gauges, values, strict=True):
            gauge.add_metric([report.depth.value], value)
    yield from (findings, *gauges)
