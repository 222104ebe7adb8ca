"""Jobs: asked for in a transaction, done by workers, and never lost."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver

from gallery.domain.errors import CorruptImageError, UnavailableError
from gallery.domain.ids import new_image_id
from gallery.domain.jobs import DeleteObjects, RenderImage
from gallery.platform.database.engine import driver_dsn
from gallery.platform.embedded import EmbeddedServers, Service
from gallery.platform.jobs import PgJobQueue, WorkerTiming, held, requeue_held
from gallery.platform.jobs.history import prune
from gallery.platform.jobs.queries import QueueQueries, WatchedDriver, table_names
from gallery.platform.jobs.running import GAVE_UP
from tests.integration.embedded_support import ROOT, recorded, scratch_folder
from tests.integration.jobs_support import QUICK, Queue, ScriptedWork, opened_queue, until, worker, working

DAMAGED = "The pixels of the image are damaged and cannot be decoded. Send the original file again."

_WORKER_THAT_NEVER_FINISHES = """
import asyncio, sys
from gallery.platform.jobs import Worker, WorkerTiming
from gallery.settings import WorkerSettings

class Endless:
    async def render(self, image_id):
        print(image_id.hex, flush=True)
        await asyncio.sleep(3600)

asyncio.run(Worker(
    database_url=sys.argv[1],
    work=Endless(),
    settings=WorkerSettings(),
    timing=WorkerTiming(takeover_seconds=1),
).run(asyncio.Event()))
"""


@pytest.fixture
async def queue(database_url: str) -> AsyncIterator[Queue]:
    async with opened_queue(database_url) as opened:
        yield opened


async def test_jobs_of_a_transaction_that_commits_run(queue: Queue) -> None:
    image_id = new_image_id()
    work = ScriptedWork()
    async with working(queue.url, work):
        await queue.add(RenderImage(image_id), DeleteObjects(("images/1.jpg", "thumbnails/small/1.webp")))
        await queue.until_empty()
    assert work.rendered == [image_id]
    assert work.deleted == [("images/1.jpg", "thumbnails/small/1.webp")]
    assert work.given_up == []


async def test_jobs_of_a_transaction_that_rolls_back_never_run(queue: Queue) -> None:
    undone, kept = new_image_id(), new_image_id()
    work = ScriptedWork()
    async with working(queue.url, work):
        async with queue.engine.connect() as connection:
            await PgJobQueue(connection).enqueue(RenderImage(undone))
            await connection.rollback()
        assert await queue.jobs() == []
        await queue.add(RenderImage(kept))
        await queue.until_empty()
    assert work.attempts == [kept]


async def test_a_job_waits_for_the_commit(queue: Queue) -> None:
    work = ScriptedWork()
    first, second = new_image_id(), new_image_id()
    async with working(queue.url, work), queue.engine.begin() as connection:
        await PgJobQueue(connection).enqueue(RenderImage(first))
        await queue.add(RenderImage(second))
        await until(lambda: work.rendered != [])
        assert work.attempts == [second]
        await connection.commit()
        await until(lambda: first in work.rendered)


async def test_many_jobs_are_one_statement(queue: Queue) -> None:
    await queue.add(*(RenderImage(new_image_id()) for _ in range(100)))
    assert [row[0] for row in await queue.sql("SELECT count(DISTINCT xmin::text) FROM pgqueuer")] == [1]
    assert await queue.jobs() == [("render_image", "queued")] * 100


async def test_no_jobs_are_no_statement(queue: Queue) -> None:
    async with queue.engine.connect() as connection:
        await PgJobQueue(connection).enqueue()
        assert not connection.in_transaction()


async def test_a_job_that_fails_twice_succeeds_the_third_time(queue: Queue) -> None:
    image_id = new_image_id()
    work = ScriptedWork(failures=[UnavailableError("storage"), OSError("connection reset")])
    async with working(queue.url, work, max_attempts=3):
        await queue.add(RenderImage(image_id))
        await queue.until_empty()
    assert work.attempts == [image_id] * 3
    assert work.rendered == [image_id]
    assert work.given_up == []


async def test_an_image_that_cannot_be_decoded_is_given_up_at_once_with_the_reason(queue: Queue) -> None:
    image_id = new_image_id()
    work = ScriptedWork(failures=[CorruptImageError(DAMAGED)])
    async with working(queue.url, work):
        await queue.add(RenderImage(image_id))
        await queue.until_empty()
    assert work.attempts == [image_id]
    assert work.given_up == [(image_id, DAMAGED)]
    assert await held(queue.engine) == ()


async def test_a_job_that_always_fails_is_held_and_runs_again_when_asked(queue: Queue) -> None:
    image_id = new_image_id()
    work = ScriptedWork(failures=[UnavailableError("storage")] * 3)
    async with working(queue.url, work, max_attempts=3):
        await queue.add(RenderImage(image_id))
        await queue.until_held()
        (job,) = await held(queue.engine)
        assert (job.name, job.payload) == ("render_image", f'{{"image_id":"{image_id.hex}"}}')
        assert job.reason is not None
        assert "failed 3 times" in job.reason
        assert "The storage does not answer" in job.reason
        assert work.attempts == [image_id] * 3
        assert work.given_up == [(image_id, GAVE_UP)]
        assert work.rendered == []

        assert await requeue_held(queue.engine) == 1
        await queue.until_empty()
    assert work.rendered == [image_id]
    assert work.given_up == [(image_id, GAVE_UP)]
    assert await requeue_held(queue.engine) == 0


async def test_a_requeued_job_has_all_its_attempts_again(queue: Queue) -> None:
    image_id = new_image_id()
    work = ScriptedWork(failures=[UnavailableError("storage")] * 3)
    async with working(queue.url, work, max_attempts=2):
        await queue.add(RenderImage(image_id))
        await until(lambda: len(work.given_up) == 1)
        await queue.until_held()
        assert await requeue_held(queue.engine) == 1
        await queue.until_empty()
    assert work.attempts == [image_id] * 4
    assert work.given_up == [(image_id, GAVE_UP)]
    assert work.rendered == [image_id]


async def test_a_job_that_nobody_can_read_is_held_and_holds_up_nobody(queue: Queue) -> None:
    image_id = new_image_id()
    await queue.sql(
        "INSERT INTO pgqueuer (priority, status, entrypoint, payload) VALUES (0, 'queued', 'render_image', 'no JSON')"
    )
    work = ScriptedWork()
    async with working(queue.url, work):
        await queue.add(RenderImage(image_id))
        await until(lambda: work.rendered == [image_id])
        await queue.until_held()
    assert work.attempts == [image_id]


async def test_jobs_of_a_newer_version_wait_for_a_newer_worker(queue: Queue) -> None:
    await queue.sql("INSERT INTO pgqueuer (priority, status, entrypoint) VALUES (9, 'queued', 'paint_image')")
    work = ScriptedWork()
    async with working(queue.url, work):
        await queue.add(RenderImage(new_image_id()))
        await until(lambda: len(work.rendered) == 1)
    assert ("paint_image", "queued") in await queue.jobs()


@pytest.mark.parametrize("concurrency", [1, 2, 3])
async def test_a_worker_runs_as_many_jobs_at_once_as_it_may(queue: Queue, concurrency: int) -> None:
    work = ScriptedWork()
    work.go_on.clear()
    async with working(queue.url, work, concurrency=concurrency):
        await queue.add(*(RenderImage(new_image_id()) for _ in range(8)))
        await until(lambda: len(work.running) == concurrency)
        work.go_on.set()
        await queue.until_empty()
    assert work.most_running == concurrency
    assert len(work.rendered) == 8


async def test_two_workers_share_the_work_and_do_nothing_twice(queue: Queue) -> None:
    image_ids = [new_image_id() for _ in range(40)]
    first, second = ScriptedWork(), ScriptedWork()
    first.go_on.clear()
    second.go_on.clear()
    async with working(queue.url, first), working(queue.url, second):
        await queue.add(*(RenderImage(image_id) for image_id in image_ids))
        await until(lambda: len(first.running) == 2 and len(second.running) == 2)
        assert first.running.isdisjoint(second.running)
        first.go_on.set()
        second.go_on.set()
        await queue.until_empty()
    assert sorted(first.attempts + second.attempts) == sorted(image_ids)


async def test_a_job_that_takes_long_stays_with_its_worker(queue: Queue) -> None:
    image_id = new_image_id()
    slow, idle = ScriptedWork(), ScriptedWork()
    slow.go_on.clear()
    async with working(queue.url, slow):
        await queue.add(RenderImage(image_id))
        await until(lambda: slow.running != set())
        async with working(queue.url, idle):
            await asyncio.sleep(3 * QUICK.takeover_seconds)
            slow.go_on.set()
            await queue.until_empty()
    assert slow.rendered == [image_id]
    assert idle.attempts == []


async def test_the_job_of_a_killed_worker_is_taken_over(queue: Queue) -> None:
    image_id = new_image_id()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _WORKER_THAT_NEVER_FINISHES, queue.url, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    try:
        await queue.add(RenderImage(image_id))
        assert process.stdout is not None
        assert await asyncio.wait_for(process.stdout.readline(), 60) == f"{image_id.hex}\n".encode()
    finally:
        process.send_signal(signal.SIGKILL)
        await process.wait()
    assert await queue.jobs() == [("render_image", "picked")]
    work = ScriptedWork()
    async with working(queue.url, work):
        await queue.until_empty()
    assert work.rendered == [image_id]


async def test_a_job_that_ends_its_worker_every_time_is_held(queue: Queue) -> None:
    image_id = new_image_id()
    await queue.add(RenderImage(image_id))
    await queue.sql(
        "INSERT INTO pgqueuer_log (job_id, status, priority, entrypoint)"
        " SELECT id, 'picked', priority, entrypoint FROM pgqueuer, generate_series(1, 3)"
    )
    work = ScriptedWork()
    async with working(queue.url, work, max_attempts=3):
        await queue.until_held()
    assert work.attempts == []
    assert work.given_up == [(image_id, GAVE_UP)]
    (job,) = await held(queue.engine)
    assert job.reason is not None
    assert job.reason.endswith("was started 3 times and its worker ended each time.")


async def test_stopping_waits_for_the_running_job_and_begins_no_other(queue: Queue) -> None:
    first, second = new_image_id(), new_image_id()
    work = ScriptedWork()
    work.go_on.clear()
    async with working(queue.url, work, concurrency=1) as stop:
        await queue.add(RenderImage(first), RenderImage(second))
        await queue.until([("render_image", "picked"), ("render_image", "picked")])
        assert work.running == {first}
        stop.set()
        await queue.until([("render_image", "picked"), ("render_image", "queued")])
        work.go_on.set()
    assert work.attempts == work.rendered == [first]
    assert await queue.jobs() == [("render_image", "queued")]


async def test_a_job_that_does_not_end_in_time_goes_back_into_the_queue(queue: Queue) -> None:
    image_id = new_image_id()
    endless, next_one = ScriptedWork(), ScriptedWork()
    endless.go_on.clear()
    async with working(queue.url, endless, timing=WorkerTiming(grace_seconds=0.1)):
        await queue.add(RenderImage(image_id))
        await until(lambda: endless.running == {image_id})
    assert endless.rendered == []
    assert await queue.jobs() == [("render_image", "queued")]
    async with working(queue.url, next_one):
        await queue.until_empty()
    assert next_one.rendered == [image_id]


async def test_the_job_of_a_cancelled_worker_goes_back_into_the_queue(queue: Queue) -> None:
    work = ScriptedWork()
    work.go_on.clear()
    await queue.add(RenderImage(new_image_id()))
    task = asyncio.create_task(worker(queue.url, work).run(asyncio.Event()))
    await until(lambda: len(work.running) == 1)
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()
    assert work.running == set()
    assert work.rendered == []
    assert await queue.jobs() == [("render_image", "queued")]


@pytest.mark.parametrize("failures", [[], [UnavailableError("database")]], ids=["job succeeds", "job fails"])
async def test_a_restart_of_the_database_costs_no_job_and_one_line_in_the_log(
    caplog: pytest.LogCaptureFixture, failures: list[Exception]
) -> None:
    caplog.set_level(logging.INFO)
    during, after = new_image_id(), new_image_id()
    work = ScriptedWork(failures=list(failures))
    work.go_on.clear()
    with scratch_folder() as folder:
        async with await EmbeddedServers.start(folder / "data", {Service.POSTGRES}, exclusive=True) as servers:
            watch = asyncio.create_task(servers.watch())
            url = servers.endpoints.database_url
            assert url is not None
            await _install(url)
            async with opened_queue(url) as queue, working(url, work):
                await queue.add(RenderImage(during))
                await until(lambda: work.running == {during})
                caplog.clear()
                os.kill(recorded(folder / "data")["postgres"], signal.SIGINT)
                await until(lambda: "the worker waits for the database" in caplog.text)
                work.go_on.set()
                await until(lambda: "the worker goes on" in caplog.text)
                await queue.add(RenderImage(after))
                await queue.until_empty()
            watch.cancel()
            await asyncio.wait({watch})
    assert set(work.rendered) == {during, after}
    assert work.given_up == []
    assert [record.message for record in caplog.records if record.name == "gallery.platform.jobs.worker"] == [
        "the worker waits for the database: The database does not answer at the moment. Try again in a little while.",
        "the worker goes on",
    ]
    assert [r.message for r in caplog.records if r.name == "pgqueuer" and r.levelno >= logging.WARNING] == []


async def test_the_loss_of_a_connection_is_noticed_whatever_the_driver_says(database_url: str) -> None:
    administrator = await asyncpg.connect(driver_dsn(database_url))
    errors = set()
    for _ in range(40):
        connection = await asyncpg.connect(driver_dsn(database_url))
        driver = WatchedDriver(connection)
        await driver.fetch("SELECT 1")
        with pytest.raises(asyncpg.UndefinedTableError):
            await driver.execute("DELETE FROM nowhere")
        assert not driver.lost.is_set()
        await administrator.execute("SELECT pg_terminate_backend($1)", connection.get_server_pid())
        try:
            while True:
                await driver.fetch("SELECT 1")
        except Exception as error:  # noqa: BLE001 - it is one of several
            errors.add(type(error).__name__)
        assert driver.lost.is_set(), errors
        connection.terminate()
    await administrator.close()


async def test_a_worker_without_tables_waits_for_them(
    empty_database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    work = ScriptedWork()
    async with opened_queue(empty_database_url) as queue, working(queue.url, work):
        await until(lambda: "run `gallery migrate`" in caplog.text)
        await _install(queue.url)
        await queue.add(RenderImage(new_image_id()))
        await queue.until_empty()
    assert len(work.rendered) == 1


async def test_the_installed_pgqueuer_wants_no_other_tables_than_the_migrations_make(queue: Queue) -> None:
    connection = await asyncpg.connect(driver_dsn(queue.url))
    try:
        plan = await QueueQueries(AsyncpgDriver(connection)).plan_upgrade()
    finally:
        await connection.close()
    assert list(plan.statements) == []
    assert list(plan.notes) == []


async def test_the_environment_does_not_rename_the_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    before = table_names()
    for name in ("CHANNEL", "FUNCTION", "TRIGGER", "DURABILITY", "PGQUEUER_PREFIX", "PGQUEUER_SCHEMA", "WIDEN_ID"):
        monkeypatch.setenv(name, "volatile" if name == "DURABILITY" else "false")
    assert table_names() == before


async def test_only_the_recent_history_and_that_of_waiting_jobs_is_kept(queue: Queue) -> None:
    work = ScriptedWork()
    async with working(queue.url, work):
        await queue.add(RenderImage(new_image_id()), RenderImage(new_image_id()))
        await queue.until_empty()
    await queue.add(RenderImage(new_image_id()))
    await queue.sql("UPDATE pgqueuer_log SET created = created - interval '2 days' WHERE job_id != 2")
    connection = await asyncpg.connect(driver_dsn(queue.url))
    try:
        assert await prune(QueueQueries(AsyncpgDriver(connection)).driver, timedelta(days=1)) == 3
    finally:
        await connection.close()
    rows = await queue.sql("SELECT job_id, status FROM pgqueuer_log")
    assert sorted((row[0], row[1]) for row in rows) == [
        (2, "picked"),
        (2, "queued"),
        (2, "successful"),
        (3, "queued"),
    ]
    assert await queue.sql("SELECT FROM pgqueuer_statistics") == []


async def _install(url: str) -> None:
    connection = await asyncpg.connect(driver_dsn(url))
    try:
        await QueueQueries(AsyncpgDriver(connection)).install()
    finally:
        await connection.close()
