"""Uploads past the server, as a client does them: announced by GraphQL, sent to S3 by presigned URLs, completed."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.e2e.api import data_of
from tests.e2e.places import fresh_place
from tests.integration.live_gallery import PART_SIZE_BYTES, LiveGallery, live_gallery
from tests.multipart_bodies import CONTENT_TYPE, END, file_map, operations, part
from tests.photographs import jpeg
from tests.services import Services

PHOTO = jpeg(640, 480)
LARGE = PHOTO + bytes(2 * PART_SIZE_BYTES)
"""Of three parts: what follows the end of a JPEG is no fault."""
MAX_OPEN_BYTES = 20 * len(LARGE)
LAST_PART_BYTES = len(LARGE) - 2 * PART_SIZE_BYTES

UPLOAD = """id state filename fileSize contentType partSize partCount expiresAt
  parts { number size } partUrls { number url firstByte size } image { id title }"""
CREATE = f"""mutation ($input: CreateUploadInput!) {{
  createUpload(input: $input) {{ upload {{ {UPLOAD} }} errors {{ code field }} }}
}}"""
FIND = f"query ($id: ID!) {{ upload(id: $id) {{ {UPLOAD} }} }}"
COMPLETE = """mutation ($input: CompleteUploadInput!) {
  completeUpload(input: $input) {
    outcome image { id originalFilename fileSize checksum title tags { name } albums { title } }
    errors { code message field }
  }
}"""
ABORT = "mutation ($input: AbortUploadInput!) { abortUpload(input: $input) { id errors { code field } } }"


@pytest.fixture(scope="module")
async def running(services: Services, migrated_template: str) -> AsyncIterator[LiveGallery]:
    async with (
        fresh_place(services, migrated_template, cache_database=3) as place,
        live_gallery(place, max_open_bytes=MAX_OPEN_BYTES) as gallery,
    ):
        yield gallery


@pytest.fixture
async def gallery(running: LiveGallery) -> AsyncIterator[LiveGallery]:
    yield running
    await running.clear()


async def create(gallery: LiveGallery, file: bytes, *, key: str | None = None, **given: object) -> httpx.Response:
    announced = {"filename": "Häfen 港.jpg", "fileSize": len(file), "contentType": "image/jpeg", **given}
    return await gallery.send(CREATE, {"input": announced}, key=key)


async def created(gallery: LiveGallery, file: bytes, **given: object) -> dict[str, Any]:
    payload = data_of(await create(gallery, file, key=None, **given))["createUpload"]
    assert payload["errors"] == []
    upload: dict[str, Any] = payload["upload"]
    return upload


async def put(file: bytes, *parts: dict[str, Any]) -> None:
    """Sends these parts of the file to their URLs, all at once."""
    async with httpx.AsyncClient(timeout=60) as client:
        sending = [
            client.put(part["url"], content=file[part["firstByte"] : part["firstByte"] + part["size"]])
            for part in parts
        ]
        assert {response.status_code for response in await asyncio.gather(*sending)} == {200}


async def complete(gallery: LiveGallery, upload_id: str) -> Any:  # noqa: ANN401  # any JSON
    return data_of(await gallery.send(COMPLETE, {"input": {"id": upload_id}}))["completeUpload"]


async def uploaded(gallery: LiveGallery, file: bytes, **given: object) -> Any:  # noqa: ANN401  # any JSON
    upload = await created(gallery, file, **given)
    await put(file, *upload["partUrls"])
    return await complete(gallery, upload["id"])


async def found(gallery: LiveGallery, upload_id: str) -> dict[str, Any]:
    upload: dict[str, Any] = data_of(await gallery.send(FIND, {"id": upload_id}))["upload"]
    return upload


def without_urls(answer: bytes) -> bytes:
    return re.sub(rb'"url":"[^"]*"', b"", answer)


def codes(payload: Any) -> list[str]:  # noqa: ANN401  # any JSON
    return [error["code"] for error in payload["errors"]]


async def test_a_file_is_announced_sent_in_parts_and_becomes_an_image(gallery: LiveGallery) -> None:
    began = datetime.now(UTC)
    upload = await created(gallery, LARGE, checksum=sha256(LARGE).hexdigest().upper(), title="Harbour", tags=["sea"])
    assert upload["id"].startswith("upl_")
    expires_at = datetime.fromisoformat(upload.pop("expiresAt"))
    assert began <= expires_at - timedelta(days=1) <= datetime.now(UTC)
    urls = upload.pop("partUrls")
    assert upload == {
        "id": upload["id"],
        "state": "OPEN",
        "filename": "Häfen 港.jpg",
        "fileSize": len(LARGE),
        "contentType": "image/jpeg",
        "partSize": PART_SIZE_BYTES,
        "partCount": 3,
        "parts": [],
        "image": None,
    }
    assert [(part["number"], part["firstByte"], part["size"]) for part in urls] == [
        (1, 0, PART_SIZE_BYTES),
        (2, PART_SIZE_BYTES, PART_SIZE_BYTES),
        (3, 2 * PART_SIZE_BYTES, LAST_PART_BYTES),
    ]

    await put(LARGE, *urls)
    payload = await complete(gallery, upload["id"])

    assert payload == {
        "outcome": "CREATED",
        "image": {
            "id": payload["image"]["id"],
            "originalFilename": "Häfen 港.jpg",
            "fileSize": len(LARGE),
            "checksum": sha256(LARGE).hexdigest(),
            "title": "Harbour",
            "tags": [{"name": "sea"}],
            "albums": [],
        },
        "errors": [],
    }
    (name,) = await gallery.place.objects.keys()
    assert await gallery.place.objects.read(name) == LARGE


async def test_a_completed_upload_says_what_it_became_and_gives_the_same_answer_again(gallery: LiveGallery) -> None:
    upload = await created(gallery, LARGE)
    await put(LARGE, *upload["partUrls"])
    payload = await complete(gallery, upload["id"])

    again = await complete(gallery, upload["id"])
    assert again == payload
    completed = await found(gallery, upload["id"])
    assert (completed["state"], completed["parts"], completed["partUrls"]) == ("COMPLETED", [], [])
    assert completed["image"] == {"id": payload["image"]["id"], "title": "Häfen 港"}
    assert await gallery.rows_and_objects() == (1, 1)


async def test_a_transfer_that_broke_off_goes_on_with_the_parts_that_are_missing(gallery: LiveGallery) -> None:
    upload = await created(gallery, LARGE)
    first, second, third = upload["partUrls"]
    await put(LARGE, third, first)

    too_early = await complete(gallery, upload["id"])
    assert codes(too_early) == ["UPLOAD_INCOMPLETE"]
    resumed = await found(gallery, upload["id"])
    assert resumed["parts"] == [{"number": 1, "size": PART_SIZE_BYTES}, {"number": 3, "size": LAST_PART_BYTES}]
    assert [part["number"] for part in resumed["partUrls"]] == [second["number"]]

    await put(LARGE, *resumed["partUrls"])
    assert (await complete(gallery, upload["id"]))["outcome"] == "CREATED"


async def test_urls_of_single_parts_can_be_asked_for(gallery: LiveGallery) -> None:
    upload = await created(gallery, LARGE)
    document = "query ($id: ID!, $numbers: [Int!]) { upload(id: $id) { partUrls(numbers: $numbers) { number size } } }"
    answer = await gallery.send(document, {"id": upload["id"], "numbers": [3, 1]})
    assert data_of(answer)["upload"]["partUrls"] == [
        {"number": 3, "size": LAST_PART_BYTES},
        {"number": 1, "size": PART_SIZE_BYTES},
    ]

    wrong = await gallery.send(document, {"id": upload["id"], "numbers": [1, 4]})
    (error,) = wrong.json()["errors"]
    assert error["extensions"]["code"] == "INVALID_INPUT"
    assert error["extensions"]["field"] == ["numbers", "1"]


async def test_an_upload_that_is_aborted_is_gone_with_its_parts(gallery: LiveGallery) -> None:
    upload = await created(gallery, LARGE)
    await put(LARGE, upload["partUrls"][0])
    aborted = data_of(await gallery.send(ABORT, {"input": {"id": upload["id"]}}))["abortUpload"]
    assert aborted == {"id": upload["id"], "errors": []}

    again = data_of(await gallery.send(ABORT, {"input": {"id": upload["id"]}}))["abortUpload"]
    assert again == {"id": None, "errors": [{"code": "NOT_FOUND", "field": ["id"]}]}
    assert codes(await complete(gallery, upload["id"])) == ["NOT_FOUND"]
    assert await gallery.place.objects.open_uploads() == []
    assert await gallery.rows_and_objects() == (0, 0)


async def test_an_upload_is_a_node(gallery: LiveGallery) -> None:
    upload = await created(gallery, PHOTO)
    document = "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id ... on StagedUpload { fileSize } } }"
    unknown = f"upl_{uuid4().hex}"
    answer = (await gallery.send(document, {"ids": [upload["id"], unknown]})).json()

    expected = {"__typename": "StagedUpload", "id": upload["id"], "fileSize": len(PHOTO)}
    assert answer["data"]["nodes"] == [expected, None]
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["NOT_FOUND"]


@pytest.mark.parametrize(
    ("given", "code", "field"),
    [
        ({"contentType": "image/tiff"}, "UNSUPPORTED_TYPE", ["contentType"]),
        ({"fileSize": 0}, "FILE_EMPTY", ["fileSize"]),
        ({"fileSize": 2**62}, "FILE_TOO_LARGE", ["fileSize"]),
        ({"checksum": "12ab"}, "INVALID_CHECKSUM", ["checksum"]),
        ({"title": ""}, "INVALID_NAME", ["title"]),
        ({"albumId": "img_0"}, "INVALID_ID", ["albumId"]),
        ({"albumId": f"alb_{uuid4().hex}"}, "NOT_FOUND", ["albumId"]),
    ],
)
async def test_what_cannot_be_taken_is_refused_before_it_is_sent(
    gallery: LiveGallery, given: dict[str, object], code: str, field: list[str] | None
) -> None:
    payload = data_of(await create(gallery, PHOTO, key=None, **given))["createUpload"]

    assert payload == {"upload": None, "errors": [{"code": code, "field": field}]}
    assert await gallery.place.count("uploads") == [0]
    assert await gallery.place.objects.open_uploads() == []


async def test_one_upload_too_many_is_refused_and_its_key_stays_free(gallery: LiveGallery) -> None:
    large, key = {"fileSize": MAX_OPEN_BYTES // 2 + 1}, "harbour"
    first = await created(gallery, PHOTO, **large)
    refused = data_of(await create(gallery, PHOTO, key=key, **large))["createUpload"]
    assert refused == {"upload": None, "errors": [{"code": "TOO_MANY_UPLOADS", "field": ["fileSize"]}]}
    assert len(await gallery.place.objects.open_uploads()) == 1

    await gallery.send(ABORT, {"input": {"id": first["id"]}})
    again = data_of(await create(gallery, PHOTO, key=key, **large))["createUpload"]
    assert again["errors"] == []


async def test_a_refusal_does_not_repeat_a_long_type(gallery: LiveGallery) -> None:
    document = "mutation ($input: CreateUploadInput!) { createUpload(input: $input) { errors { code message } } }"
    announced = {"filename": "harbour.jpg", "fileSize": len(PHOTO), "contentType": "image/" + "x" * 100_000}
    [error] = data_of(await gallery.send(document, {"input": announced}))["createUpload"]["errors"]

    assert error["code"] == "UNSUPPORTED_TYPE"
    assert len(error["message"]) < 200


async def test_a_file_that_is_not_the_one_announced_is_refused_and_removed(gallery: LiveGallery) -> None:
    upload = await created(gallery, PHOTO, checksum=sha256(b"another").hexdigest())
    await put(PHOTO, *upload["partUrls"])
    payload = await complete(gallery, upload["id"])

    assert codes(payload) == ["UPLOAD_MISMATCH"]
    assert payload["errors"][0]["field"] == ["id"]
    assert payload["image"] is None
    assert await gallery.place.count("images", "pgqueuer") == [0, 1]
    assert await complete(gallery, upload["id"]) == payload
    refused = await found(gallery, upload["id"])
    assert (refused["state"], refused["parts"], refused["partUrls"], refused["image"]) == ("REFUSED", [], [], None)
    assert [moment(answer) async for answer in progress_of(gallery, upload["id"])] == [(len(PHOTO), len(PHOTO), True)]


async def test_an_upload_that_was_refused_is_not_begun_again_by_its_key(gallery: LiveGallery) -> None:
    no_image, key = b"Dear gallery, " * 1000, "harbour"
    upload = data_of(await create(gallery, no_image, key=key))["createUpload"]["upload"]
    await put(no_image, *upload["partUrls"])
    assert codes(await complete(gallery, upload["id"])) == ["NOT_AN_IMAGE"]

    again = data_of(await create(gallery, no_image, key=key))["createUpload"]
    assert again == {"upload": None, "errors": [{"code": "NOT_FOUND", "field": ["idempotencyKey"]}]}


async def test_an_upload_that_is_begun_again_with_the_same_key_is_the_same_upload(gallery: LiveGallery) -> None:
    key = str(uuid4())
    answers = await asyncio.gather(*(create(gallery, LARGE, key=key) for _ in range(10)))

    assert len({without_urls(answer.content) for answer in answers}) == 1
    assert await gallery.place.count("uploads") == [1]
    assert len(await gallery.place.objects.open_uploads()) == 1
    other = data_of(await create(gallery, PHOTO, key=key))["createUpload"]
    assert codes(other) == ["IDEMPOTENCY_KEY_REUSED"]


async def test_a_repeat_gets_urls_that_are_new_and_the_rest_as_it_was(gallery: LiveGallery) -> None:
    key = str(uuid4())
    first = await create(gallery, LARGE, key=key)
    [one, *rest] = data_of(first)["createUpload"]["upload"]["partUrls"]
    await put(LARGE, one)
    await asyncio.sleep(1.1)  # signatures count whole seconds

    again = await create(gallery, LARGE, key=key)

    assert without_urls(again.content) == without_urls(first.content)
    upload = data_of(again)["createUpload"]["upload"]
    assert [part["number"] for part in upload["partUrls"]] == [1, 2, 3]
    assert {part["url"] for part in upload["partUrls"]}.isdisjoint(part["url"] for part in [one, *rest])
    assert await gallery.place.count("idempotent_answers") == [0]
    await put(LARGE, *upload["partUrls"][1:])
    assert (await complete(gallery, upload["id"]))["outcome"] == "CREATED"

    over = data_of(await create(gallery, LARGE, key=key))["createUpload"]["upload"]
    assert (over["id"], over["state"], over["partUrls"]) == (upload["id"], "COMPLETED", [])


async def test_a_repeat_that_asks_for_no_urls_gets_the_first_answer_byte_for_byte(gallery: LiveGallery) -> None:
    document = """mutation ($input: CreateUploadInput!) {
      createUpload(input: $input) { upload { id state parts { number } } errors { code } }
    }"""
    announced = {"filename": "harbour.jpg", "fileSize": len(PHOTO), "contentType": "image/jpeg"}
    first = await gallery.send(document, {"input": announced}, key="harbour")
    upload_id = data_of(first)["createUpload"]["upload"]["id"]
    await put(PHOTO, *(await found(gallery, upload_id))["partUrls"])
    await complete(gallery, upload_id)

    assert (await gallery.send(document, {"input": announced}, key="harbour")).content == first.content


# Duplicates and checksums


async def test_bytes_that_are_there_are_told_copied_or_refused_as_the_client_likes(gallery: LiveGallery) -> None:
    first = await uploaded(gallery, PHOTO)
    existing = await uploaded(gallery, PHOTO)
    copied = await uploaded(gallery, PHOTO, onDuplicate="CREATE")
    rejected = await uploaded(gallery, PHOTO, onDuplicate="REJECT")

    assert (existing["outcome"], existing["image"]["id"]) == ("EXISTING", first["image"]["id"])
    assert copied["outcome"] == "CREATED"
    assert copied["image"]["id"] != first["image"]["id"]
    assert codes(rejected) == ["DUPLICATE_IMAGE"]
    assert rejected["errors"][0]["field"] == ["id"]
    assert first["image"]["id"] in rejected["errors"][0]["message"]
    assert await gallery.place.count("images") == [2]


async def test_a_client_can_ask_for_checksums_before_it_sends_files(gallery: LiveGallery) -> None:
    image_id = (await uploaded(gallery, PHOTO))["image"]["id"]
    known, unknown = sha256(PHOTO).hexdigest(), sha256(LARGE).hexdigest()
    answer = await gallery.send(
        """query ($known: String!, $unknown: String!, $all: [String!]!) {
          known: imageByChecksum(checksum: $known) { id }
          unknown: imageByChecksum(checksum: $unknown) { id }
          imagesByChecksums(checksums: $all) { id }
        }""",
        {"known": known.upper(), "unknown": unknown, "all": [unknown, known, known]},
    )

    assert data_of(answer) == {
        "known": {"id": image_id},
        "unknown": None,
        "imagesByChecksums": [None, {"id": image_id}, {"id": image_id}],
    }


@pytest.mark.parametrize(
    ("checksums", "code", "field"),
    [(["0" * 64, "zz"], "INVALID_CHECKSUM", ["checksums", "1"]), (["0" * 64] * 101, "TOO_MANY_ITEMS", ["checksums"])],
)
async def test_what_is_no_list_of_checksums_is_refused(
    gallery: LiveGallery, checksums: list[str], code: str, field: list[str]
) -> None:
    document = "query ($all: [String!]!) { imagesByChecksums(checksums: $all) { id } }"
    (error,) = (await gallery.send(document, {"all": checksums})).json()["errors"]

    assert (error["extensions"]["code"], error["extensions"]["field"]) == (code, field)


async def test_the_storage_report_counts_what_is_there_and_finds_nothing_wrong_with_it(gallery: LiveGallery) -> None:
    await uploaded(gallery, PHOTO)
    await created(gallery, LARGE)
    document = "{ storageReport { objectCount totalSize findings { kind count } examples { what } heldJobCount } }"

    assert data_of(await gallery.send(document, {}))["storageReport"] == {
        "objectCount": 1,
        "totalSize": len(PHOTO),
        "findings": [],
        "examples": [],
        "heldJobCount": 0,
    }


# Progress


async def progress_of(gallery: LiveGallery, upload_id: str) -> AsyncIterator[dict[str, Any]]:
    """What the subscription says, event by event; the end of the stream is the end of the iteration."""
    document = "subscription ($id: ID!) { uploadProgress(id: $id) { receivedBytes totalBytes done } }"
    body = {"query": document, "variables": {"id": upload_id}}
    async with gallery.api.http.stream(
        "POST", "/graphql", json=body, headers={"Accept": "text/event-stream"}
    ) as response:
        event = ""
        async for line in response.aiter_lines():
            name, _, value = line.partition(": ")
            if name == "event":
                event = value
            elif name == "data" and event == "next":
                yield json.loads(value)


def moment(answer: dict[str, Any]) -> tuple[int, int | None, bool]:
    progress = answer["data"]["uploadProgress"]
    return progress["receivedBytes"], progress["totalBytes"], progress["done"]


async def test_the_progress_of_a_staged_upload_is_told_to_its_end(gallery: LiveGallery) -> None:
    upload = await created(gallery, LARGE)
    watching = progress_of(gallery, upload["id"])
    assert moment(await anext(watching)) == (0, len(LARGE), False)
    await put(LARGE, upload["partUrls"][0])
    assert moment(await anext(watching)) == (PART_SIZE_BYTES, len(LARGE), False)
    await put(LARGE, *upload["partUrls"][1:])
    await complete(gallery, upload["id"])
    rest = [moment(answer) async for answer in watching]

    assert rest[-1] == (len(LARGE), len(LARGE), True)
    assert {done for *_, done in rest[:-1]} <= {False}


async def test_the_progress_of_an_aborted_upload_ends(gallery: LiveGallery) -> None:
    upload = await created(gallery, LARGE)
    watching = progress_of(gallery, upload["id"])
    await anext(watching)
    await gallery.send(ABORT, {"input": {"id": upload["id"]}})

    assert [moment(answer) async for answer in watching] == [(0, len(LARGE), True)]


async def test_the_progress_of_an_upload_that_is_not_there_is_not_found(gallery: LiveGallery) -> None:
    answers = [answer async for answer in progress_of(gallery, f"upl_{uuid4().hex}")]

    assert [answer["errors"][0]["extensions"]["code"] for answer in answers] == ["NOT_FOUND"]


async def test_the_progress_of_a_streamed_upload_is_told_while_it_arrives(gallery: LiveGallery) -> None:
    document = "mutation ($input: UploadImageInput!) { uploadImage(input: $input) { outcome } }"
    progress_id = str(uuid4())
    body = operations(document, {"input": {"file": None, "progressId": progress_id}})
    body += file_map({"0": ["variables.input.file"]}) + part("0", LARGE, filename="large.jpg") + END
    is_on_its_way = asyncio.Event()

    async def halves() -> AsyncIterator[bytes]:
        yield body[:PART_SIZE_BYTES]
        async with asyncio.timeout(20):
            await is_on_its_way.wait()
        yield body[PART_SIZE_BYTES:]

    async def watched() -> list[tuple[int, int | None, bool]]:
        moments = []
        async for told in progress_of(gallery, progress_id):
            moments.append(moment(told))
            if 0 < moments[-1][0] < len(LARGE):
                is_on_its_way.set()
        return moments

    watching = asyncio.create_task(watched())
    headers = {"Content-Type": CONTENT_TYPE, "Content-Length": str(len(body))}
    answer = await gallery.api.http.post("/graphql", content=halves(), headers=headers)
    moments = await watching

    assert data_of(answer) == {"uploadImage": {"outcome": "CREATED"}}
    assert moments[-1] == (len(LARGE), len(LARGE), True)
    assert any(0 < received_bytes <= PART_SIZE_BYTES for received_bytes, *_ in moments)
    for received_bytes, total_bytes, done in moments[:-1]:
        assert (received_bytes <= len(LARGE), done) == (True, False)
        assert total_bytes is not None
        assert len(LARGE) < total_bytes < len(LARGE) + 2048  # that of the request


async def test_each_of_several_files_has_a_progress_of_its_own_and_a_refused_one_ends_too(
    gallery: LiveGallery,
) -> None:
    document = "mutation ($input: UploadImagesInput!) { uploadImages(input: $input) { results { outcome } } }"
    progress_id = str(uuid4())
    variables = {"input": {"files": [None, None], "progressId": progress_id}}
    answer = await gallery.send(document, variables, PHOTO, b"no image", paths=("input.files.0", "input.files.1"))
    assert data_of(answer)["uploadImages"]["results"] == [{"outcome": "CREATED"}, {"outcome": None}]

    taken, refused = [[moment(one) async for one in progress_of(gallery, f"{progress_id}:{item}")] for item in (0, 1)]
    assert taken == [(len(PHOTO), len(PHOTO), True)]
    assert refused == [(len(b"no image"), None, True)]


async def test_what_is_no_progress_id_is_refused(gallery: LiveGallery) -> None:
    document = "mutation ($input: UploadImageInput!) { uploadImage(input: $input) { errors { code field } } }"
    answer = await gallery.send(document, {"input": {"file": None, "progressId": "two words"}}, PHOTO)
    assert data_of(answer)["uploadImage"]["errors"] == [{"code": "INVALID_INPUT", "field": ["progressId"]}]

    told = [one async for one in progress_of(gallery, "two words")]
    assert [one["errors"][0]["extensions"]["code"] for one in told] == ["INVALID_INPUT"]
    assert await gallery.rows_and_objects() == (0, 0)
