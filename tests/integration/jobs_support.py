"""What the tests of jobs share: work that does what it is told, workers, and a look into the queue."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from gallery.domain.ids import ImageId
from gallery.domain.jobs import Job
from gallery.platform.database.engine import create_engine, driver_dsn
from gallery.platform.jobs import PgJobQueue, Worker, WorkerTiming
from gallery.settings import DatabaseSettings, WorkerSettings

QUICK = WorkerTiming(poll_seconds=0.2, takeover_seconds=1, grace_seconds=5)


@dataclass
class ScriptedWork:
    """Records what it is asked for; `failures` are raised by its renderings one after the other."""

    failures: list[Exception] = field(default_factory=list)
    rendered: list[ImageId] = field(default_factory=list)
    attempts: list[ImageId] = field(default_factory=list)
    given_up: list[tuple[ImageId, str]] = field(default_factory=list)
    deleted: list[tuple[str, ...]] = field(default_factory=list)
    sweeps: int = 0
    running: set[ImageId] = field(default_factory=set)
    most_running: int = 0
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    """Renderings wait for this once they have begun."""

    def __post_init__(self) -> None:
        self.go_on.set()

    async def render(self, image_id: ImageId) -> None:
        assert image_id not in self.running, "the same job runs twice at the same time"
        self.running.add(image_id)
        self.most_running = max(self.most_running, len(self.running))
        self.attempts.append(image_id)
        try:
            await asyncio.sleep(0)
            await self.go_on.wait()
            if self.failures:
                raise self.failures.pop(0)
        finally:
            self.running.discard(image_id)
        self.rendered.append(image_id)

    async def give_up(self, image_id: ImageId, reason: str) -> None:
        self.given_up.append((image_id, reason))

    async def delete_objects(self, storage_paths: Collection[str]) -> None:
        self.deleted.append(tuple(storage_paths))

    async def sweep(self) -> None:
        self.sweeps += 1


@dataclass(frozen=True)
class Queue:
    """The queue of one database."""

    url: str
    engine: AsyncEngine

    async def add(self, *jobs: Job) -> None:
        async with self.engine.begin() as connection:
            await PgJobQueue(connection).enqueue(*jobs)

    async def jobs(self) -> list[tuple[str, str]]:
        """The name and the state of each job that is in the queue."""
        return [(row[0], row[1]) for row in await self.sql("SELECT entrypoint, status FROM pgqueuer ORDER BY id")]

    async def sql(self, statement: str) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(driver_dsn(self.url))
        try:
            return await connection.fetch(statement)
        finally:
            await connection.close()

    async def until_held(self) -> None:
        """Waits until the only job is held."""
        await self.until([("render_image", "failed")])

    async def until_empty(self) -> None:
        await self.until([])

    async def until(self, expected: list[tuple[str, str]]) -> None:
        """Waits until these are the names and the states of the jobs in the queue."""
        async with asyncio.timeout(60):
            while await self.jobs() != expected:  # noqa: ASYNC110  # nothing tells a test what the queue holds
                await asyncio.sleep(0.02)


@asynccontextmanager
async def opened_queue(url: str) -> AsyncIterator[Queue]:
    engine = create_engine(url, DatabaseSettings())
    try:
        yield Queue(url, engine)
    finally:
        await engine.dispose()


def worker(
    url: str, work: ScriptedWork, *, concurrency: int = 2, max_attempts: int = 3, timing: WorkerTiming = QUICK
) -> Worker:
    return Worker(
        database_url=url,
        work=work,
        settings=WorkerSettings(concurrency=concurrency, max_attempts=max_attempts, retry_delay_seconds=0.01),
        timing=timing,
    )


@asynccontextmanager
async def working(
    url: str, work: ScriptedWork, *, concurrency: int = 2, max_attempts: int = 3, timing: WorkerTiming = QUICK
) -> AsyncIterator[asyncio.Event]:
    """A worker at work. Setting the event tells it to stop; it has stopped at the end."""
    stop = asyncio.Event()
    running = worker(url, work, concurrency=concurrency, max_attempts=max_attempts, timing=timing)
    task = asyncio.create_task(running.run(stop))
    try:
        yield stop
    finally:
        stop.set()
        await asyncio.wait_for(task, 30)


async def until(condition: Callable[[], bool]) -> None:
    """Waits for something that a worker does, not longer than a minute."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110  # what is waited for is a change of plain values
            await asyncio.sleep(0.01)
