"""How uploads that clients send to the storage go on, as those who watch hear of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from gallery.domain.access import Viewer
from gallery.domain.errors import NotFoundError, UnavailableError
from gallery.domain.ids import UploadId, new_upload_id
from gallery.domain.upload_ports import StoredPart, UploadProgress
from gallery.domain.uploads import Upload
from gallery.services.staged_progress import StagedProgress
from tests.entities import ADA, BOB
from tests.fakes.gallery import MemoryGallery
from tests.staged_files import CONTENT, PARTS, complete, created, sent

TOTAL = len(CONTENT)
DONE = UploadProgress(received_bytes=TOTAL, total_bytes=TOTAL, done=True)


def received(size_bytes: int, *, done: bool = False) -> UploadProgress:
    return UploadProgress(received_bytes=size_bytes, total_bytes=TOTAL, done=done)


class Looks:
    """Progress whose pauses end when the test says so. Counts the looks, and notes the pauses."""

    def __init__(self, gallery: MemoryGallery) -> None:
        self._gallery = gallery
        self._over = asyncio.Event()
        self.count = 0
        self.pauses: list[float] = []
        self.progress = StagedProgress(self._find, sleep=self._sleep)

    def watch(self, upload: Upload) -> AsyncGenerator[UploadProgress]:
        return self.progress.watch(BOB, upload.id)

    async def again(self) -> None:
        """Ends the pause, and lets everybody do what there is to do."""
        self._over.set()
        await self._gallery.everybody_waits()

    async def _find(self, viewer: Viewer, upload_id: UploadId) -> tuple[Upload, tuple[StoredPart, ...]]:
        self.count += 1
        return await self._gallery.staged_uploads.find(viewer, upload_id)

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self._over = asyncio.Event()
        await self._over.wait()


@pytest.fixture
def looks(gallery: MemoryGallery) -> Looks:
    return Looks(gallery)


async def heard(watching: AsyncGenerator[UploadProgress]) -> list[UploadProgress]:
    return [progress async for progress in watching]


async def test_every_change_is_told_until_the_upload_is_complete(gallery: MemoryGallery, looks: Looks) -> None:
    upload = await created(gallery)
    watching = looks.watch(upload)
    assert await anext(watching) == received(0)

    gallery.storage.client_puts("multipart-1", 2, PARTS[1])
    await looks.again()
    assert await anext(watching) == received(40)

    gallery.storage.client_puts("multipart-1", 1, PARTS[0])
    gallery.storage.client_puts("multipart-1", 3, PARTS[2])
    await complete(gallery, upload)
    await looks.again()
    assert await heard(watching) == [DONE]


async def test_an_upload_that_is_complete_is_told_of_once(gallery: MemoryGallery, looks: Looks) -> None:
    upload = await sent(gallery)
    await complete(gallery, upload)

    assert await heard(looks.watch(upload)) == [DONE]
    assert looks.pauses == []


async def test_parts_that_are_being_put_together_count_as_received(gallery: MemoryGallery, looks: Looks) -> None:
    upload = await sent(gallery)
    watching = looks.watch(upload)
    assert await anext(watching) == received(TOTAL)

    gallery.storage.multipart_uploads.clear()
    await looks.again()
    await gallery.staged_uploads.abort(BOB, upload.id)
    await looks.again()

    assert await heard(watching) == [DONE]


async def test_an_upload_that_goes_away_is_over(gallery: MemoryGallery, looks: Looks) -> None:
    upload = await created(gallery)
    watching = looks.watch(upload)
    await anext(watching)

    await gallery.staged_uploads.abort(BOB, upload.id)
    await looks.again()

    assert await heard(watching) == [received(0, done=True)]


async def test_where_nothing_changes_it_is_looked_for_less_and_less_often(gallery: MemoryGallery, looks: Looks) -> None:
    watching = looks.watch(await created(gallery))
    await anext(watching)
    for _ in range(4):
        await looks.again()
    gallery.storage.client_puts("multipart-1", 1, PARTS[0])
    await looks.again()
    await looks.again()

    assert looks.pauses == [1, 2, 4, 5, 5, 1, 2]
    await watching.aclose()


async def test_all_who_watch_an_upload_share_one_who_looks(gallery: MemoryGallery, looks: Looks) -> None:
    upload = await created(gallery)
    watching = [looks.watch(upload) for _ in range(3)]
    assert [await anext(one) for one in watching] == [received(0)] * 3
    assert looks.count == 1

    gallery.storage.client_puts("multipart-1", 1, PARTS[0])
    following = [asyncio.create_task(anext(one)) for one in watching]
    await looks.again()

    assert await asyncio.gather(*following) == [received(40)] * 3
    assert looks.count == 2
    for one in watching:
        await one.aclose()


async def test_who_comes_later_hears_at_once_what_is_known(gallery: MemoryGallery, looks: Looks) -> None:
    upload = await created(gallery)
    first = looks.watch(upload)
    await anext(first)

    later = looks.watch(upload)
    assert await anext(later) == received(0)

    assert looks.count == 1
    await first.aclose()
    await later.aclose()


async def test_each_upload_is_looked_for_by_itself(gallery: MemoryGallery, looks: Looks) -> None:
    watching = [looks.watch(await created(gallery)) for _ in range(2)]
    for one in watching:
        await anext(one)

    assert looks.count == 2
    for one in watching:
        await one.aclose()


async def test_who_leaves_takes_nothing_from_the_others_and_nobody_looks_for_nobody(
    gallery: MemoryGallery, looks: Looks
) -> None:
    upload = await created(gallery)
    first, second = looks.watch(upload), looks.watch(upload)
    await anext(first)
    await anext(second)
    await first.aclose()
    await looks.again()
    assert looks.count == 2

    await second.aclose()
    await looks.again()
    assert looks.count == 2


async def test_an_upload_that_is_not_there_is_not_found(gallery: MemoryGallery, looks: Looks) -> None:
    upload = await created(gallery)

    with pytest.raises(NotFoundError):
        await anext(looks.progress.watch(BOB, new_upload_id()))
    with pytest.raises(NotFoundError):
        await anext(looks.progress.watch(ADA, upload.id))
    assert looks.pauses == []


async def test_a_storage_that_does_not_answer_is_told_to_all_and_who_comes_later_looks_again(
    gallery: MemoryGallery, looks: Looks
) -> None:
    upload = await created(gallery)
    watching = [looks.watch(upload) for _ in range(2)]
    for one in watching:
        await anext(one)
    gallery.storage.broken = {"parts"}
    await looks.again()

    with pytest.raises(UnavailableError):
        await anext(watching[0])
    gallery.storage.broken = set()
    later = looks.watch(upload)
    assert await anext(later) == received(0)
    with pytest.raises(UnavailableError):
        await anext(watching[1])

    gallery.storage.client_puts("multipart-1", 1, PARTS[0])
    await looks.again()
    assert await anext(later) == received(40)
    await later.aclose()


async def test_an_upload_is_watched_through_the_service(gallery: MemoryGallery) -> None:
    upload = await sent(gallery)
    await complete(gallery, upload)

    assert await heard(await gallery.staged_uploads.watch(BOB, upload.id)) == [DONE]
    with pytest.raises(NotFoundError):
        await gallery.staged_uploads.watch(ADA, upload.id)
