"""Takes jobs from the queue and has them done, whatever happens to the database meanwhile."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

import asyncpg
from pgqueuer.core.qm import QueueManager
from pgqueuer.domain.errors import RetryRequested
from pgqueuer.domain.models import Job as Message

from gallery.domain.errors import UnavailableError
from gallery.platform.database.engine import driver_dsn
from gallery.platform.database.errors import translated
from gallery.platform.jobs.history import prune_forever
from gallery.platform.jobs.messages import JOB_NAMES
from gallery.platform.jobs.queries import NAMES, WatchedDriver, WorkerQueries
from gallery.platform.jobs.running import JobRunner, Work
from gallery.platform.jobs.sweeping import ask_forever
from gallery.settings import WorkerSettings

_DATABASE = "database"
_APPLICATION_NAME = "gallery worker"
_CONNECT_TIMEOUT_SECONDS = 5.0
_COMMAND_TIMEOUT_SECONDS = 10.0
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.2, 5.0

log = logging.getLogger(__name__)


class QueueNotReadyError(Exception):
    """The tables of the queue are missing or older than this version needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerTiming:
    """How long a worker waits for what, in seconds."""

    poll_seconds: float = 1.0
    """For a notification, before it looks whether a retry is due or a job was abandoned. New jobs do not wait."""
    takeover_seconds: float = 5.0
    """For a sign of life about a job of another worker, before it takes the job over. Each gives one at half of it."""
    grace_seconds: float = 20.0
    """For running jobs when it is told to stop, before it puts them back into the queue."""


class Worker:
    """Runs the jobs of the queue, on one connection of its own that is not shared with anybody.

    It needs a direct connection, or a pooler in session mode: it listens for notifications.
    """

    def __init__(
        self,
        *,
        database_url: str,
        work: Work,
        settings: WorkerSettings,
        timing: WorkerTiming | None = None,
    ) -> None:
        self._dsn = driver_dsn(database_url)
        self._work = work
        self._settings = settings
        self._timing = timing or WorkerTiming()
        self._in_outage = False

    async def run(self, stop: asyncio.Event) -> None:
        """Works until `stop` is set or the task is cancelled; survives everything else and says so once.

        Running jobs may then finish for a while. Those that do not, or are cancelled, go back into the queue.
        """
        pause_seconds = _FIRST_PAUSE_SECONDS
        while not stop.is_set():
            started = time.monotonic()
            try:
                await self._work_while_connected(stop)
            except Exception as error:  # noqa: BLE001  # a worker that ends for a reason nobody foresaw helps nobody
                self._report(error)
                if time.monotonic() - started > _LONGEST_PAUSE_SECONDS:
                    pause_seconds = _FIRST_PAUSE_SECONDS
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), pause_seconds)
                pause_seconds = min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)

    async def _work_while_connected(self, stop: asyncio.Event) -> None:
        connection = await asyncpg.connect(
            self._dsn,
            timeout=_CONNECT_TIMEOUT_SECONDS,
            command_timeout=_COMMAND_TIMEOUT_SECONDS,
            server_settings={"application_name": _APPLICATION_NAME},
        )
        try:
            await self._serve(connection, stop)
        finally:
            with suppress(Exception):  # it may be gone, or out of step
                await connection.close(timeout=_CONNECT_TIMEOUT_SECONDS)

    async def _serve(self, connection: asyncpg.Connection[asyncpg.Record], stop: asyncio.Event) -> None:
        """Works until `stop` is set.

        Raises:
            UnavailableError: if the connection ends before.
            QueueNotReadyError: if the tables are not there.
        """
        driver = WatchedDriver(connection)
        connection.add_termination_listener(lambda _: driver.lost.set())
        manager = QueueManager(WorkerQueries(driver), NAMES.channel)
        running = _InterruptibleJobs(JobRunner(self._work, self._settings, driver).run, self._settings.concurrency)
        for name in JOB_NAMES:
            manager.entrypoint(name, accepts_context=False, on_failure="hold")(running.run)
        await _check_tables(manager)
        self._report_return()

        session = asyncio.create_task(self._run_manager(manager))
        others = [asyncio.create_task(stop.wait()), asyncio.create_task(driver.lost.wait())]
        beside = [asyncio.create_task(prune_forever(driver)), asyncio.create_task(ask_forever(driver))]
        try:
            await asyncio.wait({session, *others}, return_when=asyncio.FIRST_COMPLETED)
            if driver.lost.is_set():
                self._report(UnavailableError(_DATABASE))
            manager.shutdown.set()
            running.begin_no_more()
            await asyncio.wait({session}, timeout=self._timing.grace_seconds)
        finally:
            manager.shutdown.set()
            running.interrupt()
            for task in (*others, *beside):
                task.cancel()
            await asyncio.wait({session, *others, *beside})
        session.result()
        if not stop.is_set():
            raise UnavailableError(_DATABASE)

    async def _run_manager(self, manager: QueueManager) -> None:
        await manager.run(
            dequeue_timeout=timedelta(seconds=self._timing.poll_seconds),
            heartbeat_timeout=timedelta(seconds=self._timing.takeover_seconds),
            batch_size=1,
            # One waits here for a free place, since PgQueuer may need a tenth of a second to fetch another.
            max_concurrent_tasks=self._settings.concurrency + 1,
            shutdown_on_listener_failure=True,
            log_aggregation_interval=timedelta(0),  # statistics that nobody reads and nobody prunes
        )

    def _report(self, error: Exception) -> None:
        if self._in_outage:
            return
        self._in_outage = True
        if isinstance(translated(error) or error, UnavailableError | QueueNotReadyError):
            log.warning("the worker waits for the database: %s", error)
        else:
            log.error("the worker was interrupted and tries to go on", exc_info=error)

    def _report_return(self) -> None:
        if self._in_outage:
            self._in_outage = False
            log.info("the worker goes on")


class _InterruptibleJobs:
    """Jobs that are running, and those that wait for a free place, in tasks of their own.

    PgQueuer deletes a job whose task is cancelled; ours go back into the queue.
    """

    def __init__(self, run: Callable[[Message], Coroutine[None, None, None]], concurrency: int) -> None:
        self._run = run
        self._free = asyncio.Semaphore(concurrency)
        self._waiting: set[asyncio.Task[object]] = set()
        self._running: set[asyncio.Task[object]] = set()

    async def run(self, message: Message) -> None:
        try:
            await self._in_task(self._waiting, self._free.acquire())
            try:
                await self._in_task(self._running, self._run(message))
            finally:
                self._free.release()
        except asyncio.CancelledError:
            raise RetryRequested(timedelta(0), "The worker stopped.") from None

    def begin_no_more(self) -> None:
        for task in self._waiting:
            task.cancel()

    def interrupt(self) -> None:
        for task in self._waiting | self._running:
            task.cancel()

    @staticmethod
    async def _in_task(tasks: set[asyncio.Task[object]], work: Coroutine[None, None, object]) -> None:
        task = asyncio.create_task(work)
        tasks.add(task)
        try:
            await task
        finally:
            tasks.discard(task)


async def _check_tables(manager: QueueManager) -> None:
    try:
        await manager.verify_structure()
    except RuntimeError as error:
        message = f"The tables of the job queue are not what this version needs; run `gallery migrate`. ({error})"
        raise QueueNotReadyError(message) from error
