"""What every repository of uploads under way must do."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from gallery.domain.errors import ErrorCode, NotFoundError
from gallery.domain.ids import new_album_id, new_image_id, new_upload_id
from gallery.domain.images import ContentType
from gallery.domain.uploads import Announcement, Draft, OnDuplicate, OpenUploads, Refusal, Upload, UploadState
from tests.contracts.under_test import Database
from tests.entities import ADA, BOB, NOBODY, a_staged_upload, after, an_upload, checksum_of


async def stored(database: Database, upload: Upload) -> Upload | None:
    """The upload as it is committed."""
    async with database.unit_of_work() as work:
        try:
            return await work.uploads.get(upload.owner, upload.id)
        except NotFoundError:
            return None


async def stale_ids(database: Database, *, untouched: float = -60, now: float = 0, limit: int = 10) -> list[object]:
    async with database.unit_of_work() as work:
        found = await work.uploads.stale(untouched_since=after(untouched), now=after(now), limit=limit)
        return [upload.id for upload in found]


async def test_uploads_come_back_as_they_were_stored(database: Database) -> None:
    streamed = an_upload(
        draft=Draft(
            title="Häfen",
            description="Zwei\nZeilen",
            tag_names=("Sea", "Straße"),
            album_id=new_album_id(),
            on_duplicate=OnDuplicate.REJECT,
        )
    )
    staged = a_staged_upload(
        announced=Announcement(
            filename="港.png",
            file_size_bytes=5_000_000_000,
            content_type=ContentType.PNG,
            checksum=checksum_of(b"announced"),
        ),
        part_size_bytes=5_000_000_000,
    )
    await database.store(streamed, staged)

    assert await stored(database, streamed) == streamed
    assert await stored(database, staged) == staged


async def test_an_upload_is_its_owners_alone(database: Database) -> None:
    upload = an_upload(owner=ADA.id)
    await database.store(upload)

    async with database.unit_of_work() as work:
        with pytest.raises(NotFoundError):
            await work.uploads.get(BOB.id, upload.id)
        with pytest.raises(NotFoundError):
            await work.uploads.get(ADA.id, new_upload_id())


async def test_an_upload_is_found_by_its_owner_alone_and_without_waiting_for_those_who_change_it(
    database: Database,
) -> None:
    upload = a_staged_upload(owner=ADA.id)
    await database.store(upload)

    async with database.unit_of_work() as holder:
        await holder.uploads.save(upload.completed(new_image_id(), after(1)))
        async with database.unit_of_work() as work:
            assert await work.uploads.find(ADA.id, upload.id) == upload
            assert await work.uploads.find(BOB.id, upload.id) is None
            assert await work.uploads.find(ADA.id, new_upload_id()) is None


async def test_what_an_owner_has_open_is_counted(database: Database) -> None:
    largest = Announcement(filename="a.jpg", file_size_bytes=5_000_000_000, content_type=ContentType.JPEG)
    await database.store(
        a_staged_upload(owner=ADA.id, announced=largest),
        a_staged_upload(owner=ADA.id, announced=largest, multipart_id=None, expires_at=after(-1)),
        a_staged_upload(owner=ADA.id, announced=largest, state=UploadState.COMPLETED),
        a_staged_upload(owner=BOB.id),
        an_upload(owner=ADA.id),
    )

    async with database.unit_of_work() as work:
        assert await work.uploads.open_of(ADA.id) == OpenUploads(count=2, size_bytes=10_000_000_000)
        assert await work.uploads.open_of(BOB.id) == OpenUploads(count=1, size_bytes=1000)
        assert await work.uploads.open_of(NOBODY.id) == OpenUploads(count=0, size_bytes=0)


async def test_those_who_count_what_an_owner_has_open_wait_for_each_other(database: Database) -> None:
    async def add_if_there_are_less_than_three() -> None:
        async with database.unit_of_work() as work:
            if (await work.uploads.open_of(ADA.id)).count < 3:
                await work.uploads.add(a_staged_upload(owner=ADA.id))
                await work.commit()

    await asyncio.gather(*(add_if_there_are_less_than_three() for _ in range(12)))

    async with database.unit_of_work() as work:
        assert (await work.uploads.open_of(ADA.id)).count == 3


async def test_a_changed_upload_is_stored(database: Database) -> None:
    upload, other = a_staged_upload(), a_staged_upload()
    await database.store(upload, other)
    completed = upload.completed(new_image_id(), after(1))

    async with database.unit_of_work() as work:
        await work.uploads.save(completed)
        await work.commit()

    assert await stored(database, upload) == completed
    assert await stored(database, other) == other


async def test_a_refusal_is_stored_and_such_an_upload_is_not_open_any_more(database: Database) -> None:
    upload = a_staged_upload(owner=ADA.id, created_at=after(-90), expires_at=after(0))
    await database.store(upload)
    refused = upload.refused(Refusal(code=ErrorCode.NOT_AN_IMAGE, message="Kein Bild: „港“"), after(1))

    async with database.unit_of_work() as work:
        await work.uploads.save(refused)
        await work.commit()

    assert await stored(database, upload) == refused
    assert await stale_ids(database) == [upload.id]
    async with database.unit_of_work() as work:
        assert await work.uploads.open_of(ADA.id) == OpenUploads(count=0, size_bytes=0)


async def test_an_upload_that_is_not_there_is_not_saved(database: Database) -> None:
    upload = an_upload()

    async with database.unit_of_work() as work:
        with pytest.raises(NotFoundError):
            await work.uploads.save(upload)
        await work.commit()

    assert await stored(database, upload) is None


async def test_removed_uploads_are_gone_and_those_not_there_do_not_matter(database: Database) -> None:
    one, other, kept = an_upload(), an_upload(), an_upload()
    await database.store(one, other, kept)

    async with database.unit_of_work() as work:
        await work.uploads.delete([one.id, new_upload_id(), other.id])
        await work.uploads.delete([])
        await work.commit()

    assert [await stored(database, upload) for upload in (one, other, kept)] == [None, None, kept]


async def test_a_taken_upload_is_removed_by_its_owner_alone(database: Database) -> None:
    upload = an_upload(owner=ADA.id)
    await database.store(upload)

    async with database.unit_of_work() as work:
        with pytest.raises(NotFoundError):
            await work.uploads.take(BOB.id, upload.id)
        assert await work.uploads.take(ADA.id, upload.id) == upload
        with pytest.raises(NotFoundError):
            await work.uploads.take(ADA.id, upload.id)
    assert await stored(database, upload) == upload  # not committed

    async with database.unit_of_work() as work:
        await work.uploads.take(ADA.id, upload.id)
        await work.commit()
    assert await stored(database, upload) is None


async def test_touched_uploads_live_and_others_stay_as_they_are(database: Database) -> None:
    one, other, untouched = an_upload(), an_upload(), an_upload()
    await database.store(one, other, untouched)

    async with database.unit_of_work() as work:
        await work.uploads.touch([one.id, other.id, new_upload_id()], after(1))
        await work.uploads.touch([], after(2))
        await work.commit()

    assert await stored(database, one) == replace(one, touched_at=after(1))
    assert await stored(database, other) == replace(other, touched_at=after(1))
    assert await stored(database, untouched) == untouched


async def test_touching_does_not_wait_for_uploads_that_others_have_locked(database: Database) -> None:
    locked, free = an_upload(), an_upload()
    await database.store(locked, free)

    async with database.unit_of_work() as holder:
        await holder.uploads.get(ADA.id, locked.id)
        async with database.unit_of_work() as work:
            await work.uploads.touch([locked.id, free.id], after(1))
            await work.commit()

    assert await stored(database, locked) == locked
    assert await stored(database, free) == replace(free, touched_at=after(1))


async def test_streamed_uploads_are_stale_once_nobody_touches_them(database: Database) -> None:
    old = an_upload(created_at=after(-90), touched_at=after(-61))
    living = an_upload(created_at=after(-90), touched_at=after(-60))
    completed = an_upload(created_at=after(-90), touched_at=after(-61), state=UploadState.COMPLETED)
    await database.store(old, living, completed)

    assert await stale_ids(database) == [old.id]


async def test_staged_uploads_are_stale_once_they_have_expired_open_or_not(database: Database) -> None:
    expired = a_staged_upload(created_at=after(-90), expires_at=after(0))
    completed = a_staged_upload(created_at=after(-80), expires_at=after(-1), state=UploadState.COMPLETED)
    untouched = a_staged_upload(created_at=after(-90), touched_at=after(-90), expires_at=after(1))
    await database.store(expired, completed, untouched)

    assert await stale_ids(database) == [expired.id, completed.id]


async def test_the_oldest_stale_uploads_come_first_and_no_more_than_asked_for(database: Database) -> None:
    oldest, older, old = (an_upload(created_at=after(-minutes)) for minutes in (300, 200, 100))
    await database.store(older, old, oldest)

    assert await stale_ids(database) == [oldest.id, older.id, old.id]
    assert await stale_ids(database, limit=2) == [oldest.id, older.id]


async def test_stale_uploads_that_others_have_locked_are_left_out(database: Database) -> None:
    oldest, older, old = (an_upload(created_at=after(-minutes)) for minutes in (300, 200, 100))
    await database.store(oldest, older, old)

    async with database.unit_of_work() as sweep:
        found = await sweep.uploads.stale(untouched_since=after(-60), now=after(0), limit=2)
        assert found == (oldest, older)
        assert await stale_ids(database) == [old.id]

    assert await stale_ids(database) == [oldest.id, older.id, old.id]


async def test_what_is_not_committed_is_undone(database: Database) -> None:
    upload, new = an_upload(), an_upload()
    await database.store(upload)

    async with database.unit_of_work() as work:
        await work.uploads.add(new)
        await work.uploads.touch([upload.id], after(1))
        await work.uploads.delete([upload.id])

    assert await stored(database, upload) == upload
    assert await stored(database, new) is None
