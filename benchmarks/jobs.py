"""Measures the job queue on an embedded PostgreSQL: `PYTHONPATH=. python benchmarks/jobs.py`.

How soon a job begins after its commit, how many empty jobs pass, what an idle worker costs, and how long the job of a
killed worker waits for another.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from gallery.domain.ids import ImageId, new_image_id
from gallery.domain.jobs import RenderImage
from gallery.platform.database.engine import create_engine, driver_dsn
from gallery.platform.database.migrate import upgrade
from gallery.platform.embedded import EmbeddedServers, Service
from gallery.platform.jobs import PgJobQueue, Worker
from gallery.settings import DatabaseSettings, WorkerSettings

SINGLE_JOBS, BATCH, KILLS, IDLE_SECONDS = 200, 500, 3, 10

ENDLESS = """
import asyncio, sys
from gallery.platform.jobs import Worker
from gallery.settings import WorkerSettings

class Endless:
    async def render(self, image_id):
        print(image_id.hex, flush=True)
        await asyncio.sleep(3600)

asyncio.run(Worker(database_url=sys.argv[1], work=Endless(), settings=WorkerSettings()).run(asyncio.Event()))
"""


class Timed:
    """Work that takes no time and notes when it begins."""

    def __init__(self) -> None:
        self.begun: dict[ImageId, float] = {}

    async def render(self, image_id: ImageId) -> None:
        """Notes the time."""
        self.begun[image_id] = time.perf_counter()

    async def give_up(self, image_id: ImageId, reason: str) -> None:
        """Never comes to that."""
        raise AssertionError(image_id, reason)

    async def delete_objects(self, storage_paths: Collection[str]) -> None:
        """Nobody asks for it."""
        raise AssertionError(storage_paths)

    async def sweep(self) -> None:
        """Nothing is under way."""

    async def when_begun(self, image_id: ImageId) -> float:
        """Waits for the job; answers with the time at which it began."""
        while image_id not in self.begun:  # noqa: ASYNC110 - an event would cost what is being measured
            await asyncio.sleep(0.0005)
        return self.begun[image_id]


async def add(engine: AsyncEngine, *image_ids: ImageId) -> float:
    """Commits a job for each image; answers with the time of the commit."""
    async with engine.begin() as connection:
        await PgJobQueue(connection).enqueue(*map(RenderImage, image_ids))
    return time.perf_counter()


@asynccontextmanager
async def working(url: str) -> AsyncIterator[Timed]:
    """A worker with the ordinary settings."""
    work, stop = Timed(), asyncio.Event()
    task = asyncio.create_task(Worker(database_url=url, work=work, settings=WorkerSettings()).run(stop))
    await asyncio.sleep(1)
    try:
        yield work
    finally:
        stop.set()
        await task


async def measure_pick_up(engine: AsyncEngine, work: Timed) -> None:
    """One job at a time."""
    waits_ms = []
    for _ in range(SINGLE_JOBS):
        image_id = new_image_id()
        committed = await add(engine, image_id)
        waits_ms.append((await work.when_begun(image_id) - committed) * 1000)
        await asyncio.sleep(0.03)
    p99_ms = statistics.quantiles(waits_ms, n=100)[98]
    print(f"from commit to begin: median {statistics.median(waits_ms):.1f} ms, p99 {p99_ms:.1f} ms")


async def measure_throughput(engine: AsyncEngine, work: Timed) -> None:
    """Many jobs at once."""
    image_ids = [new_image_id() for _ in range(BATCH)]
    started = time.perf_counter()
    committed = await add(engine, *image_ids)
    await asyncio.gather(*map(work.when_begun, image_ids))
    seconds = max(work.begun.values()) - committed
    print(f"{BATCH} jobs: added in {(committed - started) * 1000:.0f} ms, {BATCH / seconds:.0f} a second begun")


async def measure_idleness(url: str) -> None:
    """Nothing to do."""
    connection = await asyncpg.connect(driver_dsn(url))
    count = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
    await asyncio.sleep(5)  # until the notifications of what was before are worked off
    commits, cpu_seconds = await connection.fetchval(count), time.process_time()
    await asyncio.sleep(IDLE_SECONDS)
    cpu_ms = (time.process_time() - cpu_seconds) * 1000 / IDLE_SECONDS
    statements = (await connection.fetchval(count) - commits) / IDLE_SECONDS
    await connection.close()
    print(f"idle: {cpu_ms:.1f} ms of processor time and {statements:.1f} statements a second")


async def measure_takeover(url: str, engine: AsyncEngine) -> None:
    """A worker is killed in the middle of a job while another one is there."""
    waits = []
    for _ in range(KILLS):
        image_id = new_image_id()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", ENDLESS, url, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        await add(engine, image_id)
        await process.stdout.readline()
        async with working(url) as work:
            process.kill()
            killed = time.perf_counter()
            await process.wait()
            waits.append(await work.when_begun(image_id) - killed)
    print("after a kill: " + ", ".join(f"{wait:.1f} s" for wait in waits))


async def main() -> None:
    """Measures everything."""
    with tempfile.TemporaryDirectory(prefix="gallery-") as folder:
        async with await EmbeddedServers.start(Path(folder), {Service.POSTGRES}, exclusive=True) as servers:
            url = servers.endpoints.database_url
            assert url is not None
            await upgrade(url)
            engine = create_engine(url, DatabaseSettings())
            async with working(url) as work:
                await measure_pick_up(engine, work)
                await measure_throughput(engine, work)
                await measure_idleness(url)
            await measure_takeover(url, engine)
            await engine.dispose()


asyncio.run(main())
