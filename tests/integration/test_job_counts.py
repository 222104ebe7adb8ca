"""How many jobs wait, run and are held, as the metrics tell it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gallery.domain.ids import new_image_id
from gallery.domain.jobs import DeleteObjects, RenderImage
from gallery.platform.jobs.counts import JobState, job_counts
from gallery.platform.jobs.messages import JOB_NAMES
from tests.integration.jobs_support import Queue, ScriptedWork, opened_queue, working


@pytest.fixture
async def queue(database_url: str) -> AsyncIterator[Queue]:
    async with opened_queue(database_url) as opened:
        yield opened


async def test_an_empty_queue_has_a_zero_for_everything(queue: Queue) -> None:
    assert await job_counts(queue.engine) == {(name, state): 0 for name in JOB_NAMES for state in JobState}


async def test_jobs_are_counted_by_kind_and_state(queue: Queue) -> None:
    work = ScriptedWork(failures=[RuntimeError("broken")])
    await queue.add(RenderImage(new_image_id()))
    async with working(queue.url, work, max_attempts=1):
        await queue.until_held()
    await queue.add(RenderImage(new_image_id()), RenderImage(new_image_id()), DeleteObjects(("a.jpg",)))
    await queue.sql("UPDATE pgqueuer SET status = 'picked' WHERE entrypoint = 'delete_objects'")

    counts = await job_counts(queue.engine)

    assert {key: count for key, count in counts.items() if count} == {
        ("render_image", JobState.HELD): 1,
        ("render_image", JobState.QUEUED): 2,
        ("delete_objects", JobState.RUNNING): 1,
    }


async def test_jobs_of_another_version_are_counted_together(queue: Queue) -> None:
    await queue.add(RenderImage(new_image_id()), RenderImage(new_image_id()))
    await queue.sql("UPDATE pgqueuer SET entrypoint = 'of_tomorrow_' || id")

    counts = await job_counts(queue.engine)

    assert {key: count for key, count in counts.items() if count} == {("other", JobState.QUEUED): 2}
