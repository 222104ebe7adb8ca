"""Requests with idempotency keys, sent again and again over real sockets: done once, answered with the same bytes."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import httpx
import pytest

from tests.e2e.api import Api
from tests.fault_proxy import FaultProxy
from tests.integration.live_gallery import PART_SIZE_BYTES, LiveGallery
from tests.photographs import jpeg

PHOTO, OTHER = jpeg(640, 480), jpeg(320, 240)
LARGE = PHOTO + bytes(PART_SIZE_BYTES)

UPLOAD = """mutation ($input: UploadImageInput!) {
  uploadImage(input: $input) { outcome image { id title url uploadedAt } errors { code field } }
}"""
UPLOAD_SEVERAL = """mutation ($input: UploadImagesInput!) {
  uploadImages(input: $input) { results { outcome image { id } errors { code field } } }
}"""
CREATE_TAG = """mutation ($input: CreateTagInput!) {
  createTag(input: $input) { tag { id name createdAt } errors { code field } }
}"""
CREATE_ALBUM = """mutation ($input: CreateAlbumInput!) {
  createAlbum(input: $input) { album { id title imageCount } errors { code field } }
}"""


def new_key() -> str:
    return str(uuid4())


async def upload(
    gallery: LiveGallery, file: bytes, key: str | None = None, /, document: str = UPLOAD, **given: object
) -> httpx.Response:
    return await gallery.send(document, {"input": {"file": None, **given}}, file, key=key)


def codes(response: httpx.Response, field: str) -> list[str]:
    return [error["code"] for error in response.json()["data"][field]["errors"]]


@pytest.mark.parametrize("file", [PHOTO, LARGE], ids=["small", "large"])
async def test_an_upload_that_is_sent_again_is_stored_once_and_answered_the_same(
    gallery: LiveGallery, file: bytes
) -> None:
    key = new_key()
    first = await upload(gallery, file, key, title="Harbour")
    assert first.json()["data"]["uploadImage"]["outcome"] == "CREATED"

    again = await upload(gallery, file, key, title="Harbour")

    assert (again.status_code, again.content) == (200, first.content)
    assert await gallery.rows_and_objects() == (1, 1)


async def test_without_a_key_the_second_answer_says_that_the_file_was_there(gallery: LiveGallery) -> None:
    await upload(gallery, PHOTO)

    assert (await upload(gallery, PHOTO)).json()["data"]["uploadImage"]["outcome"] == "EXISTING"


async def test_a_key_in_the_input_is_as_good_as_one_in_a_header(gallery: LiveGallery) -> None:
    key = new_key()
    in_input = await upload(gallery, PHOTO, idempotencyKey=key)

    assert (await upload(gallery, PHOTO, idempotencyKey=key)).content == in_input.content
    assert (await upload(gallery, PHOTO, key)).content == in_input.content
    assert await gallery.rows_and_objects() == (1, 1)


async def test_the_answer_stays_as_it_was_though_the_image_has_changed(gallery: LiveGallery) -> None:
    key = new_key()
    first = await upload(gallery, PHOTO, key)
    image = first.json()["data"]["uploadImage"]["image"]
    await gallery.api.change("updateImage", "UpdateImageInput", "image { id }", id=image["id"], title="Another title")

    assert (await upload(gallery, PHOTO, key)).content == first.content


async def test_who_asks_for_other_fields_gets_those_of_the_same_image(gallery: LiveGallery) -> None:
    key = new_key()
    first = (await upload(gallery, PHOTO, key)).json()["data"]["uploadImage"]
    document = "mutation ($input: UploadImageInput!) { uploadImage(input: $input) { outcome image { id fileSize } } }"
    other = await upload(gallery, PHOTO, key, document=document)

    expected = {"outcome": "CREATED", "image": {"id": first["image"]["id"], "fileSize": len(PHOTO)}}
    assert other.json()["data"]["uploadImage"] == expected


async def test_a_hundred_at_once_make_one_image_and_get_equal_bytes(gallery: LiveGallery) -> None:
    key = new_key()
    answers = await asyncio.gather(*(upload(gallery, LARGE, key) for _ in range(100)))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1, [answer.text for answer in answers][:3]
    assert answers[0].json()["data"]["uploadImage"]["outcome"] == "CREATED"
    assert await gallery.rows_and_objects() == (1, 1)
    assert await gallery.place.objects.open_uploads() == []


async def test_another_file_under_the_same_key_is_refused_and_stored_nowhere(gallery: LiveGallery) -> None:
    key = new_key()
    first = await upload(gallery, PHOTO, key)
    other = await upload(gallery, OTHER, key)

    assert codes(other, "uploadImage") == ["IDEMPOTENCY_KEY_REUSED"]
    assert (await upload(gallery, PHOTO, key)).content == first.content
    assert await gallery.rows_and_objects() == (1, 1)


@pytest.mark.parametrize("given", [{"title": "Another"}, {"tags": ["sea"]}, {"onDuplicate": "CREATE"}])
async def test_another_input_under_the_same_key_is_refused_and_changes_nothing(
    gallery: LiveGallery, given: dict[str, object]
) -> None:
    key = new_key()
    await upload(gallery, PHOTO, key)
    other = await gallery.send(UPLOAD, {"input": {"file": None, **given}}, PHOTO, key=key)

    assert codes(other, "uploadImage") == ["IDEMPOTENCY_KEY_REUSED"]
    assert await gallery.rows_and_objects() == (1, 1)
    assert await gallery.place.count("tags") == [0]


async def test_the_same_key_of_another_mutation_is_refused(gallery: LiveGallery) -> None:
    key = new_key()
    await upload(gallery, PHOTO, key)
    other = await gallery.send(CREATE_TAG, {"input": {"name": "sea"}}, key=key)

    assert codes(other, "createTag") == ["IDEMPOTENCY_KEY_REUSED"]
    assert await gallery.place.count("tags") == [0]


async def test_a_progress_id_is_no_part_of_the_input(gallery: LiveGallery) -> None:
    key = new_key()
    first = await upload(gallery, PHOTO, key, progressId="first-attempt")

    assert (await upload(gallery, PHOTO, key, progressId="second-attempt")).content == first.content


async def test_a_request_that_was_refused_may_be_put_right_under_the_same_key(gallery: LiveGallery) -> None:
    key = new_key()
    assert codes(await upload(gallery, b"no image", key), "uploadImage") == ["NOT_AN_IMAGE"]

    assert (await upload(gallery, PHOTO, key)).json()["data"]["uploadImage"]["outcome"] == "CREATED"


@pytest.mark.parametrize("key", ["", "with a space", "ü", "x" * 256])
async def test_what_is_no_key_is_refused_and_nothing_is_done(gallery: LiveGallery, key: str) -> None:
    answer = await gallery.send(CREATE_TAG, {"input": {"name": "sea", "idempotencyKey": key}})

    assert answer.json()["data"]["createTag"]["errors"] == [
        {"code": "INVALID_IDEMPOTENCY_KEY", "field": ["idempotencyKey"]}
    ]
    assert await gallery.place.count("tags") == [0]


async def test_a_key_in_a_header_is_for_one_field_alone(gallery: LiveGallery) -> None:
    document = (
        'mutation { a: createTag(input: {name: "a"}) { tag { id } } b: createTag(input: {name: "b"}) { tag { id } } }'
    )
    answer = await gallery.send(document, {}, key=new_key())

    assert answer.status_code == 400
    assert [error["extensions"]["code"] for error in answer.json()["errors"]] == ["BAD_REQUEST"]
    assert await gallery.place.count("tags") == [0]


async def test_several_fields_may_have_keys_of_their_own(gallery: LiveGallery) -> None:
    document = """mutation ($a: CreateTagInput!, $b: CreateTagInput!) {
      a: createTag(input: $a) { tag { id name } errors { code } }
      b: createTag(input: $b) { tag { id name } errors { code } }
    }"""
    variables = {name: {"name": name, "idempotencyKey": new_key()} for name in "ab"}
    first = await gallery.send(document, variables)
    again = await gallery.send(document, variables)

    assert first.json()["data"]["a"]["errors"] == first.json()["data"]["b"]["errors"] == []
    assert again.content == first.content
    assert await gallery.place.count("tags") == [2]


async def test_a_query_with_a_key_is_a_query(gallery: LiveGallery) -> None:
    answer = await gallery.send("{ stats { imageCount } again: stats { tagCount } }", {}, key=new_key())

    assert answer.json() == {"data": {"stats": {"imageCount": 0}, "again": {"tagCount": 0}}}


async def test_a_tag_that_is_made_again_is_the_same_tag(gallery: LiveGallery) -> None:
    key, given = new_key(), {"input": {"name": "sea"}}
    first = await gallery.send(CREATE_TAG, given, key=key)
    again = await gallery.send(CREATE_TAG, given, key=key)

    assert first.json()["data"]["createTag"]["tag"]["name"] == "sea"
    assert again.content == first.content
    assert codes(await gallery.send(CREATE_TAG, given), "createTag") == ["TAG_EXISTS"]
    assert codes(await gallery.send(CREATE_TAG, {"input": {"name": "lake"}}, key=key), "createTag") == [
        "IDEMPOTENCY_KEY_REUSED"
    ]


async def test_an_album_that_is_made_again_is_the_same_album(gallery: LiveGallery) -> None:
    key, given = new_key(), {"input": {"title": "Summer"}}
    answers = await asyncio.gather(*(gallery.send(CREATE_ALBUM, given, key=key) for _ in range(10)))

    assert len({answer.content for answer in answers}) == 1
    assert answers[0].json()["data"]["createAlbum"]["album"]["title"] == "Summer"
    assert await gallery.place.count("albums") == [1]


async def test_several_files_that_are_sent_again_are_stored_once_and_answered_the_same(gallery: LiveGallery) -> None:
    async def send(*files: bytes) -> httpx.Response:
        paths = tuple(f"input.files.{index}" for index in range(len(files)))
        variables = {"input": {"files": [None] * len(files)}}
        return await gallery.send(UPLOAD_SEVERAL, variables, *files, paths=paths, key=key)

    key = new_key()
    first = await send(PHOTO, OTHER)
    assert (await send(PHOTO, OTHER)).content == first.content

    swapped = (await send(OTHER, PHOTO)).json()["data"]["uploadImages"]["results"]
    assert [result["errors"] for result in swapped] == [
        [{"code": "IDEMPOTENCY_KEY_REUSED", "field": ["idempotencyKey"]}]
    ] * 2
    assert await gallery.rows_and_objects() == (2, 2)


@pytest.mark.parametrize("files", [(PHOTO,), (PHOTO, OTHER, jpeg(160, 120))], ids=["fewer", "more"])
async def test_more_or_fewer_files_under_the_same_key_are_refused(
    gallery: LiveGallery, files: tuple[bytes, ...]
) -> None:
    async def send(*files: bytes) -> httpx.Response:
        paths = tuple(f"input.files.{index}" for index in range(len(files)))
        return await gallery.send(
            UPLOAD_SEVERAL, {"input": {"files": [None] * len(files)}}, *files, paths=paths, key=key
        )

    key = new_key()
    await send(PHOTO, OTHER)

    results = (await send(*files)).json()["data"]["uploadImages"]["results"]

    assert len(results) == len(files)
    assert [error["code"] for error in results[0]["errors"]] == ["IDEMPOTENCY_KEY_REUSED"]


async def test_an_answer_that_something_is_not_there_any_more_is_kept_for_nobody(gallery: LiveGallery) -> None:
    key = new_key()
    first = (await upload(gallery, PHOTO, key)).json()["data"]["uploadImage"]
    await gallery.api.change("deleteImage", "DeleteImageInput", "image { id }", id=first["image"]["id"])
    in_other_words = UPLOAD.replace("title url", "title")

    for document in (UPLOAD, in_other_words):
        answer = await upload(gallery, PHOTO, key, document=document)
        assert answer.json()["data"]["uploadImage"]["errors"] == [{"code": "NOT_FOUND", "field": ["idempotencyKey"]}]
    assert await gallery.place.count("idempotent_answers") == [1]


async def test_who_asks_by_another_variable_gets_another_part_of_the_same_thing(gallery: LiveGallery) -> None:
    document = """mutation ($input: CreateTagInput!, $named: Boolean!) {
      createTag(input: $input) { tag { id name @include(if: $named) } errors { code } }
    }"""
    key, given = new_key(), {"input": {"name": "sea"}}
    short = await gallery.send(document, {**given, "named": False}, key=key)
    long = await gallery.send(document, {**given, "named": True}, key=key)

    tag = short.json()["data"]["createTag"]["tag"]
    assert long.json()["data"]["createTag"]["tag"] == {**tag, "name": "sea"}
    assert (await gallery.send(document, {"named": False, **given}, key=key)).content == short.content


async def test_an_answer_that_was_lost_on_its_way_is_given_to_the_repeat(gallery: LiveGallery) -> None:
    key, end_of_request = new_key(), LARGE[-1000:]
    async with FaultProxy.to(gallery.url) as proxy, Api(proxy.url_of(gallery.url)) as api:
        broken = LiveGallery(url=gallery.url, place=gallery.place, container=gallery.container, api=api)
        proxy.lose_answer(end_of_request)
        with pytest.raises(httpx.TransportError):
            await upload(broken, LARGE, key)
        assert proxy.faults == 1
        again = await upload(broken, LARGE, key)

    assert again.json()["data"]["uploadImage"]["outcome"] == "CREATED"
    assert (await upload(gallery, LARGE, key)).content == again.content
    assert await gallery.rows_and_objects() == (1, 1)
