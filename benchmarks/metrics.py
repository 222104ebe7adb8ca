"""Measures what counting costs, in processor time: `python -m benchmarks metrics`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from starlette.types import Scope

from gallery.domain.metrics import OperationOutcome
from gallery.platform.database.engine import PoolUse
from gallery.platform.metrics import DatabaseFigures, DatabaseState, ProcessState, PrometheusMetrics, PrometheusPage
from gallery.web.middleware.answered import Answered
from gallery.web.middleware.http_metrics import count_request

TIMES, PAGES = 50_000, 100
ROUTES = ("/graphql", "/media/{image}/{file}", "/livez", "/metrics", "none")


async def microseconds(work: Callable[[], Awaitable[object]], times: int) -> float:
    """The processor time of one time."""
    started = time.process_time()
    for _ in range(times):
        await work()
    return (time.process_time() - started) / times * 1e6


async def measure() -> None:
    """Prints the figures."""
    metrics = PrometheusMetrics()
    page = _page(metrics)
    scope: Scope = {"type": "http", "method": "GET"}
    answered = Answered(status=200)

    async def request() -> None:
        count_request(metrics, scope, answered, 0.01)

    await microseconds(request, TIMES)
    print(f"a request      {await microseconds(request, TIMES):8.1f} µs")

    async def operation() -> None:
        metrics.operation("query", OperationOutcome.OK, 0.01)

    print(f"an operation   {await microseconds(operation, TIMES):8.1f} µs")
    for route in ROUTES:
        metrics.request("GET", route, "2xx", 0.1)
        metrics.request("GET", route, "4xx", 0.1)
    print(f"the page       {await microseconds(page.render, PAGES):8.1f} µs, {len(await page.render()):,} bytes")


def _page(metrics: PrometheusMetrics) -> PrometheusPage:
    async def figures() -> DatabaseFigures:
        return DatabaseFigures(jobs={}, reports=())

    process = ProcessState(
        cache=None,
        responses=None,
        pool_use=lambda: PoolUse(size=10, in_use=0, idle=0),
        parts_in_flight=lambda: 0,
        received_bytes=lambda: metrics.received_bytes,
    )
    return PrometheusPage(metrics, process, DatabaseState(figures))


if __name__ == "__main__":
    asyncio.run(measure())
