"""What every unit of work must do: all or nothing, seen by nobody before the commit."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from gallery.domain.errors import NotFoundError
from gallery.domain.events import Event, EventKind
from gallery.domain.jobs import DeleteObjects, Job, RenderImage
from gallery.domain.pages import GalleryStats
from gallery.domain.ports import UnitOfWork
from tests.contracts.under_test import Database
from tests.entities import ADA, NOON, a_claim, a_rendition, a_tag, an_album, an_event, an_image, an_upload

NOTHING = GalleryStats(image_count=0, tag_count=0, album_count=0, size_bytes=0, content_types=())

IMAGE, TAG, ALBUM, UPLOAD, CLAIM = an_image(), a_tag(), an_album(), an_upload(), a_claim()


async def fill(work: UnitOfWork) -> None:
    """Something of every kind."""
    await work.images.add(IMAGE)
    await work.images.replace_renditions(IMAGE.id, [a_rendition(IMAGE)])
    await work.tags.add_missing([TAG])
    await work.tags.attach([IMAGE.id], [TAG.id])
    await work.albums.add(ALBUM)
    await work.albums.append(ALBUM.id, [IMAGE.id])
    await work.events.append(an_event(IMAGE))
    await work.jobs.enqueue(RenderImage(IMAGE.id))
    await work.uploads.add(UPLOAD)
    await work.claims.take(CLAIM, abandoned_before=NOON, now=NOON)


async def assert_nothing_is_there(database: Database) -> None:
    assert await database.images.stats(ADA) == NOTHING
    assert await database.images.renditions(ADA, [IMAGE.id]) == {}
    assert await database.tags.by_image(ADA, [IMAGE.id]) == {}
    assert await database.albums.by_image(ADA, [IMAGE.id]) == {}
    assert await database.events() == []
    assert await database.jobs() == []
    assert database.told == []
    assert await database.named_objects.named([UPLOAD.storage_path]) == set()
    async with database.unit_of_work() as work:
        assert await work.claims.find(CLAIM.owner, CLAIM.key) is None


async def test_what_is_committed_is_there_for_all(database: Database) -> None:
    async with database.unit_of_work() as work:
        await fill(work)
        await work.commit()

    assert await database.images.get_many(ADA, [IMAGE.id]) == {IMAGE.id: IMAGE}
    assert await database.images.renditions(ADA, [IMAGE.id]) == {IMAGE.id: (a_rendition(IMAGE),)}
    assert await database.tags.by_image(ADA, [IMAGE.id]) == {IMAGE.id: (TAG,)}
    assert await database.albums.by_image(ADA, [IMAGE.id]) == {IMAGE.id: (ALBUM,)}
    [event] = await database.events()
    assert database.told == [(event,)]
    assert await database.jobs() == [RenderImage(IMAGE.id)]
    async with database.unit_of_work() as work:
        assert await work.uploads.get(UPLOAD.owner, UPLOAD.id) == UPLOAD
        assert await work.claims.find(CLAIM.owner, CLAIM.key) == CLAIM


async def test_what_is_not_committed_is_seen_by_its_own_unit_alone(database: Database) -> None:
    async with database.unit_of_work() as work:
        await fill(work)

        assert await work.images.get(IMAGE.id) == IMAGE
        assert await work.albums.members(ALBUM.id, [IMAGE.id]) == {IMAGE.id}
        await assert_nothing_is_there(database)
        async with database.unit_of_work() as other:
            with pytest.raises(NotFoundError):
                await other.images.get(IMAGE.id)


async def test_leaving_without_commit_undoes_everything(database: Database) -> None:
    async with database.unit_of_work() as work:
        await fill(work)

    await assert_nothing_is_there(database)


async def test_an_error_undoes_everything_and_goes_on(database: Database) -> None:
    error = RuntimeError("a fault of ours")

    async def fill_and_fail() -> None:
        async with database.unit_of_work() as work:
            await fill(work)
            raise error

    with pytest.raises(RuntimeError) as raised:
        await fill_and_fail()

    assert raised.value is error
    await assert_nothing_is_there(database)


async def test_cancelling_undoes_everything(database: Database) -> None:
    filled = asyncio.Event()

    async def fill_and_wait() -> None:
        async with database.unit_of_work() as work:
            await fill(work)
            filled.set()
            await asyncio.get_running_loop().create_future()

    task = asyncio.create_task(fill_and_wait())
    await filled.wait()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task

    assert task.cancelled()
    await assert_nothing_is_there(database)


async def test_an_unused_unit_leaves_no_trace(database: Database) -> None:
    async with database.unit_of_work():
        pass

    await assert_nothing_is_there(database)


async def test_nothing_can_be_done_after_the_commit(database: Database) -> None:
    async with database.unit_of_work() as work:
        await fill(work)
        await work.commit()

        with pytest.raises(RuntimeError):
            await work.albums.add(an_album())

    assert (await database.images.stats(ADA)).album_count == 1


async def test_what_is_committed_stays_if_its_unit_fails_afterwards(database: Database) -> None:
    error = RuntimeError("a fault of ours")

    async def fill_commit_and_fail() -> None:
        async with database.unit_of_work() as work:
            await fill(work)
            await work.commit()
            raise error

    with pytest.raises(RuntimeError) as raised:
        await fill_commit_and_fail()

    assert raised.value is error
    assert await database.images.get_many(ADA, [IMAGE.id]) == {IMAGE.id: IMAGE}


async def test_events_keep_their_order_and_all_that_they_say(database: Database) -> None:
    events = [
        Event(
            kind=kind,
            entity_id=IMAGE.id,
            actor=ADA.id,
            occurred_at=NOON,
            payload={"text": "Café", "number": number, "none": None, "list": [True, 1.5], "object": {"from": "a"}},
        )
        for number, kind in enumerate((EventKind.IMAGE_UPLOADED, EventKind.IMAGE_UPDATED, EventKind.IMAGE_DELETED))
    ]

    async with database.unit_of_work() as work:
        await work.events.append()
        await work.events.append(events[0])
        await work.events.append(*events[1:])
        await work.commit()

    assert await database.events() == events
    assert database.told == [tuple(events)]


async def test_jobs_keep_their_order_and_all_that_they_say(database: Database) -> None:
    jobs: list[Job] = [
        RenderImage(IMAGE.id),
        DeleteObjects(("images/2026/05/a.jpg", "thumbnails/small/a.webp")),
        RenderImage(IMAGE.id),
    ]

    async with database.unit_of_work() as work:
        await work.jobs.enqueue()
        await work.jobs.enqueue(*jobs[:2])
        await work.jobs.enqueue(jobs[2])
        await work.commit()

    assert await database.jobs() == jobs
