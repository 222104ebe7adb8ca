"""The object storage on a real S3: what is stored, what is left behind when something fails, what a person is told."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from pydantic import HttpUrl, SecretStr

from gallery.domain.errors import ConflictError, FileTooLargeError, InvalidInputError, NotFoundError, UnavailableError
from gallery.platform.storage import parts
from gallery.platform.storage.errors import BucketMissingError, StorageRefusedError, StorageUnreachableError
from gallery.platform.storage.parts import PartBuffers, filled_parts
from gallery.platform.storage.s3 import S3ObjectStorage, connect_storage
from gallery.settings import StorageSettings
from tests.integration.scripted_s3 import http_server
from tests.services import S3Access

if TYPE_CHECKING:
    from types_aiobotocore_s3.client import S3Client

PART = 5 * 1024 * 1024
CHUNK = 64 * 1024
ORIGINAL = "images/2026/05/0197a0c0ffee7000800000000000cafe.jpg"
RENDITION = "thumbnails/small/0197a0c0ffee7000800000000000cafe.webp"
PLENTY = random.Random(5).randbytes(3 * PART + 1)  # noqa: S311  # bytes that differ everywhere, no secret


class StreamBrokeError(Exception):
    """What a source raises in these tests."""


@pytest.fixture
def settings(s3: S3Access, bucket: str) -> StorageSettings:
    return s3.settings(bucket, part_size_bytes=PART, parts_in_flight=2)


@pytest.fixture
async def storage(settings: StorageSettings) -> AsyncIterator[S3ObjectStorage]:
    async with connect_storage(settings) as storage:
        yield storage


@pytest.fixture
def client(s3_client: S3Client) -> S3Client:
    """A client without anything of the gallery's, to look at the bucket."""
    return s3_client


async def chunks_of(data: bytes, chunk_size: int = CHUNK) -> AsyncIterator[bytes]:
    for start in range(0, len(data), chunk_size):
        yield data[start : start + chunk_size]


async def breaking_after(size: int) -> AsyncIterator[bytes]:
    async for chunk in chunks_of(PLENTY[:size]):
        yield chunk
    raise StreamBrokeError


class HangingSource:
    """Gives some bytes, then nothing more; `reached` is set when it begins to hang."""

    def __init__(self, size: int) -> None:
        self.reached = asyncio.Event()
        self._size = size

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in chunks_of(PLENTY[: self._size]):
            yield chunk
        self.reached.set()
        await asyncio.Event().wait()


async def put(storage: S3ObjectStorage, data: bytes, path: str = ORIGINAL) -> str:
    return (await storage.put(path, chunks_of(data), content_type="image/jpeg")).checksum


async def content(storage: S3ObjectStorage, path: str = ORIGINAL) -> bytes:
    async with storage.open(path) as stream:
        return b"".join([chunk async for chunk in stream.body])


async def keys(client: S3Client, bucket: str) -> list[str]:
    return [item["Key"] for item in (await client.list_objects_v2(Bucket=bucket)).get("Contents", [])]


async def is_empty(client: S3Client, bucket: str) -> bool:
    """Neither an object nor an upload that was begun."""
    uploads = await client.list_multipart_uploads(Bucket=bucket)
    return not await keys(client, bucket) and not uploads.get("Uploads")


@asynccontextmanager
async def changed(settings: StorageSettings, **values: object) -> AsyncIterator[S3ObjectStorage]:
    async with connect_storage(settings.model_copy(update=values)) as storage:
        yield storage


# Storing


@pytest.mark.parametrize("path", [ORIGINAL, RENDITION])
@pytest.mark.parametrize("size", [0, 1, PART - 1, PART, PART + 1, 3 * PART + 1])
async def test_an_object_of_any_size_comes_back_as_it_was(storage: S3ObjectStorage, path: str, size: int) -> None:
    data = PLENTY[:size]
    stored = await storage.put(path, chunks_of(data), content_type="image/jpeg")
    assert (stored.storage_path, stored.size_bytes) == (path, size)
    assert stored.checksum == hashlib.sha256(data).hexdigest()
    async with storage.open(path) as stream:
        assert (stream.size_bytes, stream.total_bytes, stream.content_type) == (size, size, "image/jpeg")
        assert b"".join([chunk async for chunk in stream.body]) == data


@pytest.mark.parametrize("chunk_size", [4_099, PART, PART + 7, 2 * PART + 3])
async def test_how_the_source_cuts_its_chunks_does_not_matter(storage: S3ObjectStorage, chunk_size: int) -> None:
    stored = await storage.put(ORIGINAL, chunks_of(PLENTY, chunk_size), content_type="image/jpeg")
    assert stored.checksum == hashlib.sha256(PLENTY).hexdigest()
    assert await content(storage) == PLENTY


async def test_empty_chunks_do_not_matter(storage: S3ObjectStorage) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for chunk in (b"", b"a", b"", b"b", b""):
            yield chunk

    stored = await storage.put(ORIGINAL, chunks(), content_type="image/jpeg")
    assert stored.size_bytes == 2
    assert await content(storage) == b"ab"


async def test_a_file_below_one_part_is_no_multipart_upload(
    storage: S3ObjectStorage, client: S3Client, bucket: str
) -> None:
    await put(storage, PLENTY[: PART - 1])
    await put(storage, PLENTY[:PART], RENDITION)
    small = await client.head_object(Bucket=bucket, Key=ORIGINAL)
    large = await client.head_object(Bucket=bucket, Key=RENDITION)
    assert small["ETag"].strip('"') == hashlib.md5(PLENTY[: PART - 1], usedforsecurity=False).hexdigest()
    assert large["ETag"].strip('"').endswith("-1")


async def test_the_upload_has_begun_before_two_parts_are_read(
    storage: S3ObjectStorage, client: S3Client, bucket: str
) -> None:
    source = HangingSource(PART + 1)
    storing = asyncio.create_task(storage.put(ORIGINAL, source, content_type="image/jpeg"))
    await source.reached.wait()
    async with asyncio.timeout(30):
        while not (uploads := (await client.list_multipart_uploads(Bucket=bucket)).get("Uploads")):  # noqa: ASYNC110  # a poll
            await asyncio.sleep(0.05)
    storing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await storing
    assert [upload["Key"] for upload in uploads] == [ORIGINAL]


async def test_a_source_is_read_no_faster_than_the_storage_takes_it(settings: StorageSettings) -> None:
    """Nothing answers, so no part is done with: two are in flight and one waits."""
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += CHUNK
            yield bytes(CHUNK)
            await asyncio.sleep(0)

    async with silent_server() as url, changed(settings, endpoint_url=HttpUrl(url), timeout_seconds=1) as storage:
        with pytest.raises(UnavailableError):
            await storage.put(ORIGINAL, endless(), content_type="image/jpeg")
    assert read == 3 * PART


async def test_a_source_slower_than_the_storage_is_waited_for(storage: S3ObjectStorage) -> None:
    async def trickle() -> AsyncIterator[bytes]:
        async for chunk in chunks_of(PLENTY, 2 * 1024 * 1024):
            yield chunk
            await asyncio.sleep(0.05)

    stored = await storage.put(ORIGINAL, trickle(), content_type="image/jpeg")
    assert stored.checksum == hashlib.sha256(PLENTY).hexdigest()


async def test_many_files_at_once_use_no_more_connections_than_are_allowed(settings: StorageSettings) -> None:
    async with changed(settings, max_connections=2) as storage:
        files = {f"images/2026/05/{number:032x}.jpg": PLENTY[: PART + number] for number in range(6)}
        stored = await asyncio.gather(*(put(storage, data, path) for path, data in files.items()))
        assert stored == [hashlib.sha256(data).hexdigest() for data in files.values()]


# Storing what is there already


@pytest.mark.parametrize("size", [100, PART + 100])
async def test_an_original_never_takes_the_place_of_another(
    storage: S3ObjectStorage, client: S3Client, bucket: str, size: int
) -> None:
    first = PLENTY[:size]
    await put(storage, first)
    with pytest.raises(ConflictError):
        await put(storage, PLENTY[-size:])
    assert await content(storage) == first
    assert not (await client.list_multipart_uploads(Bucket=bucket)).get("Uploads")


@pytest.mark.parametrize("size", [100, PART + 100])
async def test_a_rendition_takes_the_place_of_the_one_before(storage: S3ObjectStorage, size: int) -> None:
    await put(storage, PLENTY[:size], RENDITION)
    await put(storage, PLENTY[-size:], RENDITION)
    assert await content(storage, RENDITION) == PLENTY[-size:]


# When something fails


@pytest.mark.parametrize("size", [0, 1, PART - 1, PART, PART + 1, 3 * PART])
async def test_nothing_is_left_of_a_source_that_breaks(
    storage: S3ObjectStorage, client: S3Client, bucket: str, size: int
) -> None:
    with pytest.raises(StreamBrokeError):
        await storage.put(ORIGINAL, breaking_after(size), content_type="image/jpeg")
    assert await is_empty(client, bucket)


async def test_a_source_that_breaks_leaves_the_rendition_that_was_there(storage: S3ObjectStorage) -> None:
    await put(storage, b"before", RENDITION)
    with pytest.raises(StreamBrokeError):
        await storage.put(RENDITION, breaking_after(PART + 1), content_type="image/webp")
    assert await content(storage, RENDITION) == b"before"


@pytest.mark.parametrize("size", [1, PART, PART + 1, 2 * PART, 3 * PART])
async def test_nothing_is_left_of_an_upload_that_is_cancelled_while_it_waits_for_its_source(
    storage: S3ObjectStorage, client: S3Client, bucket: str, size: int
) -> None:
    source = HangingSource(size)
    storing = asyncio.create_task(storage.put(ORIGINAL, source, content_type="image/jpeg"))
    await source.reached.wait()
    storing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await storing
    assert await is_empty(client, bucket)


@pytest.mark.parametrize("size", [PART - 1, 3 * PART + 1])
async def test_nothing_is_left_of_an_upload_that_is_cancelled_at_any_moment(
    storage: S3ObjectStorage, client: S3Client, bucket: str, size: int
) -> None:
    """Moments are turns of the event loop, further and further on, until an upload is done before its turn comes."""
    turns, cancelled = 1, 0
    while True:
        storing = asyncio.create_task(put(storage, PLENTY[:size]))
        for _ in range(turns):
            await asyncio.sleep(0)
        if not storing.cancel():
            break
        with pytest.raises(asyncio.CancelledError):
            await storing
        assert await is_empty(client, bucket), f"after {turns} turns"
        turns, cancelled = turns * 2, cancelled + 1
    assert cancelled > 5
    assert await storing == hashlib.sha256(PLENTY[:size]).hexdigest()


async def test_an_upload_that_is_cancelled_twice_is_tidied_up_before_the_storage_closes(
    settings: StorageSettings, client: S3Client, bucket: str
) -> None:
    async with connect_storage(settings) as storage:
        source = HangingSource(PART + 1)
        storing = asyncio.create_task(storage.put(ORIGINAL, source, content_type="image/jpeg"))
        await source.reached.wait()
        for _ in range(2):
            storing.cancel()
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await storing
    assert await is_empty(client, bucket)


async def test_a_part_that_fails_ends_the_upload_though_the_source_waits(settings: StorageSettings) -> None:
    source = HangingSource(PART)
    async with changed(settings, bucket="no-such-bucket") as storage:
        with pytest.raises(UnavailableError):
            await storage.put(ORIGINAL, source, content_type="image/jpeg")
    assert source.reached.is_set()


async def test_a_stream_of_more_parts_than_s3_takes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "MAX_PARTS", 3)
    buffers = PartBuffers(2)
    assert [part.size_bytes async for part in filled_parts(chunks_of(b"123456", 2), buffers)] == [2, 2, 2]
    with pytest.raises(FileTooLargeError):
        [part async for part in filled_parts(chunks_of(b"1234567", 2), buffers)]


# Reading


async def test_an_object_that_is_not_there_is_not_found(storage: S3ObjectStorage) -> None:
    with pytest.raises(NotFoundError):
        async with storage.open(ORIGINAL):
            pytest.fail("opened")


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (0, 0, PLENTY[:1]),
        (10, 19, PLENTY[10:20]),
        (PART - 2, PART + 2, PLENTY[PART - 2 : PART + 3]),
        (2 * PART, None, PLENTY[2 * PART : 2 * PART + 9]),
        (2 * PART, 10 * PART, PLENTY[2 * PART : 2 * PART + 9]),
    ],
)
async def test_a_range_has_the_bytes_that_were_asked_for(
    storage: S3ObjectStorage, first: int, last: int | None, expected: bytes
) -> None:
    await put(storage, PLENTY[: 2 * PART + 9])
    async with storage.open(ORIGINAL, first_byte=first, last_byte=last) as stream:
        assert b"".join([chunk async for chunk in stream.body]) == expected
        assert (stream.size_bytes, stream.total_bytes) == (len(expected), 2 * PART + 9)


async def test_a_range_beyond_the_end_is_refused(storage: S3ObjectStorage) -> None:
    await put(storage, b"12345")
    with pytest.raises(InvalidInputError):
        async with storage.open(ORIGINAL, first_byte=5):
            pytest.fail("opened")


async def test_the_etag_is_that_of_the_store_without_quotes(
    storage: S3ObjectStorage, client: S3Client, bucket: str
) -> None:
    await put(storage, b"12345")
    async with storage.open(ORIGINAL) as stream:
        assert f'"{stream.etag}"' == (await client.head_object(Bucket=bucket, Key=ORIGINAL))["ETag"]


async def test_a_body_comes_in_chunks_of_bounded_size(storage: S3ObjectStorage) -> None:
    await put(storage, PLENTY)
    async with storage.open(ORIGINAL) as stream:
        sizes = [len(chunk) async for chunk in stream.body]
    assert sum(sizes) == len(PLENTY)
    assert max(sizes) <= 128 * 1024


async def test_readers_that_leave_early_give_their_connection_back(settings: StorageSettings) -> None:
    async with changed(settings, max_connections=1) as storage, asyncio.timeout(60):
        await put(storage, PLENTY)
        for _ in range(3):
            async with storage.open(ORIGINAL) as stream:
                assert len(await anext(stream.body)) > 0
        for _ in range(3):
            with pytest.raises(StreamBrokeError):
                async with storage.open(ORIGINAL):
                    raise StreamBrokeError
        assert await content(storage) == PLENTY


# Deleting


async def test_objects_are_deleted_and_those_that_are_not_there_do_not_matter(
    storage: S3ObjectStorage, client: S3Client, bucket: str
) -> None:
    for path in (ORIGINAL, RENDITION, "images/2026/05/another.jpg"):
        await put(storage, b"bytes", path)
    await storage.delete([ORIGINAL, "images/2026/05/missing.jpg", RENDITION, ORIGINAL])
    assert await keys(client, bucket) == ["images/2026/05/another.jpg"]
    await storage.delete([ORIGINAL])
    assert await keys(client, bucket) == ["images/2026/05/another.jpg"]


async def test_more_objects_than_one_call_takes_are_deleted(
    storage: S3ObjectStorage, client: S3Client, bucket: str
) -> None:
    await put(storage, b"bytes")
    await storage.delete([*(f"images/2026/05/{number}.jpg" for number in range(1_000)), ORIGINAL])
    assert await is_empty(client, bucket)


async def test_deleting_nothing_asks_nobody(settings: StorageSettings) -> None:
    async with changed(settings, endpoint_url=HttpUrl("http://127.0.0.1:9")) as storage:
        await storage.delete([])


# When the storage is not there


@asynccontextmanager
async def silent_server() -> AsyncIterator[str]:
    """Takes connections and never answers."""

    async def ignore(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(ignore, "127.0.0.1", 0, limit=1024) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def open_it(storage: S3ObjectStorage) -> None:
    async with storage.open(ORIGINAL):
        pytest.fail("opened")


async def put_little(storage: S3ObjectStorage) -> None:
    await put(storage, b"bytes")


async def put_much(storage: S3ObjectStorage) -> None:
    await put(storage, PLENTY)


async def delete_it(storage: S3ObjectStorage) -> None:
    await storage.delete([ORIGINAL])


CALLS = [open_it, put_little, put_much, delete_it]
Call = Callable[[S3ObjectStorage], "asyncio.Future[None]"]


@pytest.mark.parametrize("call", CALLS)
async def test_every_call_to_a_store_that_is_not_there_says_unavailable(settings: StorageSettings, call: Call) -> None:
    async with changed(settings, endpoint_url=HttpUrl("http://127.0.0.1:9")) as storage:
        with pytest.raises(UnavailableError):
            await call(storage)


@pytest.mark.parametrize("call", CALLS)
async def test_every_call_to_a_store_that_stays_silent_says_unavailable(settings: StorageSettings, call: Call) -> None:
    async with silent_server() as url, changed(settings, endpoint_url=HttpUrl(url), timeout_seconds=0.3) as storage:
        with pytest.raises(UnavailableError):
            await call(storage)


async def test_a_check_passes_if_the_bucket_can_be_used(storage: S3ObjectStorage) -> None:
    await storage.ping()


async def test_a_check_names_a_bucket_that_is_missing(settings: StorageSettings) -> None:
    async with changed(settings, bucket="no-such-bucket") as storage:
        with pytest.raises(BucketMissingError, match="has no bucket “no-such-bucket”"):
            await storage.ping()


async def test_a_check_tells_that_the_keys_are_wrong(settings: StorageSettings) -> None:
    async with changed(settings, secret_access_key=SecretStr("wrong")) as storage:
        with pytest.raises(StorageRefusedError, match="Check the keys"):
            await storage.ping()


async def test_a_check_tells_where_nothing_answers(settings: StorageSettings) -> None:
    async with changed(settings, endpoint_url=HttpUrl("http://127.0.0.1:9")) as storage:
        with pytest.raises(StorageUnreachableError, match=r"Nothing answers at http://127\.0\.0\.1:9/"):
            await storage.ping()


async def test_a_check_of_a_silent_store_ends(settings: StorageSettings) -> None:
    async with silent_server() as url, changed(settings, endpoint_url=HttpUrl(url), timeout_seconds=0.3) as storage:
        with pytest.raises(StorageUnreachableError):
            await storage.ping()


async def test_without_a_bucket_there_is_no_storage() -> None:
    with pytest.raises(ValueError, match="GALLERY_STORAGE__BUCKET"):
        async with connect_storage(StorageSettings()):
            pytest.fail("connected")


# Who asks


async def test_without_keys_in_the_settings_those_of_the_environment_are_used(
    settings: StorageSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", _secret(settings.access_key_id))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", _secret(settings.secret_access_key))
    async with changed(settings, access_key_id=None, secret_access_key=None) as storage:
        await put(storage, b"bytes")
        assert await content(storage) == b"bytes"


async def test_without_any_keys_a_check_says_what_to_set(
    settings: StorageSettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _forget_credentials(monkeypatch, tmp_path)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    async with changed(settings, access_key_id=None, secret_access_key=None) as storage:
        with pytest.raises(StorageRefusedError, match="GALLERY_STORAGE__ACCESS_KEY_ID"):
            await storage.ping()


async def test_a_process_in_kubernetes_gets_its_keys_from_pod_identity(
    settings: StorageSettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As the agent of EKS does it: an address on this machine, and a token in a file."""
    asked_with: list[str | None] = []

    async def credentials(request: web.Request) -> web.Response:
        asked_with.append(request.headers.get("Authorization"))
        return web.json_response(
            {
                "AccessKeyId": _secret(settings.access_key_id),
                "SecretAccessKey": _secret(settings.secret_access_key),
                "Token": None,
                "Expiration": "2099-01-01T00:00:00Z",
            }
        )

    _forget_credentials(monkeypatch, tmp_path)
    token = tmp_path / "token"
    token.write_text("token of the pod", encoding="utf-8")
    async with http_server(credentials) as url:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{url}/v1/credentials")
        monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(token))
        async with changed(settings, access_key_id=None, secret_access_key=None) as storage:
            await storage.ping()
    assert asked_with == ["token of the pod"]


def _forget_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))


def _secret(value: SecretStr | None) -> str:
    assert value is not None
    return value.get_secret_value()
