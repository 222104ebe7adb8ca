"""The sweep as a job: asked for once an hour, however many workers ask."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from gallery.domain.ids import new_image_id
from gallery.domain.jobs import RenderImage, Sweep
from gallery.platform.database.engine import driver_dsn
from gallery.platform.database.storage_reports import SqlLastReports
from gallery.platform.jobs.held import PgHeldJobs
from gallery.platform.jobs.queries import WatchedDriver
from gallery.platform.jobs.sweeping import ask_for_sweep
from tests.e2e.places import fresh_place
from tests.integration.jobs_support import Queue, ScriptedWork, opened_queue, working
from tests.integration.live_gallery import live_gallery
from tests.services import Services


@pytest.fixture
async def queue(database_url: str) -> AsyncIterator[Queue]:
    async with opened_queue(database_url) as opened:
        yield opened


async def asked(queue: Queue) -> bool:
    """Whether a worker that looks now asks for a sweep."""
    connection = await asyncpg.connect(driver_dsn(queue.url))
    try:
        return await ask_for_sweep(WatchedDriver(connection))
    finally:
        await connection.close()


async def test_a_sweep_is_asked_for_by_one_of_several_workers(queue: Queue) -> None:
    answers = await asyncio.gather(*(asked(queue) for _ in range(5)))

    assert sorted(answers) == [False] * 4 + [True]
    assert await queue.jobs() == [("sweep", "queued")]


async def test_a_sweep_runs_and_is_not_asked_for_again_within_the_hour(queue: Queue) -> None:
    work = ScriptedWork()
    await queue.add(Sweep())
    async with working(queue.url, work):
        await queue.until_empty()

    assert work.sweeps == 1
    assert not await asked(queue)
    await queue.sql("UPDATE pgqueuer_log SET created = created - interval '61 minutes'")
    assert await asked(queue)


async def test_held_jobs_are_counted_and_get_another_chance(queue: Queue) -> None:
    held = PgHeldJobs(queue.engine)
    assert await held.count() == 0
    work = ScriptedWork(failures=[RuntimeError("broken")])
    await queue.add(RenderImage(new_image_id()))
    async with working(queue.url, work, max_attempts=1):
        await queue.until_held()

    assert await held.count() == 1
    assert await held.requeue() == 1
    assert await held.count() == 0
    assert await queue.jobs() == [("render_image", "queued")]


@pytest.mark.parametrize("waiting", [True, False], ids=["while one waits", "while none does"])
async def test_of_sweeps_that_failed_again_and_again_one_gets_another_chance(queue: Queue, *, waiting: bool) -> None:
    for _ in range(2):
        assert await asked(queue)
        await queue.sql("UPDATE pgqueuer SET status = 'failed'")
        await queue.sql("UPDATE pgqueuer_log SET created = created - interval '61 minutes'")
    if waiting:
        assert await asked(queue)

    assert await PgHeldJobs(queue.engine).requeue() == (0 if waiting else 1)
    assert await queue.jobs() == [("sweep", "queued")]


@pytest.mark.parametrize(
    ("repair", "left"), [(False, [("render_image", "failed")]), (True, [])], ids=["dry run", "repair"]
)
async def test_the_sweep_of_a_worker_repairs_if_it_is_set_to(
    services: Services, migrated_template: str, *, repair: bool, left: list[tuple[str, str]]
) -> None:
    stop = asyncio.Event()
    async with (
        fresh_place(services, migrated_template) as place,
        live_gallery(place, sweep_repair=repair) as live,
        opened_queue(place.database_url) as queue,
    ):
        await queue.add(RenderImage(new_image_id()))
        await queue.sql("UPDATE pgqueuer SET status = 'failed'")
        assert await asked(queue)
        at_work = asyncio.create_task(live.container.worker.run(stop))
        try:
            await queue.until(left)
        finally:
            stop.set()
            await asyncio.wait_for(at_work, 30)
        assert [one.objects for one in await SqlLastReports(queue.engine).all()] == [0]
