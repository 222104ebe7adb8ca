"""What the page that Prometheus reads tells, and what it does without."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import pytest

from gallery.domain.metrics import OperationOutcome, TurnedAway
from gallery.domain.uploads import Transport
from gallery.platform.database.engine import PoolUse
from gallery.platform.jobs.counts import JobState
from gallery.platform.metrics import DatabaseFigures, DatabaseState, ProcessState, PrometheusMetrics, PrometheusPage
from gallery.platform.metrics.database import ReadFigures
from gallery.services.storage_report import Depth, FindingKind, ReportSummary
from tests.entities import NOON
from tests.scraped import Sample, sample, scraped

REPORT = ReportSummary(
    depth=Depth.SIZES,
    checked_at=NOON,
    duration_seconds=2.5,
    objects=7,
    objects_bytes=700,
    counts={FindingKind.OBJECT_WITHOUT_ROW: 2},
)
FIGURES = DatabaseFigures(jobs={("render_image", JobState.HELD): 3}, reports=(REPORT,))


def page_of(metrics: PrometheusMetrics, read: ReadFigures, *, timeout_seconds: float = 2) -> PrometheusPage:
    process = ProcessState(
        cache=None,
        responses=None,
        pool_use=lambda: PoolUse(size=10, in_use=3, idle=2),
        parts_in_flight=lambda: 4,
        received_bytes=lambda: metrics.received_bytes,
    )
    return PrometheusPage(metrics, process, DatabaseState(read, timeout_seconds=timeout_seconds))


async def samples(page: PrometheusPage) -> Mapping[Sample, float]:
    return scraped(await page.render())


async def give_figures() -> DatabaseFigures:
    return FIGURES


async def give_nothing() -> DatabaseFigures:
    message = "password authentication failed for user gallery"
    raise ConnectionError(message)


async def say_nothing() -> DatabaseFigures:
    await asyncio.Event().wait()
    return FIGURES


async def test_what_was_counted_is_told() -> None:
    metrics = PrometheusMetrics()
    metrics.request("GET", "/graphql", "2xx", 0.03)
    metrics.operation("query", OperationOutcome.USER_ERRORS, 0.2)
    metrics.file(Transport.STREAMED, "CREATED", size_bytes=13)
    metrics.file(Transport.STAGED, "NOT_AN_IMAGE")

    told = await samples(page_of(metrics, give_figures))

    request = {"method": "GET", "route": "/graphql", "status": "2xx"}
    assert told[sample("gallery_http_request_duration_seconds_count", **request)] == 1
    assert told[sample("gallery_http_request_duration_seconds_bucket", le="0.025", **request)] == 0
    assert told[sample("gallery_http_request_duration_seconds_bucket", le="0.1", **request)] == 1
    operation = sample("gallery_graphql_operation_duration_seconds_sum", type="query", outcome="user_errors")
    assert told[operation] == 0.2
    assert told[sample("gallery_upload_files_total", transport="streamed", outcome="CREATED")] == 1
    assert told[sample("gallery_upload_files_total", transport="staged", outcome="NOT_AN_IMAGE")] == 1
    assert told[sample("gallery_upload_file_bytes_total", transport="streamed")] == 13
    assert told[sample("gallery_upload_file_bytes_total", transport="staged")] == 0


async def test_what_operations_cost_is_told() -> None:
    metrics = PrometheusMetrics()
    for points in (0, 21, 5_000):
        metrics.priced("query", points)
    metrics.turned_away(TurnedAway.THROTTLED)

    told = await samples(page_of(metrics, give_figures))

    assert told[sample("gallery_graphql_operation_price_points_count", type="query")] == 3
    assert told[sample("gallery_graphql_operation_price_points_sum", type="query")] == 5_021
    assert told[sample("gallery_graphql_operation_price_points_bucket", type="query", le="50.0")] == 2
    assert told[sample("gallery_graphql_operations_turned_away_total", reason="throttled")] == 1


async def test_what_the_process_knows_of_itself_is_told() -> None:
    told = await samples(page_of(PrometheusMetrics(), give_figures))

    assert told[sample("gallery_database_pool_connections", state="in_use")] == 3
    assert told[sample("gallery_database_pool_connections", state="idle")] == 2
    assert told[sample("gallery_database_pool_size")] == 10
    assert told[sample("gallery_upload_parts_in_flight")] == 4
    assert told[sample("process_resident_memory_bytes")] > 0
    assert told[sample("process_open_fds")] > 0
    assert told[sample("python_gc_collections_total", generation="0")] >= 0


async def test_bytes_count_while_they_arrive_and_afterwards() -> None:
    metrics = PrometheusMetrics()
    page = page_of(metrics, give_figures)
    first, second = [10], [5]

    async def told() -> float:
        return (await samples(page))[sample("gallery_upload_received_bytes_total")]

    with metrics.receiving(lambda: sum(first)):
        assert await told() == 10
        first.append(15)
        with metrics.receiving(lambda: sum(second)):
            assert await told() == 30
        assert await told() == 30
    assert await told() == 30


async def test_jobs_and_the_last_report_are_told() -> None:
    told = await samples(page_of(PrometheusMetrics(), give_figures))

    assert told[sample("gallery_metrics_database_up")] == 1
    assert told[sample("gallery_jobs", kind="render_image", state="held")] == 3
    assert {
        kind: told[sample("gallery_storage_report_findings", depth="sizes", kind=kind.value)] for kind in FindingKind
    } == {kind: REPORT.counts.get(kind, 0) for kind in FindingKind}
    of_report = {"timestamp_seconds": NOON.timestamp(), "duration_seconds": 2.5, "objects": 7, "object_bytes": 700}
    for name, value in of_report.items():
        assert told[sample(f"gallery_storage_report_{name}", depth="sizes")] == value
        assert sample(f"gallery_storage_report_{name}", depth="checksums") not in told


@pytest.mark.parametrize("read", [give_nothing, say_nothing], ids=["refuses", "is silent"])
async def test_a_database_that_is_away_takes_only_its_own_part(
    read: ReadFigures, caplog: pytest.LogCaptureFixture
) -> None:
    page = page_of(PrometheusMetrics(), read, timeout_seconds=0.01)

    told = await samples(page)

    assert told[sample("gallery_metrics_database_up")] == 0
    assert told[sample("gallery_upload_parts_in_flight")] == 4
    assert not [name for name, _ in told if name == "gallery_jobs" or name.startswith("gallery_storage")]
    assert caplog.messages == ["the metrics lack what the database knows"]


async def test_many_who_ask_at_once_ask_the_database_once_a_second() -> None:
    asked = 0
    now = 100.0

    async def read() -> DatabaseFigures:
        nonlocal asked
        asked += 1
        return replace(FIGURES, jobs={("sweep", JobState.QUEUED): asked})

    state = DatabaseState(read, clock=lambda: now)
    seen = await asyncio.gather(*(state.figures() for _ in range(20)))
    now += 1
    later = await state.figures()

    assert asked == 2
    assert {one.jobs["sweep", JobState.QUEUED] for one in seen if one is not None} == {1}
    assert later is not None
    assert later.jobs["sweep", JobState.QUEUED] == 2


async def test_an_outage_of_the_database_is_logged_when_it_begins(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    answers = [give_nothing, give_nothing, give_figures, give_nothing]

    async def read() -> DatabaseFigures:
        return await answers.pop(0)()

    state = DatabaseState(read, clock=lambda: now)
    seen = []
    for _ in range(4):
        seen.append(await state.figures())
        now += 1

    assert seen == [None, None, FIGURES, None]
    assert caplog.messages == ["the metrics lack what the database knows"] * 2
