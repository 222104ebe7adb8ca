"""Completing and aborting an upload past the server with an idempotency key, again and again."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.integration.keyed_changes import events, forget_answers, payload
from tests.integration.live_gallery import LiveGallery
from tests.photographs import jpeg

PHOTO = jpeg(640, 480)
COMPLETE = """mutation ($input: CompleteUploadInput!) {
  completeUpload(input: $input) { outcome image { id title } errors { code field } }
}"""
ABORT = "mutation ($input: AbortUploadInput!) { abortUpload(input: $input) { id errors { code field } } }"
DOCUMENTS = {"completeUpload": COMPLETE, "abortUpload": ABORT}
REUSED = [{"code": "IDEMPOTENCY_KEY_REUSED", "field": ["idempotencyKey"]}]

both = pytest.mark.parametrize("field", DOCUMENTS)


@pytest.fixture
def key() -> str:
    return str(uuid4())


async def begun(gallery: LiveGallery) -> dict[str, Any]:
    """An upload of which nothing has arrived."""
    announced = {"filename": "harbour.jpg", "fileSize": len(PHOTO), "contentType": "image/jpeg"}
    created = await gallery.api.change(
        "createUpload", "CreateUploadInput", "upload { id partUrls { url } }", **announced
    )
    upload: dict[str, Any] = created["upload"]
    return upload


async def arrived(gallery: LiveGallery) -> str:
    """The id of an upload whose only part is in the storage."""
    upload = await begun(gallery)
    await put(upload)
    return str(upload["id"])


async def put(upload: dict[str, Any]) -> None:
    async with httpx.AsyncClient() as client:
        assert (await client.put(upload["partUrls"][0]["url"], content=PHOTO)).status_code == 200


async def send(gallery: LiveGallery, field: str, upload_id: str, key: str) -> httpx.Response:
    return await gallery.send(DOCUMENTS[field], {"input": {"id": upload_id}}, key=key)


@both
async def test_what_is_sent_again_is_done_once_and_answered_the_same(
    gallery: LiveGallery, key: str, field: str
) -> None:
    upload_id = await arrived(gallery)

    answers = await asyncio.gather(*(send(gallery, field, upload_id, key) for _ in range(20)))
    recorded = await events(gallery)
    await forget_answers(gallery)
    later = await send(gallery, field, upload_id, key)

    assert payload(later, field)["errors"] == []
    assert {answer.content for answer in answers} == {later.content}
    assert await events(gallery) == recorded


@both
async def test_the_key_of_one_upload_is_not_for_another(gallery: LiveGallery, key: str, field: str) -> None:
    await send(gallery, field, await arrived(gallery), key)
    other = await begun(gallery)

    assert payload(await send(gallery, field, other["id"], key), field)["errors"] == REUSED

    assert (await gallery.api.ask("query ($id: ID!) { upload(id: $id) { state } }", id=other["id"])) == {
        "upload": {"state": "OPEN"}
    }


async def test_an_upload_that_misses_parts_gives_the_key_free(gallery: LiveGallery, key: str) -> None:
    upload = await begun(gallery)
    first = payload(await send(gallery, "completeUpload", upload["id"], key), "completeUpload")
    assert [error["code"] for error in first["errors"]] == ["UPLOAD_INCOMPLETE"]
    await put(upload)

    second = payload(await send(gallery, "completeUpload", upload["id"], key), "completeUpload")

    assert second["outcome"] == "CREATED"


async def test_several_keys_for_one_upload_get_one_image(gallery: LiveGallery, key: str) -> None:
    upload_id = await arrived(gallery)
    first = await send(gallery, "completeUpload", upload_id, key)

    second = await send(gallery, "completeUpload", upload_id, str(uuid4()))

    assert second.content == first.content
    assert await gallery.place.count("images", "idempotency_keys") == [1, 2]


async def test_an_upload_is_aborted_once_whatever_key_asks_for_it(gallery: LiveGallery, key: str) -> None:
    upload_id = await arrived(gallery)
    await send(gallery, "abortUpload", upload_id, key)

    other = payload(await send(gallery, "abortUpload", upload_id, str(uuid4())), "abortUpload")

    assert other == {"id": None, "errors": [{"code": "NOT_FOUND", "field": ["id"]}]}
    assert await gallery.place.count("uploads", "idempotency_keys") == [0, 1]
