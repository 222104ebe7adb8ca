"""What becomes of one job: done, tried again later, or held for a person to look at."""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import timedelta
from typing import Protocol

from pgqueuer.domain.errors import RetryRequested
from pgqueuer.domain.models import Job as Message
from pgqueuer.domain.types import JobId
from pgqueuer.ports.driver import Driver

from gallery.domain.errors import RefusedFileError
from gallery.domain.ids import ImageId
from gallery.domain.jobs import DeleteObjects, Job, RenderImage, Sweep
from gallery.platform.jobs.messages import UnreadableMessageError, decode
from gallery.settings import WorkerSettings

GAVE_UP = (
    "The thumbnails could not be made, although the gallery tried several times. The image itself is safe. "
    "Whoever runs this gallery can find the reason with `gallery doctor` and have them made again."
)
LONGEST_DELAY_SECONDS = 300.0

_STARTS_SINCE_HELD = """
SELECT count(*) AS starts
FROM pgqueuer_log
WHERE job_id = $1
  AND status = 'picked'
  AND created > coalesce(
    (SELECT max(created) FROM pgqueuer_log WHERE job_id = $1 AND status = 'failed'), '-infinity')
"""

log = logging.getLogger(__name__)


class Work(Protocol):
    """What jobs ask for, from the services. Each may be done twice."""

    async def render(self, image_id: ImageId) -> None:
        """Makes the renditions of an image.

        Raises:
            RefusedFileError: if that can never succeed, with a reason for people.
        """
        ...

    async def give_up(self, image_id: ImageId, reason: str) -> None:
        """Marks an image as failed, unless it has its renditions or is deleted."""
        ...

    async def delete_objects(self, storage_paths: Collection[str]) -> None:
        """Removes objects."""
        ...

    async def sweep(self) -> None:
        """Clears away what uploads that nobody finishes have left."""
        ...


class JobHeldError(Exception):
    """The job stays in the queue until a person asks for it to be tried again; the message says what happened."""


class JobRunner:
    """Runs jobs and decides what becomes of those that fail.

    An attempt counts when it starts: a job that kills its worker every time is given up like any other, which
    PgQueuer's own count, of failures that a worker lived to tell, would never do.
    """

    def __init__(self, work: Work, settings: WorkerSettings, driver: Driver) -> None:
        self._work = work
        self._settings = settings
        self._driver = driver

    async def run(self, message: Message) -> None:
        """Does what the message asks for. Returning means that the job leaves the queue.

        Raises:
            RetryRequested: if the job is to be tried again after a while.
            JobHeldError: if it is not.
        """
        attempt = 1
        try:
            job = decode(message.entrypoint, message.payload)
            attempt = await self._attempt_number(message.id)
            await self._attempt(job, attempt)
        except UnreadableMessageError as error:
            raise JobHeldError(str(error)) from error
        except JobHeldError:
            raise
        except Exception as error:
            delay = self._delay(attempt)
            log.warning(
                "%s (job %d) failed in attempt %d, next one in %.0f s: %r",
                message.entrypoint,
                message.id,
                attempt,
                delay.total_seconds(),
                error,
            )
            raise RetryRequested(delay, repr(error)) from error

    async def _attempt(self, job: Job, attempt: int) -> None:
        if attempt > self._settings.max_attempts:
            await self._give_up(job)
            message = f"{job} was started {attempt - 1} times and its worker ended each time."
            raise JobHeldError(message)
        try:
            await self._do(job)
        except Exception as error:
            if attempt < self._settings.max_attempts:
                raise
            await self._give_up(job)
            message = f"{job} failed {attempt} times, at last with {error!r}."
            raise JobHeldError(message) from error

    async def _do(self, job: Job) -> None:
        match job:
            case RenderImage(image_id):
                try:
                    await self._work.render(image_id)
                except RefusedFileError as error:
                    await self._work.give_up(image_id, error.message)
            case DeleteObjects(storage_paths):
                await self._work.delete_objects(storage_paths)
            case Sweep():
                await self._work.sweep()

    async def _give_up(self, job: Job) -> None:
        if isinstance(job, RenderImage):
            await self._work.give_up(job.image_id, GAVE_UP)

    async def _attempt_number(self, job_id: JobId) -> int:
        (row,) = await self._driver.fetch(_STARTS_SINCE_HELD, job_id)
        starts = row["starts"]
        return starts if isinstance(starts, int) else 1

    def _delay(self, attempt: int) -> timedelta:
        doubled = self._settings.retry_delay_seconds * 2.0 ** (attempt - 1)
        return timedelta(seconds=min(doubled, LONGEST_DELAY_SECONDS))
