"""What happens between the last byte of a file and the answer: rows that cannot be written, races, clients gone."""

from __future__ import annotations

import asyncio

import pytest

from gallery.domain.errors import ConflictError, ErrorCode, UnavailableError
from gallery.domain.jobs import RenderImage
from gallery.services.recording import UploadOutcome, UploadResult
from gallery.services.uploads import NewImage
from tests.entities import BOB, a_tag, an_image, checksum_of
from tests.fakes.database import CommitFault
from tests.fakes.gallery import MemoryGallery
from tests.fakes.incoming import MemoryIncomingFile
from tests.fakes.storage import MemoryObject

CONTENT = b"a photograph of a harbour"

DATABASE_GONE = UnavailableError("database")
BROKEN = CommitFault(error=DATABASE_GONE)
UNANSWERED = CommitFault(error=DATABASE_GONE, kept=True)
COLLISION = ConflictError(ErrorCode.VERSION_CONFLICT, "Somebody else was faster.")


def an_upload(gallery: MemoryGallery) -> asyncio.Task[UploadResult]:
    new = NewImage(file=MemoryIncomingFile([CONTENT]), tag_names=["Sea"])
    return asyncio.create_task(gallery.uploads.upload(BOB, new))


async def test_commits_that_all_fail_take_the_object_with_them(gallery: MemoryGallery) -> None:
    gallery.holds(an_image())
    gallery.database.commit_faults.extend([None, *[BROKEN] * 3])

    with gallery.refuses(UnavailableError) as refusal:
        await an_upload(gallery)

    assert refusal.value is DATABASE_GONE
    assert gallery.storage.puts == 1
    assert not gallery.database.commit_faults


@pytest.mark.parametrize("faults", [[BROKEN], [BROKEN] * 2, [BROKEN, UNANSWERED], [BROKEN, BROKEN, UNANSWERED]])
async def test_what_was_not_committed_is_recorded_again_and_once(
    gallery: MemoryGallery, faults: list[CommitFault]
) -> None:
    gallery.database.commit_faults.extend([None, *faults])

    result = await an_upload(gallery)

    assert result.outcome is UploadOutcome.CREATED
    assert gallery.tables.images == {result.image.id: result.image}
    assert gallery.storage.puts == 1
    assert set(gallery.storage.objects) == {result.image.storage_path}
    assert gallery.jobs == [RenderImage(result.image.id)]
    assert len(gallery.events) == 3  # uploaded, tag created, tagged: none of them twice
    assert gallery.tables.uploads == {}


async def test_a_commit_whose_answer_is_lost_has_made_the_image(
    gallery: MemoryGallery, caplog: pytest.LogCaptureFixture
) -> None:
    gallery.database.commit_faults.extend([None, UNANSWERED])

    result = await an_upload(gallery)

    [image] = gallery.tables.images.values()
    assert result == UploadResult(image=image, outcome=UploadOutcome.CREATED)
    assert caplog.messages == [f"the commit of an upload was not answered, and has succeeded: {image.storage_path}"]
    assert gallery.storage.objects == {image.storage_path: MemoryObject(content=CONTENT, content_type="image/jpeg")}
    assert gallery.jobs == [RenderImage(image.id)]


async def test_a_commit_whose_answer_is_lost_leaves_no_second_object(gallery: MemoryGallery) -> None:
    first = await an_upload(gallery)
    before = gallery.state()
    gallery.database.commit_faults.extend([None, UNANSWERED])

    with pytest.raises(UnavailableError):
        await an_upload(gallery)

    assert gallery.storage.puts == 2
    assert gallery.state() == before
    assert set(gallery.storage.objects) == {first.image.storage_path}


async def test_an_object_stays_if_it_cannot_be_told_whether_a_row_names_it(
    gallery: MemoryGallery, caplog: pytest.LogCaptureFixture
) -> None:
    def lose_database() -> None:
        gallery.database.unavailable = True

    file = MemoryIncomingFile([CONTENT], at_end=lose_database)

    with pytest.raises(UnavailableError):
        await gallery.uploads.upload(BOB, NewImage(file=file))

    [path] = gallery.storage.objects
    assert gallery.tables.images == {}
    assert caplog.messages == [f"could not tell whether an upload was recorded; its object stays: {path}"]


async def test_an_object_that_cannot_be_removed_is_logged_and_the_first_error_told(
    gallery: MemoryGallery, caplog: pytest.LogCaptureFixture
) -> None:
    gallery.database.commit_faults.extend([None, *[BROKEN] * 3])
    gallery.storage.broken = {"delete"}

    with pytest.raises(UnavailableError) as refusal:
        await an_upload(gallery)

    assert refusal.value is DATABASE_GONE
    [path] = gallery.storage.objects
    assert caplog.messages == [f"an object without a row is left behind: {path}"]


async def test_a_second_object_that_cannot_be_removed_does_not_fail_the_upload(
    gallery: MemoryGallery, caplog: pytest.LogCaptureFixture
) -> None:
    first = await an_upload(gallery)
    gallery.storage.broken = {"delete"}

    second = await an_upload(gallery)

    assert second == UploadResult(image=first.image, outcome=UploadOutcome.EXISTING)
    [left_behind] = set(gallery.storage.objects) - {first.image.storage_path}
    assert caplog.messages == [f"an object without a row is left behind: {left_behind}"]


async def test_an_upload_that_loses_a_race_for_the_same_bytes_gets_the_winners_image(gallery: MemoryGallery) -> None:
    winner = an_image(owner=BOB.id, checksum=checksum_of(CONTENT))

    async with gallery.unit_of_work() as work:
        await work.images.add(winner)
        upload = an_upload(gallery)
        await gallery.everybody_waits()
        await work.commit()
    loser = await upload

    assert loser == UploadResult(image=winner, outcome=UploadOutcome.EXISTING)
    assert gallery.tables.images == {winner.id: winner}
    assert gallery.storage.puts == 1
    assert gallery.storage.objects == {}
    assert [image_id for image_id, _ in gallery.tables.image_tags] == [winner.id]
    assert gallery.jobs == []


async def test_an_image_that_is_being_deleted_is_not_the_answer(gallery: MemoryGallery) -> None:
    first = await an_upload(gallery)

    async with gallery.unit_of_work() as deletion:
        image = await deletion.images.get(first.image.id)
        await deletion.images.save(image.deleted(gallery.clock()))
        upload = an_upload(gallery)
        await gallery.everybody_waits()
        await deletion.commit()
    second = await upload

    assert second.outcome is UploadOutcome.CREATED
    assert gallery.tables.living == {second.image.id: second.image}
    assert [image_id for image_id, _ in gallery.tables.image_tags] == [second.image.id]


async def test_a_collision_is_tried_once_more(gallery: MemoryGallery) -> None:
    gallery.database.commit_faults.extend([None, CommitFault(error=COLLISION)])

    result = await an_upload(gallery)

    assert result.outcome is UploadOutcome.CREATED
    assert gallery.tables.images == {result.image.id: result.image}
    assert set(gallery.storage.objects) == {result.image.storage_path}
    assert len(gallery.events) == 3  # uploaded, tag created, tagged: none of them twice


async def test_a_second_collision_is_told(gallery: MemoryGallery) -> None:
    gallery.database.commit_faults.extend([None, CommitFault(error=COLLISION), CommitFault(error=COLLISION)])

    with gallery.refuses(ConflictError):
        await an_upload(gallery)


async def test_a_client_that_goes_away_after_the_last_byte_still_gets_its_image(gallery: MemoryGallery) -> None:
    async with gallery.unit_of_work() as work:
        await work.tags.add_missing([a_tag("Sea")])
        upload = an_upload(gallery)
        await gallery.everybody_waits()
        assert gallery.tables.images == {}
        upload.cancel()
        await gallery.everybody_waits()
        assert not upload.done()
    with pytest.raises(asyncio.CancelledError):
        await upload

    [image] = gallery.tables.images.values()
    assert set(gallery.storage.objects) == {image.storage_path}
    assert gallery.jobs == [RenderImage(image.id)]
    assert gallery.tables.uploads == {}


async def test_an_upload_that_is_cancelled_twice_lets_go_and_is_finished_all_the_same(gallery: MemoryGallery) -> None:
    async with gallery.unit_of_work() as work:
        await work.tags.add_missing([a_tag("Sea")])
        upload = an_upload(gallery)
        for _ in range(2):
            await gallery.everybody_waits()
            upload.cancel()
        with pytest.raises(asyncio.CancelledError):
            await upload
        settled = asyncio.create_task(gallery.uploads.settle())
        await gallery.everybody_waits()
        assert not settled.done()
    await settled

    [image] = gallery.tables.images.values()
    assert set(gallery.storage.objects) == {image.storage_path}
    assert gallery.tables.uploads == {}


async def test_a_client_that_goes_away_before_the_row_fails_leaves_nothing(gallery: MemoryGallery) -> None:
    gallery.database.commit_faults.extend([None, *[BROKEN] * 3])

    async with gallery.unit_of_work() as work:
        await work.tags.add_missing([a_tag("Sea")])
        upload = an_upload(gallery)
        await gallery.everybody_waits()
        upload.cancel()
    with pytest.raises(asyncio.CancelledError):
        await upload

    assert gallery.storage.puts == 1
    assert gallery.storage.objects == {}
    assert gallery.tables == MemoryGallery().tables
