"""Probes, and the report about the dependencies."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpx
import pytest
from starlette.applications import Starlette

import gallery
from gallery.domain.errors import UnavailableError
from gallery.web.authentication import OPEN
from gallery.web.health import RESULTS_LIFETIME_SECONDS, Check, Health


class Dependency:
    """A check that counts how often it is asked, and fails while it has an error."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.asked = 0

    async def __call__(self) -> None:
        self.asked += 1
        if self.error is not None:
            raise self.error


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def _never() -> None:
    await asyncio.Event().wait()


@asynccontextmanager
async def probing(
    checks: Mapping[str, Check],
    *,
    stopping: asyncio.Event | None = None,
    clock: Clock | None = None,
    timeout_seconds: float = 2,
) -> AsyncIterator[httpx.AsyncClient]:
    health = Health(
        checks,
        stopping=stopping or asyncio.Event(),
        authentication=OPEN,
        clock=clock or Clock(),
        timeout_seconds=timeout_seconds,
    )
    transport = httpx.ASGITransport(Starlette(routes=health.routes()))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


async def test_live_asks_no_dependency() -> None:
    database = Dependency(UnavailableError("database"))
    async with probing({"database": database}) as client:
        answer = await client.get("/livez")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert answer.headers["cache-control"] == "no-store"
    assert database.asked == 0


async def test_ready_if_all_dependencies_answer() -> None:
    async with probing({"database": Dependency(), "storage": Dependency(), "cache": Dependency()}) as client:
        answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})


@pytest.mark.parametrize("down", ["database", "storage"])
async def test_not_ready_without_database_or_storage(down: str) -> None:
    checks = {"database": Dependency(), "storage": Dependency(), down: Dependency(UnavailableError(down))}
    async with probing(checks) as client:
        answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()) == (503, {"status": "unready", "failed": [down]})


async def test_ready_without_the_cache() -> None:
    checks = {"database": Dependency(), "cache": Dependency(UnavailableError("cache"))}
    async with probing(checks) as client:
        answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})


async def test_not_ready_while_stopping_and_nobody_is_asked() -> None:
    database, stopping = Dependency(), asyncio.Event()
    async with probing({"database": database}, stopping=stopping) as client:
        stopping.set()
        answer = await client.get("/readyz")
        live = await client.get("/livez")
    assert (answer.status_code, answer.json()) == (503, {"status": "stopping"})
    assert live.status_code == 200
    assert database.asked == 0


async def test_report_lists_every_dependency_with_state_and_latency() -> None:
    async with probing({"database": Dependency(), "cache": Dependency(UnavailableError("cache"))}) as client:
        answer = await client.get("/healthz")
    report = answer.json()
    latencies = [report["dependencies"][name].pop("latencyMs") for name in ("database", "cache")]
    assert all(isinstance(latency, float) for latency in latencies)
    assert answer.status_code == 200
    assert report == {
        "status": "degraded",
        "version": gallery.__version__,
        "dependencies": {
            "database": {"state": "up", "required": True},
            "cache": {"state": "down", "required": False, "problem": UnavailableError("cache").message},
        },
    }


async def test_report_is_a_503_if_something_needed_is_down() -> None:
    async with probing({"storage": Dependency(UnavailableError("storage"))}) as client:
        answer = await client.get("/healthz")
    assert (answer.status_code, answer.json()["status"]) == (503, "unavailable")


async def test_report_of_a_healthy_gallery_is_ok() -> None:
    async with probing({"storage": Dependency()}) as client:
        answer = await client.get("/healthz")
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")


async def test_report_keeps_what_a_driver_says_to_itself() -> None:
    failing = Dependency(OSError("cannot connect to admin:secret@10.0.0.1"))
    async with probing({"database": failing}) as client:
        answer = await client.get("/healthz")
    assert answer.json()["dependencies"]["database"]["problem"] == "Its check failed; the log says why."
    assert "secret" not in answer.text


async def test_dependency_that_never_answers_is_down() -> None:
    async with probing({"database": _never, "storage": Dependency()}, timeout_seconds=0.01) as client:
        answer = await client.get("/healthz")
    dependencies = answer.json()["dependencies"]
    assert dependencies["database"]["state"] == "down"
    assert dependencies["database"]["problem"] == "It did not answer within 0.01 seconds."
    assert dependencies["storage"]["state"] == "up"


async def test_checks_run_at_the_same_time() -> None:
    both = asyncio.Barrier(2)

    async def meet() -> None:
        await both.wait()

    async with probing({"database": meet, "storage": meet}) as client:
        answer = await client.get("/readyz")
    assert answer.status_code == 200


async def test_flood_of_probes_asks_once() -> None:
    database = Dependency()
    async with probing({"database": database}) as client:
        answers = await asyncio.gather(*(client.get("/readyz") for _ in range(50)))
        await client.get("/healthz")
    assert {answer.status_code for answer in answers} == {200}
    assert database.asked == 1


async def test_results_are_asked_for_again_after_their_lifetime() -> None:
    database, clock = Dependency(), Clock()
    async with probing({"database": database}, clock=clock) as client:
        before = await client.get("/readyz")
        database.error = UnavailableError("database")
        clock.now += RESULTS_LIFETIME_SECONDS / 2
        meanwhile = await client.get("/readyz")
        clock.now += RESULTS_LIFETIME_SECONDS / 2
        after = await client.get("/readyz")
    assert [answer.status_code for answer in (before, meanwhile, after)] == [200, 200, 503]
    assert database.asked == 2


async def test_outage_is_logged_when_it_begins_and_when_it_ends(caplog: pytest.LogCaptureFixture) -> None:
    database, clock = Dependency(UnavailableError("database")), Clock()
    with caplog.at_level(logging.INFO, logger="gallery.web.health"):
        async with probing({"database": database}, clock=clock) as client:
            for error in (database.error, database.error, None, None):
                database.error = error
                await client.get("/readyz")
                clock.now += RESULTS_LIFETIME_SECONDS
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "the database is failing its health check"),
        ("INFO", "the database passes its health check again"),
    ]
