"""Changes with an idempotency key in a header, sent again and again over real sockets: made once, answered the same."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import httpx
import pytest

from gallery.web.graphql.schema import schema
from tests.e2e.api import Api
from tests.fault_proxy import FaultProxy
from tests.integration.keyed_changes import CHANGES, Contents, events, forget_answers, payload, send
from tests.integration.live_gallery import LiveGallery
from tests.photographs import jpeg

MAKING = {"uploadImage", "uploadImages", "createUpload", "createTag", "createAlbum", "completeUpload", "abortUpload"}
ELSEWHERE = MAKING | {"shareAlbum", "unshareAlbum"}
"""Mutations that other tests send again: those that make something, those of uploads past the server, and those that
take several accounts."""

WITHOUT_KEY = {
    "createShareLink",
    "createToken",
    "endSession",
    "revokeShareLink",
    "revokeToken",
    "setPassword",
    "updateShareLink",
}
"""What answers with a secret takes no key, and revoking again does nothing."""

every_change = pytest.mark.parametrize("field", CHANGES)


@pytest.fixture
async def contents(gallery: LiveGallery) -> Contents:
    api = gallery.api
    image = (await api.upload("harbour.jpg", jpeg(640, 480)))["image"]["id"]
    in_album = (await api.upload("dunes.jpg", jpeg(320, 240), tags=["sea"]))["image"]["id"]
    album = await api.change("createAlbum", "CreateAlbumInput", "album { id }", title="Summer", imageIds=[in_album])
    tags = (await api.ask("{ tags { nodes { id } } }"))["tags"]["nodes"]
    return Contents(image=image, in_album=in_album, album=album["album"]["id"], tag=tags[0]["id"])


@pytest.fixture
def key() -> str:
    return str(uuid4())


def test_every_mutation_that_makes_nothing_is_sent_again_here() -> None:
    mutations = schema._schema.mutation_type  # has no public name
    assert mutations is not None
    assert set(mutations.fields) == set(CHANGES) | ELSEWHERE | WITHOUT_KEY


@every_change
async def test_a_change_that_is_sent_again_is_made_once_and_answered_the_same(
    gallery: LiveGallery, contents: Contents, key: str, field: str
) -> None:
    given, before = CHANGES[field].given(contents), await events(gallery)
    first = await send(gallery, field, given, key)
    assert payload(first, field)["errors"] == []

    again = await send(gallery, field, given, key)

    assert (again.status_code, again.content) == (200, first.content)
    assert await events(gallery) == [*before, CHANGES[field].event]


@every_change
async def test_a_repeat_is_answered_the_same_though_the_first_answer_was_never_made(
    gallery: LiveGallery, contents: Contents, key: str, field: str
) -> None:
    given, before = CHANGES[field].given(contents), await events(gallery)
    first = await send(gallery, field, given, key)
    await forget_answers(gallery)

    assert (await send(gallery, field, given, key)).content == first.content

    assert await events(gallery) == [*before, CHANGES[field].event]


@every_change
async def test_another_input_under_the_same_key_is_refused_and_changes_nothing(
    gallery: LiveGallery, contents: Contents, key: str, field: str
) -> None:
    first = await send(gallery, field, CHANGES[field].given(contents), key)
    recorded = await events(gallery)

    other = await send(gallery, field, CHANGES[field].other(contents), key)

    refusal = {"code": "IDEMPOTENCY_KEY_REUSED", "field": ["idempotencyKey"]}
    assert payload(other, field)["errors"] == [refusal]
    assert await events(gallery) == recorded
    assert (await send(gallery, field, CHANGES[field].given(contents), key)).content == first.content


@pytest.mark.parametrize("field", ["deleteImage", "updateImage", "addImagesToAlbum"])
async def test_a_hundred_at_once_make_a_change_once_and_get_equal_bytes(
    gallery: LiveGallery, contents: Contents, key: str, field: str
) -> None:
    given, before = CHANGES[field].given(contents), await events(gallery)

    answers = await asyncio.gather(*(send(gallery, field, given, key) for _ in range(100)))

    assert len({answer.content for answer in answers}) == 1, [answer.text for answer in answers][:3]
    assert payload(answers[0], field)["errors"] == []
    assert await events(gallery) == [*before, CHANGES[field].event]


async def test_without_a_key_a_repeat_is_a_request_of_its_own(gallery: LiveGallery, contents: Contents) -> None:
    given = CHANGES["deleteImage"].given(contents)
    await send(gallery, "deleteImage", given)

    again = await send(gallery, "deleteImage", given)

    assert payload(again, "deleteImage")["errors"] == [{"code": "NOT_FOUND", "field": ["id"]}]
    assert await gallery.place.count("idempotency_keys") == [0]


async def test_a_repeat_does_not_undo_what_somebody_else_has_changed(
    gallery: LiveGallery, contents: Contents, key: str
) -> None:
    given = CHANGES["updateImage"].given(contents)
    first = await send(gallery, "updateImage", given, key)
    await gallery.api.change("updateImage", "UpdateImageInput", "image { id }", id=contents.image, title="Pier")
    recorded = await events(gallery)

    assert (await send(gallery, "updateImage", given, key)).content == first.content

    assert (await gallery.api.image(contents.image))["title"] == "Pier"
    assert await events(gallery) == recorded


async def test_a_change_that_changed_nothing_is_not_made_later(
    gallery: LiveGallery, contents: Contents, key: str
) -> None:
    given = {"id": contents.image, "title": "harbour"}
    first = await send(gallery, "updateImage", given, key)
    assert payload(first, "updateImage")["image"]["version"] == 1
    await gallery.api.change("updateImage", "UpdateImageInput", "image { id }", id=contents.image, title="Pier")
    await forget_answers(gallery)

    again = await send(gallery, "updateImage", given, key)

    assert again.content == first.content
    assert (await gallery.api.image(contents.image))["title"] == "Pier"


async def test_the_answer_stays_though_what_was_changed_is_deleted(
    gallery: LiveGallery, contents: Contents, key: str
) -> None:
    given = CHANGES["addImagesToAlbum"].given(contents)
    first = await send(gallery, "addImagesToAlbum", given, key)
    await send(gallery, "deleteImage", {"id": contents.image})
    await send(gallery, "deleteAlbum", {"id": contents.album})

    assert (await send(gallery, "addImagesToAlbum", given, key)).content == first.content


async def test_an_image_that_was_deleted_before_the_first_answer_was_made_is_said_to_be_gone(
    gallery: LiveGallery, contents: Contents, key: str
) -> None:
    given = CHANGES["untagImages"].given(contents)
    await send(gallery, "untagImages", given, key)
    await forget_answers(gallery)
    await send(gallery, "deleteImage", {"id": contents.in_album})

    [result] = payload(await send(gallery, "untagImages", given, key), "untagImages")["results"]

    gone = [{"code": "NOT_FOUND", "field": ["imageIds", "0"]}]
    assert result == {"id": contents.in_album, "image": None, "errors": gone}


async def test_a_value_that_is_null_is_another_than_one_that_is_left_out(
    gallery: LiveGallery, contents: Contents, key: str
) -> None:
    await send(gallery, "updateImage", {"id": contents.image, "title": "Pier"}, key)

    other = await send(gallery, "updateImage", {"id": contents.image, "title": "Pier", "description": None}, key)

    assert [error["code"] for error in payload(other, "updateImage")["errors"]] == ["IDEMPOTENCY_KEY_REUSED"]


async def test_a_refused_change_gives_its_key_free(gallery: LiveGallery, contents: Contents, key: str) -> None:
    refused = await send(gallery, "updateImage", {"id": contents.image, "title": ""}, key)
    assert [error["code"] for error in payload(refused, "updateImage")["errors"]] == ["INVALID_NAME"]

    put_right = await send(gallery, "updateImage", {"id": contents.image, "title": "Pier"}, key)

    assert payload(put_right, "updateImage")["image"]["title"] == "Pier"


async def test_what_is_no_key_is_refused_and_nothing_is_changed(gallery: LiveGallery, contents: Contents) -> None:
    recorded = await events(gallery)

    refused = await send(gallery, "deleteAlbum", {"id": contents.album}, "two words")

    refusal = {"code": "INVALID_IDEMPOTENCY_KEY", "field": ["idempotencyKey"]}
    assert payload(refused, "deleteAlbum")["errors"] == [refusal]
    assert await events(gallery) == recorded


async def test_who_asks_for_other_fields_gets_those_of_what_was_deleted(
    gallery: LiveGallery, contents: Contents, key: str
) -> None:
    first = payload(await send(gallery, "deleteTag", {"id": contents.tag}, key), "deleteTag")
    document = "mutation ($input: DeleteTagInput!) { deleteTag(input: $input) { tag { name } errors { code } } }"

    other = await gallery.send(document, {"input": {"id": contents.tag}}, key=key)

    assert payload(other, "deleteTag") == {"tag": {"name": first["tag"]["name"]}, "errors": []}


@pytest.mark.parametrize("field", ["deleteImage", "updateImage", "addImagesToAlbum"])
async def test_an_answer_that_was_lost_on_its_way_is_given_to_the_repeat(
    gallery: LiveGallery, contents: Contents, key: str, field: str
) -> None:
    given, before = CHANGES[field].given(contents), await events(gallery)
    async with FaultProxy.to(gallery.url) as proxy, Api(proxy.url_of(gallery.url)) as api:
        broken = LiveGallery(url=gallery.url, place=gallery.place, container=gallery.container, api=api)
        proxy.lose_answer(b'"input":{')
        with pytest.raises(httpx.TransportError):
            await send(broken, field, given, key)
        assert proxy.faults == 1
        assert await events(gallery) == [*before, CHANGES[field].event]
        again = await send(broken, field, given, key)

    assert payload(again, field)["errors"] == []
    assert (await send(gallery, field, given, key)).content == again.content
    assert await events(gallery) == [*before, CHANGES[field].event]
