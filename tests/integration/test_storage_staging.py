"""Staged uploads on a real S3: parts that plain HTTP sends to presigned URLs, and what a listing shows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest
from aiohttp import web
from pydantic import HttpUrl, SecretStr

from gallery.domain.errors import ErrorCode, InvalidInputError, NotFoundError, UnavailableError
from gallery.domain.upload_ports import StoredPart
from gallery.platform.storage.s3 import Storages, connect_storages
from gallery.settings import StorageSettings
from tests.fault_proxy import FaultProxy
from tests.integration.scripted_s3 import UPLOAD_ID, ScriptedS3, error, hang_up, scripted_s3
from tests.services import S3Access

if TYPE_CHECKING:
    from types_aiobotocore_s3.client import S3Client

PART = 5 * 1024 * 1024  # the least that S3 takes but for the last one
PATH = "images/2026/05/0197a0c0ffee7000800000000000cafe.jpg"
OTHER_PATH = "images/2026/05/0197a0c0ffee7000800000000000beef.jpg"
CONTENTS = {1: b"1" * PART, 2: b"2" * PART, 3: b"the end"}
PAGE = "https://app.example"
PARTS = [StoredPart(number=1, size_bytes=7, etag="one")]


@pytest.fixture
def settings(s3: S3Access, bucket: str) -> StorageSettings:
    return s3.settings(bucket)


@pytest.fixture
async def storages(settings: StorageSettings) -> AsyncIterator[Storages]:
    async with connect_storages(settings) as storages:
        yield storages


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """A client that knows nothing of S3."""
    async with httpx.AsyncClient() as http:
        yield http


class Sender:
    """Somebody who was given the URLs of an upload."""

    def __init__(self, storages: Storages, http: httpx.AsyncClient, multipart_id: str) -> None:
        self.multipart_id = multipart_id
        self._staging = storages.staging
        self._http = http

    async def url(self, number: int, size_bytes: int, *, expires_in_seconds: int = 600) -> str:
        return await self._staging.part_url(
            PATH, self.multipart_id, number, size_bytes=size_bytes, expires_in_seconds=expires_in_seconds
        )

    async def send(self, number: int, content: bytes) -> httpx.Response:
        return await self._http.put(await self.url(number, len(content)), content=content)

    async def send_all(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            (await self.send(number, CONTENTS[number])).raise_for_status()

    async def parts(self) -> tuple[StoredPart, ...]:
        return await self._staging.parts(PATH, self.multipart_id)

    async def finish(self) -> None:
        await self._staging.finish(PATH, self.multipart_id, await self.parts())


@pytest.fixture
async def sender(storages: Storages, http: httpx.AsyncClient) -> Sender:
    return Sender(storages, http, await storages.staging.begin(PATH, content_type="image/jpeg"))


async def stored(storages: Storages) -> tuple[bytes, str]:
    async with storages.objects.open(PATH) as stream:
        return b"".join([chunk async for chunk in stream.body]), stream.content_type


async def is_empty(storages: Storages) -> bool:
    """Neither an object nor an upload that was begun."""
    objects = [listed async for listed in storages.inventory.objects()]
    uploads = [upload async for upload in storages.inventory.open_uploads()]
    return objects == [] and uploads == []


# Sending


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 1, 2)])
async def test_parts_that_were_put_in_any_order_become_the_object(
    storages: Storages, sender: Sender, order: Sequence[int]
) -> None:
    await sender.send_all(order)

    await sender.finish()

    assert await stored(storages) == (CONTENTS[1] + CONTENTS[2] + CONTENTS[3], "image/jpeg")
    assert [upload async for upload in storages.inventory.open_uploads()] == []


async def test_one_part_of_any_size_is_enough(storages: Storages, sender: Sender) -> None:
    await sender.send_all([3])

    await sender.finish()

    assert await stored(storages) == (b"the end", "image/jpeg")


async def test_parts_are_listed_with_size_and_the_etag_that_their_sender_saw(sender: Sender) -> None:
    answers = {number: await sender.send(number, CONTENTS[number]) for number in (3, 1)}

    assert await sender.parts() == tuple(
        StoredPart(number=number, size_bytes=len(CONTENTS[number]), etag=answers[number].headers["etag"].strip('"'))
        for number in (1, 3)
    )


async def test_an_upload_resumes_after_a_look_at_what_is_there(storages: Storages, sender: Sender) -> None:
    await sender.send_all([2])

    there = {part.number for part in await sender.parts()}
    await sender.send_all([number for number in CONTENTS if number not in there])
    await sender.finish()

    assert there == {2}
    assert await stored(storages) == (CONTENTS[1] + CONTENTS[2] + CONTENTS[3], "image/jpeg")


async def test_a_part_that_is_sent_again_takes_the_place_of_the_first(storages: Storages, sender: Sender) -> None:
    await sender.send_all([1])
    etag = ""
    while [part.etag for part in await sender.parts()] != [etag]:  # until the store can tell which is newer
        etag = (await sender.send(1, CONTENTS[2])).headers["etag"].strip('"')
        await asyncio.sleep(0.2)

    await sender.finish()

    assert await stored(storages) == (CONTENTS[2], "image/jpeg")


async def test_a_part_whose_sender_hung_up_is_not_there(sender: Sender) -> None:
    async def breaking() -> AsyncIterator[bytes]:
        yield CONTENTS[1][: PART // 2]
        raise ConnectionAbortedError

    async with httpx.AsyncClient() as http:
        with pytest.raises(ConnectionAbortedError):
            await http.put(await sender.url(1, PART), content=breaking(), headers={"Content-Length": str(PART)})

    assert await sender.parts() == ()


# Which part it is


def listing(*parts: tuple[int, str, int, str]) -> web.Response:
    """The answer to ListParts: number, time, size and ETag of each."""
    content = "".join(
        f"<Part><PartNumber>{number}</PartNumber><LastModified>2026-05-17T12:00:{second}Z</LastModified>"
        f'<Size>{size}</Size><ETag>"{etag}"</ETag></Part>'
        for number, second, size, etag in parts
    )
    text = f"<ListPartsResult><IsTruncated>false</IsTruncated>{content}</ListPartsResult>"
    return web.Response(text=text, content_type="application/xml")


@pytest.mark.parametrize("newer_first", [True, False])
async def test_of_a_part_that_a_store_lists_twice_the_newer_one_counts(
    scripted: tuple[Storages, ScriptedS3], *, newer_first: bool
) -> None:
    storages, store = scripted
    versions = [(1, "02", 7, "newer"), (1, "01", 5, "older")]
    store.answers(
        "ListParts", [lambda _request: listing(*(versions if newer_first else versions[::-1]), (2, "01", 3, "two"))]
    )

    parts = await storages.staging.parts(PATH, UPLOAD_ID)

    assert parts == (
        StoredPart(number=1, size_bytes=7, etag="newer"),
        StoredPart(number=2, size_bytes=3, etag="two"),
    )


async def test_a_part_of_which_nobody_can_tell_the_newer_version_has_not_arrived(
    scripted: tuple[Storages, ScriptedS3],
) -> None:
    storages, store = scripted
    store.answers(
        "ListParts", [lambda _request: listing((1, "01", 7, "one"), (1, "01", 7, "other"), (2, "01", 3, "two"))]
    )

    assert await storages.staging.parts(PATH, UPLOAD_ID) == (StoredPart(number=2, size_bytes=3, etag="two"),)


async def test_the_same_bytes_sent_twice_in_a_second_are_one_part(scripted: tuple[Storages, ScriptedS3]) -> None:
    storages, store = scripted
    store.answers("ListParts", [lambda _request: listing((1, "01", 7, "one"), (1, "01", 7, "one"))])

    assert await storages.staging.parts(PATH, UPLOAD_ID) == (StoredPart(number=1, size_bytes=7, etag="one"),)


# URLs


async def test_a_url_is_of_no_use_after_the_upload_was_finished(storages: Storages, sender: Sender) -> None:
    await sender.send_all([3])
    await sender.finish()

    answer = await sender.send(3, b"replaced")

    assert answer.status_code == 404
    assert await stored(storages) == (b"the end", "image/jpeg")


async def test_a_url_is_of_no_use_after_the_upload_was_aborted(storages: Storages, sender: Sender) -> None:
    await sender.send_all([1])
    await storages.staging.abort(PATH, sender.multipart_id)

    answer = await sender.send(1, CONTENTS[1])

    assert answer.status_code == 404
    assert await is_empty(storages)


async def test_a_url_expires(sender: Sender, http: httpx.AsyncClient) -> None:
    url = await sender.url(1, len(b"late"), expires_in_seconds=1)
    await asyncio.sleep(2.1)  # longer than a second, whole ones of which the signature counts

    assert (await http.put(url, content=b"late")).status_code == 403
    assert await sender.parts() == ()


@pytest.mark.parametrize(
    ("old", "new"), [("partNumber=1", "partNumber=2"), (PATH, OTHER_PATH), ("X-Amz-Expires=600", "X-Amz-Expires=6000")]
)
async def test_a_url_is_good_for_what_it_was_made_for_alone(
    storages: Storages, sender: Sender, http: httpx.AsyncClient, old: str, new: str
) -> None:
    url = await sender.url(1, len(b"elsewhere"))
    assert old in url

    answer = await http.put(url.replace(old, new), content=b"elsewhere")

    assert answer.status_code == 403
    assert await sender.parts() == ()
    assert [listed async for listed in storages.inventory.objects()] == []


@pytest.mark.parametrize("content", [b"", b"the en", b"the end!", b"the end" * 1_000_000])
async def test_a_url_takes_no_part_of_another_size(sender: Sender, http: httpx.AsyncClient, content: bytes) -> None:
    answer = await http.put(await sender.url(1, len(b"the end")), content=content)

    assert answer.status_code == 403
    assert await sender.parts() == ()


async def test_a_url_takes_no_part_whose_size_is_not_said(sender: Sender, http: httpx.AsyncClient) -> None:
    async def content() -> AsyncIterator[bytes]:
        yield b"the end"

    answer = await http.put(await sender.url(1, len(b"the end")), content=content())

    assert answer.is_client_error
    assert await sender.parts() == ()


async def test_urls_name_the_public_endpoint_and_hold_there_alone(
    settings: StorageSettings, http: httpx.AsyncClient
) -> None:
    inside = urlsplit(str(settings.endpoint_url))
    public = f"http://localhost:{inside.port}"
    async with connect_storages(settings.model_copy(update={"public_endpoint_url": HttpUrl(public)})) as storages:
        sender = Sender(storages, http, await storages.staging.begin(PATH, content_type="image/jpeg"))
        url = await sender.url(1, len(b"the end"))

        at_another_host = await http.put(url.replace("localhost", "127.0.0.1"), content=b"the end")
        assert at_another_host.status_code == 403
        assert await sender.parts() == ()

        assert url.startswith(f"{public}/")
        assert (await http.put(url, content=b"the end")).status_code == 200
        await sender.finish()
        assert await stored(storages) == (b"the end", "image/jpeg")


# Browsers


async def preflight(http: httpx.AsyncClient, url: str, origin: str) -> httpx.Response:
    return await http.options(url, headers={"Origin": origin, "Access-Control-Request-Method": "PUT"})


async def test_pages_of_the_origins_that_were_allowed_may_send_parts_and_read_the_etag(
    storages: Storages, sender: Sender, http: httpx.AsyncClient
) -> None:
    assert await storages.origins.allow([PAGE])
    url = await sender.url(1, len(b"the end"))

    asked = await preflight(http, url, PAGE)
    answer = await http.put(url, content=b"the end", headers={"Origin": PAGE})
    stranger = await preflight(http, url, "https://stranger.example")

    assert asked.status_code == 200
    assert asked.headers["access-control-allow-origin"] == PAGE
    assert asked.headers["access-control-allow-methods"] == "PUT"
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert answer.headers["access-control-expose-headers"] == "ETag"
    assert stranger.status_code == 403
    assert "access-control-allow-origin" not in stranger.headers


async def test_origins_replace_those_from_before_and_leave_the_rules_of_others(
    storages: Storages, s3_client: S3Client, bucket: str
) -> None:
    await s3_client.put_bucket_cors(
        Bucket=bucket,
        CORSConfiguration={
            "CORSRules": [{"ID": "theirs", "AllowedOrigins": ["https://theirs.example"], "AllowedMethods": ["GET"]}]
        },
    )

    await storages.origins.allow(["https://before.example"])
    await storages.origins.allow([PAGE, "https://other.example"])

    rules = (await s3_client.get_bucket_cors(Bucket=bucket))["CORSRules"]
    assert [(rule["ID"], rule["AllowedOrigins"]) for rule in rules] == [
        ("theirs", ["https://theirs.example"]),
        ("gallery-uploads", [PAGE, "https://other.example"]),
    ]


@pytest.mark.parametrize(("status", "code"), [(501, "NotImplemented"), (403, "AccessDenied")])
async def test_a_store_that_takes_no_rules_says_so(
    scripted: tuple[Storages, ScriptedS3], status: int, code: str
) -> None:
    storages, store = scripted
    store.answers("PutBucket", [error(status, code)])
    store.answers("GetBucket", [error(404, "NoSuchCORSConfiguration")])

    assert not await storages.origins.allow([PAGE])
    assert store.operations == ["GetBucket", "PutBucket"]


# Finishing


async def test_finishing_again_is_no_error(storages: Storages, sender: Sender) -> None:
    await sender.send_all([1, 3])
    parts = await sender.parts()

    await storages.staging.finish(PATH, sender.multipart_id, parts)
    await storages.staging.finish(PATH, sender.multipart_id, parts)

    assert await stored(storages) == (CONTENTS[1] + CONTENTS[3], "image/jpeg")


async def test_an_aborted_upload_cannot_be_finished(storages: Storages, sender: Sender) -> None:
    await sender.send_all([3])
    parts = await sender.parts()
    await storages.staging.abort(PATH, sender.multipart_id)

    with pytest.raises(NotFoundError):
        await storages.staging.finish(PATH, sender.multipart_id, parts)

    assert await is_empty(storages)


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        [StoredPart(number=1, size_bytes=7, etag="d41d8cd98f00b204e9800998ecf8427e")],
        [StoredPart(number=9, size_bytes=7, etag="d41d8cd98f00b204e9800998ecf8427e")],
    ],
    ids=["no parts", "other bytes", "missing"],
)
async def test_parts_that_are_not_there_finish_nothing(
    storages: Storages, sender: Sender, wrong: list[StoredPart]
) -> None:
    await sender.send_all([1])
    there = await sender.parts()

    with pytest.raises(InvalidInputError) as refused:
        await storages.staging.finish(PATH, sender.multipart_id, wrong)

    assert refused.value.code is ErrorCode.UPLOAD_INCOMPLETE
    assert [listed async for listed in storages.inventory.objects()] == []
    assert await sender.parts() == there


async def test_a_small_part_before_the_last_finishes_nothing(storages: Storages, sender: Sender) -> None:
    await sender.send(1, b"small")
    await sender.send(2, b"small too")

    with pytest.raises(InvalidInputError) as refused:
        await sender.finish()

    assert refused.value.code is ErrorCode.UPLOAD_INCOMPLETE
    assert [listed async for listed in storages.inventory.objects()] == []


# Broken lines


@pytest.fixture
async def proxied(settings: StorageSettings) -> AsyncIterator[tuple[Storages, FaultProxy]]:
    """The same storage by way of a proxy, for the gallery and its clients alike."""
    endpoint = str(settings.endpoint_url)
    async with FaultProxy.to(endpoint) as proxy:
        changes = {"endpoint_url": HttpUrl(proxy.url_of(endpoint)), "timeout_seconds": 3.0}
        async with connect_storages(settings.model_copy(update=changes)) as storages:
            yield storages, proxy


async def test_a_transfer_that_breaks_in_the_middle_of_a_part_resumes_with_that_part(
    proxied: tuple[Storages, FaultProxy], http: httpx.AsyncClient
) -> None:
    storages, proxy = proxied
    sender = Sender(storages, http, await storages.staging.begin(PATH, content_type="image/jpeg"))
    await sender.send_all([1])
    proxy.cut(to_server_bytes=PART // 2)
    with pytest.raises(httpx.TransportError):
        await sender.send(2, CONTENTS[2])
    await proxy.heal()

    there = [part.number for part in await sender.parts()]
    await sender.send_all([number for number in CONTENTS if number not in there])
    await sender.finish()

    assert there == [1]
    assert proxy.faults == 1
    assert await stored(storages) == (CONTENTS[1] + CONTENTS[2] + CONTENTS[3], "image/jpeg")


async def test_the_store_finishes_once_though_its_answer_was_lost(
    proxied: tuple[Storages, FaultProxy], http: httpx.AsyncClient
) -> None:
    storages, proxy = proxied
    sender = Sender(storages, http, await storages.staging.begin(PATH, content_type="image/jpeg"))
    await sender.send_all([1, 3])
    proxy.lose_answer(b"<CompleteMultipartUpload")

    await sender.finish()

    assert proxy.faults == 1
    assert await stored(storages) == (CONTENTS[1] + CONTENTS[3], "image/jpeg")
    assert [upload async for upload in storages.inventory.open_uploads()] == []


async def test_a_store_that_says_nothing_is_unavailable(proxied: tuple[Storages, FaultProxy]) -> None:
    storages, proxy = proxied
    proxy.black_hole = True

    failures = await asyncio.gather(
        storages.staging.begin(PATH, content_type="image/jpeg"),
        storages.staging.parts(PATH, "unknown"),
        storages.staging.finish(PATH, "unknown", PARTS),
        storages.staging.abort(PATH, "unknown"),
        anext(storages.inventory.objects()),
        anext(storages.inventory.open_uploads()),
        storages.origins.allow([PAGE]),
        return_exceptions=True,
    )

    assert [type(failure) for failure in failures] == [UnavailableError] * 7


# Listings


async def test_listings_go_on_where_a_page_ended(settings: StorageSettings, http: httpx.AsyncClient) -> None:
    paths = [f"images/2026/05/{number}.jpg" for number in range(5)] + ["thumbnails/small/1.webp"]
    async with connect_storages(settings, page_size=2) as storages:
        for path in paths:
            await storages.objects.put(path, chunks(path.encode()), content_type="image/jpeg")
        begun = {(path, await storages.staging.begin(path, content_type="image/jpeg")) for path in paths}
        sender = Sender(storages, http, await storages.staging.begin(PATH, content_type="image/jpeg"))
        for number in range(1, 6):
            await sender.send(number, b"part")

        objects = [listed async for listed in storages.inventory.objects()]
        uploads = [upload async for upload in storages.inventory.open_uploads()]
        parts = await sender.parts()

    assert [(listed.storage_path, listed.size_bytes) for listed in objects] == [(path, len(path)) for path in paths]
    assert all(listed.modified_at.tzinfo for listed in objects)
    assert len(uploads) == 7
    assert {(upload.storage_path, upload.multipart_id) for upload in uploads} == begun | {(PATH, sender.multipart_id)}
    assert all(upload.begun_at.tzinfo for upload in uploads)
    assert [part.number for part in parts] == [1, 2, 3, 4, 5]


async def test_what_others_keep_in_the_bucket_is_not_listed(
    storages: Storages, s3_client: S3Client, bucket: str
) -> None:
    await s3_client.put_object(Bucket=bucket, Key="backup/images/1.jpg", Body=b"theirs")
    await s3_client.create_multipart_upload(Bucket=bucket, Key="backup/images/2.jpg")

    assert await is_empty(storages)


# Stores that misbehave


@pytest.fixture
async def scripted() -> AsyncIterator[tuple[Storages, ScriptedS3]]:
    async with scripted_s3() as store:
        settings = StorageSettings(
            endpoint_url=HttpUrl(store.url),
            bucket="photographs",
            access_key_id=SecretStr("key"),
            secret_access_key=SecretStr("secret"),
        )
        async with connect_storages(settings) as storages:
            yield storages, store


async def test_a_part_needs_no_checksum(scripted: tuple[Storages, ScriptedS3]) -> None:
    storages, store = scripted

    assert await storages.staging.begin(PATH, content_type="image/jpeg") == UPLOAD_ID

    assert [name for name in store.seen[0].headers if "checksum" in name.lower()] == []


async def test_the_answer_to_finishing_may_be_lost(scripted: tuple[Storages, ScriptedS3]) -> None:
    storages, store = scripted
    store.answers("CompleteMultipartUpload", [hang_up, error(404, "NoSuchUpload")])
    store.answers("HeadObject", [lambda _request: web.Response(headers={"Content-Length": "7"})])

    await storages.staging.finish(PATH, UPLOAD_ID, PARTS)

    assert store.operations == ["CompleteMultipartUpload", "CompleteMultipartUpload", "HeadObject"]


async def test_an_object_of_another_size_is_not_what_was_to_be_finished(
    scripted: tuple[Storages, ScriptedS3],
) -> None:
    storages, store = scripted
    store.answers("CompleteMultipartUpload", [error(404, "NoSuchUpload")])
    store.answers("HeadObject", [lambda _request: web.Response(headers={"Content-Length": "8"})])

    with pytest.raises(NotFoundError):
        await storages.staging.finish(PATH, UPLOAD_ID, PARTS)


@pytest.mark.parametrize(("status", "code"), [(500, "InternalError"), (503, "SlowDown")])
async def test_a_store_that_stays_busy_is_unavailable_after_three_attempts(
    scripted: tuple[Storages, ScriptedS3], status: int, code: str
) -> None:
    storages, store = scripted
    for operation in ("CreateMultipartUpload", "CompleteMultipartUpload", "ListParts", "GetBucket"):
        store.answers(operation, [error(status, code)] * 6)

    for call in (
        storages.staging.begin(PATH, content_type="image/jpeg"),
        storages.staging.finish(PATH, UPLOAD_ID, PARTS),
        storages.staging.parts(PATH, UPLOAD_ID),
        anext(storages.inventory.objects()),
    ):
        store.seen.clear()
        with pytest.raises(UnavailableError):
            await call
        assert len(store.seen) == 3


async def test_a_store_without_room_is_unavailable_and_not_asked_again(scripted: tuple[Storages, ScriptedS3]) -> None:
    storages, store = scripted
    store.answers("CompleteMultipartUpload", [error(507, "InsufficientStorage")])

    with pytest.raises(UnavailableError):
        await storages.staging.finish(PATH, UPLOAD_ID, PARTS)

    assert store.operations == ["CompleteMultipartUpload"]


async def chunks(content: bytes) -> AsyncIterator[bytes]:
    yield content
