"""What the object storage makes of a store that loses answers, is busy, lacks conditions, or stops half-way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from botocore.awsrequest import AWSPreparedRequest
from pydantic import HttpUrl, SecretStr

from gallery.domain.errors import ConflictError, TruncatedImageError, UnavailableError
from gallery.platform.storage.errors import BucketElsewhereError, StorageUnreachableError
from gallery.platform.storage.s3 import S3ObjectStorage, connect_storage
from gallery.settings import AddressingStyle, StorageSettings
from tests.integration.scripted_s3 import ScriptedS3, error, hang_up, http_server, operation_of, scripted_s3

PART = 5 * 1024 * 1024
ORIGINAL = "images/2026/05/0197a0c0ffee7000800000000000cafe.jpg"
RENDITION = "thumbnails/small/0197a0c0ffee7000800000000000cafe.webp"

WHOLE_UPLOAD = ["CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"]


@pytest.fixture
async def store() -> AsyncIterator[ScriptedS3]:
    async with scripted_s3() as store:
        yield store


def settings_for(url: str | None, style: AddressingStyle = AddressingStyle.AUTO) -> StorageSettings:
    return StorageSettings(
        endpoint_url=HttpUrl(url) if url else None,
        region="eu-central-1",
        bucket="photographs",
        addressing_style=style,
        access_key_id=SecretStr("key"),
        secret_access_key=SecretStr("secret"),
        part_size_bytes=PART,
    )


@pytest.fixture
async def storage(store: ScriptedS3) -> AsyncIterator[S3ObjectStorage]:
    async with connect_storage(settings_for(store.url)) as storage:
        yield storage


async def put(storage: S3ObjectStorage, data: bytes, path: str = ORIGINAL) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield data

    await storage.put(path, chunks(), content_type="image/jpeg")


# Busy


async def test_what_a_busy_store_refused_is_sent_again_whole(storage: S3ObjectStorage, store: ScriptedS3) -> None:
    data = bytes(range(256)) * (PART // 256)
    store.answers("UploadPart", [error(503, "SlowDown"), hang_up])
    await put(storage, data)
    assert store.bodies("UploadPart") == [data, data, data]
    assert store.operations[-1] == "CompleteMultipartUpload"


async def test_a_store_that_stays_busy_is_unavailable_and_the_upload_is_aborted(
    storage: S3ObjectStorage, store: ScriptedS3
) -> None:
    store.answers("UploadPart", [error(503, "SlowDown")] * 3)
    with pytest.raises(UnavailableError):
        await put(storage, bytes(PART))
    assert store.operations == ["CreateMultipartUpload", *["UploadPart"] * 3, "AbortMultipartUpload"]


async def test_a_file_that_fails_has_its_upload_aborted_at_once_though_a_part_is_on_its_way(store: ScriptedS3) -> None:
    part_came, failing, aborted, late = (asyncio.Event() for _ in range(4))

    async def handle(request: web.Request) -> web.StreamResponse:
        operation = operation_of(request)
        if operation == "UploadPart":
            part_came.set()
            await late.wait()
        elif operation == "AbortMultipartUpload":
            aborted.set()
        return await store.handle(request)

    async def chunks() -> AsyncIterator[bytes]:
        yield bytes(PART)
        await part_came.wait()
        failing.set()
        raise TruncatedImageError

    async with http_server(handle) as url, connect_storage(settings_for(url)) as storage:
        putting = asyncio.create_task(storage.put(ORIGINAL, chunks(), content_type="image/jpeg"))
        await failing.wait()
        try:
            async with asyncio.timeout(5):  # it is within a second, but for a machine that is busy
                with pytest.raises(TruncatedImageError):
                    await putting
                assert aborted.is_set()
        finally:
            late.set()


async def test_a_part_carries_its_checksum_and_no_signature_of_its_bytes(
    storage: S3ObjectStorage, store: ScriptedS3
) -> None:
    await put(storage, bytes(PART))
    part = next(request for request in store.seen if request.operation == "UploadPart")
    assert part.headers["x-amz-checksum-crc32"] == "yTuzdQ=="
    assert part.headers["x-amz-content-sha256"] == "UNSIGNED-PAYLOAD"
    assert part.headers["Content-Length"] == str(PART)
    assert "Transfer-Encoding" not in part.headers


# Success that is none


async def test_an_error_under_status_200_is_an_error(storage: S3ObjectStorage, store: ScriptedS3) -> None:
    """CompleteMultipartUpload sends its status before it knows the outcome (Amazon S3 reference)."""
    store.answers("CompleteMultipartUpload", [error(200, "InternalError")] * 3)
    with pytest.raises(UnavailableError):
        await put(storage, bytes(PART))
    assert store.operations[-1] == "AbortMultipartUpload"


async def test_an_error_under_status_200_may_pass(storage: S3ObjectStorage, store: ScriptedS3) -> None:
    store.answers("CompleteMultipartUpload", [error(200, "InternalError")])
    await put(storage, bytes(PART))
    assert store.operations == [*WHOLE_UPLOAD, "CompleteMultipartUpload"]


# Answers that are lost


async def test_an_object_that_an_earlier_attempt_stored_is_no_conflict(
    storage: S3ObjectStorage, store: ScriptedS3
) -> None:
    store.answers("PutObject", [store.store_and_hang_up, error(412, "PreconditionFailed")])
    await put(storage, b"bytes")
    assert store.operations == ["PutObject", "PutObject", "HeadObject"]


async def test_an_object_of_somebody_else_is_a_conflict_and_stays(storage: S3ObjectStorage, store: ScriptedS3) -> None:
    store.writer = "somebody else"
    store.answers("PutObject", [error(412, "PreconditionFailed")])
    with pytest.raises(ConflictError):
        await put(storage, b"bytes")
    assert store.operations == ["PutObject", "HeadObject"]


async def test_an_original_whose_answers_are_all_lost_is_removed(storage: S3ObjectStorage, store: ScriptedS3) -> None:
    store.answers("PutObject", [store.store_and_hang_up] * 3)
    with pytest.raises(UnavailableError):
        await put(storage, b"bytes")
    assert store.operations == [*["PutObject"] * 3, "HeadObject", "DeleteObjects"]


async def test_an_original_that_is_not_of_this_put_is_not_removed(storage: S3ObjectStorage, store: ScriptedS3) -> None:
    store.writer = "somebody else"
    store.answers("PutObject", [hang_up] * 3)
    with pytest.raises(UnavailableError):
        await put(storage, b"bytes")
    assert store.operations == [*["PutObject"] * 3, "HeadObject"]


async def test_a_rendition_whose_answers_are_all_lost_stays(storage: S3ObjectStorage, store: ScriptedS3) -> None:
    store.answers("PutObject", [store.store_and_hang_up] * 3)
    with pytest.raises(UnavailableError):
        await put(storage, b"bytes", RENDITION)
    assert store.operations == ["PutObject"] * 3


async def test_after_a_refusal_there_is_nothing_to_remove(storage: S3ObjectStorage, store: ScriptedS3) -> None:
    store.answers("PutObject", [error(403, "AccessDenied")])
    with pytest.raises(UnavailableError):
        await put(storage, b"bytes")
    assert store.operations == ["PutObject"]


# Stores without conditional writes


@pytest.mark.parametrize("size", [5, PART])
async def test_a_store_without_conditions_is_asked_for_them_once(
    storage: S3ObjectStorage, store: ScriptedS3, size: int
) -> None:
    call = "PutObject" if size < PART else "CompleteMultipartUpload"
    store.answers(call, [error(501, "NotImplemented")])
    await put(storage, bytes(size))
    await put(storage, bytes(size))
    conditions = [request.headers.get("If-None-Match") for request in store.seen if request.operation == call]
    assert conditions == ["*", None, None]


async def test_a_rendition_is_put_without_a_condition(storage: S3ObjectStorage, store: ScriptedS3) -> None:
    await put(storage, b"bytes", RENDITION)
    assert "If-None-Match" not in store.seen[0].headers


# Reading and deleting


async def test_a_body_that_ends_early_is_an_error() -> None:
    async def cut(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "10", "ETag": '"etag"'})
        await response.prepare(request)
        await response.write(b"12345")
        return hang_up(request)

    async with (
        http_server(cut) as url,
        connect_storage(settings_for(url)) as storage,
        storage.open(ORIGINAL) as stream,
    ):
        assert await anext(stream.body) == b"12345"
        with pytest.raises(UnavailableError):
            await anext(stream.body)


async def test_an_object_that_cannot_be_deleted_is_an_error(storage: S3ObjectStorage, store: ScriptedS3) -> None:
    def partly(_request: web.Request) -> web.Response:
        failed = f"<Error><Key>{ORIGINAL}</Key><Code>InternalError</Code></Error>"
        return web.Response(text=f"<DeleteResult>{failed}</DeleteResult>", content_type="application/xml")

    store.answers("DeleteObjects", [partly])
    with pytest.raises(UnavailableError):
        await storage.delete([ORIGINAL, RENDITION])


# Checks


async def test_a_check_tells_that_the_region_is_wrong(storage: S3ObjectStorage, store: ScriptedS3) -> None:
    store.answers("HeadBucket", [lambda _request: web.Response(status=400)])
    with pytest.raises(BucketElsewhereError, match="not in the region eu-central-1"):
        await storage.ping()


async def test_a_check_passes_on_what_a_broken_store_says(storage: S3ObjectStorage, store: ScriptedS3) -> None:
    store.answers("HeadBucket", [lambda _request: web.Response(status=500)] * 3)
    with pytest.raises(StorageUnreachableError, match="answers with an error"):
        await storage.ping()


# Addresses


class NotSentError(Exception):
    pass


@pytest.mark.parametrize(
    ("endpoint", "style", "expected"),
    [
        ("https://s3.example", AddressingStyle.PATH, "https://s3.example/photographs/images/a.jpg"),
        ("https://s3.example/", AddressingStyle.VIRTUAL, "https://photographs.s3.example/images/a.jpg"),
        ("https://s3.example", AddressingStyle.AUTO, "https://s3.example/photographs/images/a.jpg"),
        (None, AddressingStyle.AUTO, "https://photographs.s3.eu-central-1.amazonaws.com/images/a.jpg"),
        (None, AddressingStyle.PATH, "https://s3.eu-central-1.amazonaws.com/photographs/images/a.jpg"),
    ],
)
async def test_the_bucket_goes_where_the_style_says(
    endpoint: str | None, style: AddressingStyle, expected: str
) -> None:
    urls: list[str] = []

    async def note_and_stop(request: AWSPreparedRequest, **_event: object) -> None:
        urls.append(request.url)
        raise NotSentError

    async with connect_storage(settings_for(endpoint, style)) as storage:
        storage._bucket._client.meta.events.register("before-send.s3.GetObject", note_and_stop)
        with pytest.raises(NotSentError):
            async with storage.open("images/a.jpg"):
                pytest.fail("opened")
    assert urls == [expected]
