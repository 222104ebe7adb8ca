"""What every storage must do with multipart uploads that clients feed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from gallery.domain.errors import ErrorCode, InvalidInputError, NotFoundError
from gallery.domain.upload_ports import StoredPart
from tests.contracts.test_object_storage import ORIGINAL, OTHER, content_of
from tests.contracts.under_test import Storage


async def begun(under_test: Storage, path: str = ORIGINAL) -> str:
    return await under_test.staging.begin(path, content_type="image/jpeg")


async def send(under_test: Storage, multipart_id: str, contents: Sequence[tuple[int, bytes]]) -> None:
    for number, content in contents:
        assert await under_test.send_part(ORIGINAL, multipart_id, number, content)


async def test_parts_become_the_object_by_number(under_test: Storage) -> None:
    first, last = bytes(under_test.part_size_bytes), b"the end"
    multipart_id = await begun(under_test)
    await send(under_test, multipart_id, [(2, last), (1, first)])

    parts = await under_test.staging.parts(ORIGINAL, multipart_id)
    await under_test.staging.finish(ORIGINAL, multipart_id, parts[::-1])

    assert [(part.number, part.size_bytes) for part in parts] == [(1, len(first)), (2, len(last))]
    assert await content_of(under_test.storage, ORIGINAL) == first + last
    async with under_test.storage.open(ORIGINAL) as stream:
        assert stream.content_type == "image/jpeg"
    assert [upload async for upload in under_test.inventory.open_uploads()] == []


async def test_an_upload_has_no_parts_at_first_and_is_no_object(under_test: Storage) -> None:
    multipart_id = await begun(under_test)

    assert await under_test.staging.parts(ORIGINAL, multipart_id) == ()
    with pytest.raises(NotFoundError):
        await content_of(under_test.storage, ORIGINAL)


async def test_parts_that_differ_have_etags_that_differ(under_test: Storage) -> None:
    multipart_id = await begun(under_test)
    await send(under_test, multipart_id, [(1, b"one"), (2, b"two"), (3, b"one")])

    one, two, three = await under_test.staging.parts(ORIGINAL, multipart_id)

    assert one.etag == three.etag != two.etag
    assert '"' not in one.etag


async def test_finishing_again_is_no_error(under_test: Storage) -> None:
    multipart_id = await begun(under_test)
    await send(under_test, multipart_id, [(1, b"the end")])
    parts = await under_test.staging.parts(ORIGINAL, multipart_id)

    await under_test.staging.finish(ORIGINAL, multipart_id, parts)
    await under_test.staging.finish(ORIGINAL, multipart_id, parts)

    assert await content_of(under_test.storage, ORIGINAL) == b"the end"


async def test_after_the_end_nothing_more_is_taken(under_test: Storage) -> None:
    multipart_id = await begun(under_test)
    await send(under_test, multipart_id, [(1, b"the end")])
    await under_test.staging.finish(ORIGINAL, multipart_id, await under_test.staging.parts(ORIGINAL, multipart_id))

    assert not await under_test.send_part(ORIGINAL, multipart_id, 1, b"replaced")

    assert await content_of(under_test.storage, ORIGINAL) == b"the end"
    with pytest.raises(NotFoundError):
        await under_test.staging.parts(ORIGINAL, multipart_id)


async def test_parts_that_are_not_there_finish_nothing(under_test: Storage) -> None:
    multipart_id = await begun(under_test)
    await send(under_test, multipart_id, [(1, b"the end")])
    [part] = await under_test.staging.parts(ORIGINAL, multipart_id)
    other = StoredPart(number=1, size_bytes=7, etag="d41d8cd98f00b204e9800998ecf8427e")

    for wrong in ([], [replace(part, number=2)], [other]):
        with pytest.raises(InvalidInputError) as refused:
            await under_test.staging.finish(ORIGINAL, multipart_id, wrong)
        assert refused.value.code is ErrorCode.UPLOAD_INCOMPLETE

    assert await under_test.staging.parts(ORIGINAL, multipart_id) == (part,)
    with pytest.raises(NotFoundError):
        await content_of(under_test.storage, ORIGINAL)


async def test_an_aborted_upload_is_gone_and_aborting_again_does_not_matter(under_test: Storage) -> None:
    multipart_id = await begun(under_test)
    await send(under_test, multipart_id, [(1, b"the end")])
    parts = await under_test.staging.parts(ORIGINAL, multipart_id)

    await under_test.staging.abort(ORIGINAL, multipart_id)
    await under_test.staging.abort(ORIGINAL, multipart_id)

    with pytest.raises(NotFoundError):
        await under_test.staging.parts(ORIGINAL, multipart_id)
    with pytest.raises(NotFoundError):
        await under_test.staging.finish(ORIGINAL, multipart_id, parts)
    assert not await under_test.send_part(ORIGINAL, multipart_id, 1, b"late")
    assert await under_test.leftovers() == set()


async def test_uploads_of_the_same_name_know_nothing_of_each_other(under_test: Storage) -> None:
    first, second = await begun(under_test), await begun(under_test)
    await send(under_test, first, [(1, b"first")])

    assert first != second
    assert await under_test.staging.parts(ORIGINAL, second) == ()
    await under_test.staging.abort(ORIGINAL, second)
    assert [part.size_bytes for part in await under_test.staging.parts(ORIGINAL, first)] == [5]


async def test_an_upload_is_that_of_one_name(under_test: Storage) -> None:
    multipart_id = await begun(under_test)

    with pytest.raises(NotFoundError):
        await under_test.staging.parts(OTHER, multipart_id)


async def test_urls_of_parts_differ(under_test: Storage) -> None:
    multipart_id = await begun(under_test)

    urls = {
        await under_test.staging.part_url(ORIGINAL, multipart_id, number, size_bytes=7, expires_in_seconds=60)
        for number in (1, 2)
    }

    assert len(urls) == 2
