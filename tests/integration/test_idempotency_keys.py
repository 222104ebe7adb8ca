"""Where a key may stand, and that each that is given is used: in headers, and for files in several variables."""

from __future__ import annotations

from uuid import uuid4

import httpx

from tests.integration.keyed_changes import payload
from tests.integration.live_gallery import LiveGallery
from tests.photographs import jpeg

PHOTO, OTHER = jpeg(640, 480), jpeg(320, 240)
RESULT = "outcome image { id title } errors { code field }"
UPLOAD = f"mutation ($a: UploadImageInput!) {{ a: uploadImage(input: $a) {{ {RESULT} }} }}"
UPLOAD_TWICE = f"""mutation ($a: UploadImageInput!, $b: UploadImageInput!) {{
  a: uploadImage(input: $a) {{ {RESULT} }} b: uploadImage(input: $b) {{ {RESULT} }}
}}"""
UPLOAD_SEVERAL = f"""mutation ($a: UploadImagesInput!) {{
  a: uploadImages(input: $a) {{ results {{ {RESULT} }} }}
}}"""
REUSED = [{"code": "IDEMPOTENCY_KEY_REUSED", "field": ["idempotencyKey"]}]


def new_key() -> str:
    return str(uuid4())


async def upload(gallery: LiveGallery, file: bytes, key: str, **given: object) -> httpx.Response:
    variables = {"a": {"file": None, "idempotencyKey": key, **given}}
    return await gallery.send(UPLOAD, variables, file, paths=["a.file"])


async def upload_twice(gallery: LiveGallery, file: bytes, a: object, b: object) -> httpx.Response:
    """Sends one file for two fields, with these inputs."""
    paths = ["variables.a.file", "variables.b.file"]
    return await gallery.api.send_files(UPLOAD_TWICE, {"a": a, "b": b}, {"0": (paths, "harbour.jpg", file)})


async def test_a_type_name_beside_a_mutation_is_no_second_field(gallery: LiveGallery) -> None:
    document = """mutation ($input: CreateTagInput!) {
      __typename createTag(input: $input) { tag { id createdAt } errors { code } } ... { again: __typename }
    }"""
    key = new_key()
    first = await gallery.send(document, {"input": {"name": "sea"}}, key=key)
    again = await gallery.send(document, {"input": {"name": "sea"}}, key=key)

    assert payload(first, "createTag")["errors"] == []
    assert first.json()["data"]["__typename"] == "Mutation"
    assert again.content == first.content
    assert await gallery.place.count("tags", "idempotent_answers") == [1, 1]


async def test_a_type_name_alone_uses_no_key(gallery: LiveGallery) -> None:
    answer = await gallery.send("mutation { __typename }", {}, key=new_key())

    assert answer.json() == {"data": {"__typename": "Mutation"}}
    assert await gallery.place.count("idempotency_keys") == [0]


async def test_a_file_under_two_keys_is_stored_once_and_answers_to_both(gallery: LiveGallery) -> None:
    keys = [new_key(), new_key()]
    a, b = ({"file": None, "idempotencyKey": key} for key in keys)
    both = await upload_twice(gallery, PHOTO, a, b)
    assert payload(both, "a") == payload(both, "b")
    assert payload(both, "a")["outcome"] == "CREATED"

    for key in keys:
        assert payload(await upload(gallery, PHOTO, key), "a") == payload(both, "a")
        assert payload(await upload(gallery, OTHER, key), "a")["errors"] == REUSED
    assert (await upload_twice(gallery, PHOTO, a, b)).content == both.content
    assert await gallery.rows_and_objects() == (1, 1)


async def test_a_key_is_used_though_only_the_second_variable_has_one(gallery: LiveGallery) -> None:
    key = new_key()
    both = await upload_twice(gallery, PHOTO, {"file": None}, {"file": None, "idempotencyKey": key})

    assert payload(both, "b")["outcome"] == "CREATED"
    assert payload(await upload(gallery, OTHER, key), "a")["errors"] == REUSED
    assert await gallery.rows_and_objects() == (1, 1)


async def test_a_second_key_that_belongs_to_another_file_is_refused(gallery: LiveGallery) -> None:
    key = new_key()
    await upload(gallery, OTHER, key)

    both = await upload_twice(gallery, PHOTO, {"file": None}, {"file": None, "idempotencyKey": key})

    assert payload(both, "a")["errors"] == []
    assert payload(both, "b")["errors"] == REUSED
    assert await gallery.rows_and_objects() == (2, 2)


async def test_one_key_for_two_inputs_is_refused_though_they_share_a_file(gallery: LiveGallery) -> None:
    key = new_key()
    a, b = ({"file": None, "idempotencyKey": key, "title": title} for title in ("Harbour", "Pier"))

    both = await upload_twice(gallery, PHOTO, a, b)

    assert payload(both, "a")["image"]["title"] == "Harbour"
    assert payload(both, "b")["errors"] == REUSED


async def test_a_file_that_is_refused_uses_neither_key(gallery: LiveGallery) -> None:
    keys = [new_key(), new_key()]
    a, b = ({"file": None, "idempotencyKey": key} for key in keys)

    both = await upload_twice(gallery, b"no image", a, b)

    assert [error["code"] for field in "ab" for error in payload(both, field)["errors"]] == ["NOT_AN_IMAGE"] * 2
    assert await gallery.place.count("idempotency_keys") == [0]


async def test_a_file_that_stands_twice_in_a_list_is_compared_at_both_places(gallery: LiveGallery) -> None:
    variables = {"a": {"files": [None, None], "idempotencyKey": new_key()}}
    paths = ["variables.a.files.0", "variables.a.files.1"]
    first = await gallery.api.send_files(UPLOAD_SEVERAL, variables, {"0": (paths, "harbour.jpg", PHOTO)})
    assert [result["outcome"] for result in payload(first, "a")["results"]] == ["CREATED", "CREATED"]

    other = await gallery.send(UPLOAD_SEVERAL, variables, PHOTO, OTHER, paths=["a.files.0", "a.files.1"])

    assert [result["errors"] for result in payload(other, "a")["results"]] == [[], REUSED]
    assert await gallery.rows_and_objects() == (1, 1)
