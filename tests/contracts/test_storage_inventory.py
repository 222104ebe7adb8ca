"""What every storage must tell of what it holds."""

from __future__ import annotations

from tests.contracts.test_object_storage import ORIGINAL, OTHER, RENDITION, put
from tests.contracts.under_test import Storage


async def test_an_empty_storage_holds_nothing(under_test: Storage) -> None:
    assert [listed async for listed in under_test.inventory.objects()] == []
    assert [upload async for upload in under_test.inventory.open_uploads()] == []


async def test_every_object_is_listed_by_path_with_its_size_and_a_time_with_zone(under_test: Storage) -> None:
    for path, content in ((RENDITION, b"small"), (OTHER, b"other one"), (ORIGINAL, b"")):
        await put(under_test.storage, path, content)

    listed = [listed async for listed in under_test.inventory.objects()]

    assert [(one.storage_path, one.size_bytes) for one in listed] == [(ORIGINAL, 0), (OTHER, 9), (RENDITION, 5)]
    assert all(one.modified_at.utcoffset() is not None for one in listed)


async def test_uploads_under_way_are_listed_apart_from_objects(under_test: Storage) -> None:
    begun = {
        (path, await under_test.staging.begin(path, content_type="image/jpeg")) for path in (ORIGINAL, ORIGINAL, OTHER)
    }

    uploads = [upload async for upload in under_test.inventory.open_uploads()]

    assert len(uploads) == 3
    assert {(upload.storage_path, upload.multipart_id) for upload in uploads} == begun
    assert all(upload.begun_at.utcoffset() is not None for upload in uploads)
    assert [listed async for listed in under_test.inventory.objects()] == []


async def test_a_finished_upload_is_an_object(under_test: Storage) -> None:
    multipart_id = await under_test.staging.begin(ORIGINAL, content_type="image/jpeg")
    await under_test.send_part(ORIGINAL, multipart_id, 1, b"the end")
    parts = await under_test.staging.parts(ORIGINAL, multipart_id)
    await under_test.staging.finish(ORIGINAL, multipart_id, parts)

    assert [listed.storage_path async for listed in under_test.inventory.objects()] == [ORIGINAL]
    assert [upload async for upload in under_test.inventory.open_uploads()] == []


async def test_what_was_removed_is_not_listed(under_test: Storage) -> None:
    await put(under_test.storage, ORIGINAL)
    await put(under_test.storage, OTHER)
    await under_test.storage.delete([ORIGINAL])

    assert [listed.storage_path async for listed in under_test.inventory.objects()] == [OTHER]
