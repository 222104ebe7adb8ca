"""The object storage: an S3-compatible bucket, read and written in streams."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Collection, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from pydantic import HttpUrl

from gallery.domain.ports import ObjectStream, StoredObject
from gallery.platform.storage.bucket import DELETE_BATCH, Bucket, NewObject
from gallery.platform.storage.cleanup import Cleanups
from gallery.platform.storage.errors import BucketMissingError, is_refusal, translated_errors
from gallery.platform.storage.inventory import S3Inventory
from gallery.platform.storage.multipart import MultipartUpload, PartSlots
from gallery.platform.storage.origins import BucketOrigins
from gallery.platform.storage.parts import Digests, Part, PartBuffers, filled_parts
from gallery.platform.storage.staging import S3StagingStorage
from gallery.settings import StorageSettings

if TYPE_CHECKING:
    from aiobotocore.response import StreamingBody
    from types_aiobotocore_s3.client import S3Client

_ATTEMPTS = 3
_CONNECT_TIMEOUT_SECONDS = 5.0
_CLEANUP_TIMEOUT_SECONDS = 10.0
_READ_BYTES = 128 * 1024
_ALL_PARTS_IN_FLIGHT = 6
"""Of all uploads together: many large ones at once are no faster with more, and each part takes its size in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Storages:
    """What can be done with one bucket, by kind. All of it shares a client and its connections."""

    objects: S3ObjectStorage
    staging: S3StagingStorage
    inventory: S3Inventory
    origins: BucketOrigins


@asynccontextmanager
async def connect_storage(settings: StorageSettings) -> AsyncIterator[S3ObjectStorage]:
    """The objects of `connect_storages`, for those who need no more.

    Raises:
        ValueError: as `connect_storages`.
    """
    async with connect_storages(settings) as storages:
        yield storages.objects


@asynccontextmanager
async def connect_storages(settings: StorageSettings, *, page_size: int | None = None) -> AsyncIterator[Storages]:
    """The storage of these settings, for all of the process. Nothing is sent before it is used.

    `page_size` is how many entries one call lists, by default as many as the store likes.

    Raises:
        ValueError: if no bucket is set.
    """
    if (bucket := settings.bucket) is None:
        message = "the storage needs a bucket: set GALLERY_STORAGE__BUCKET"
        raise ValueError(message)
    silence_seconds = settings.timeout_seconds
    async with AsyncExitStack() as clients:
        client = signer = await clients.enter_async_context(_client(settings, settings.endpoint_url))
        if settings.public_endpoint_url is not None:
            signer = await clients.enter_async_context(_client(settings, settings.public_endpoint_url))
        objects = S3ObjectStorage(
            Bucket(client, bucket, silence_seconds=silence_seconds),
            part_size_bytes=settings.part_size_bytes,
            parts_in_flight=settings.parts_in_flight,
        )
        clients.push_async_callback(objects.settle)
        yield Storages(
            objects=objects,
            staging=S3StagingStorage(client, signer, bucket, silence_seconds=silence_seconds, page_size=page_size),
            inventory=S3Inventory(client, bucket, silence_seconds=silence_seconds, page_size=page_size),
            origins=BucketOrigins(client, bucket, silence_seconds=silence_seconds),
        )


def _client(settings: StorageSettings, endpoint_url: HttpUrl | None) -> AbstractAsyncContextManager[S3Client]:
    keys = settings.access_key_id, settings.secret_access_key
    access_key_id, secret_access_key = (key.get_secret_value() if key else None for key in keys)
    creating: AbstractAsyncContextManager[S3Client] = get_session().create_client(
        "s3",
        endpoint_url=str(endpoint_url) if endpoint_url else None,
        region_name=settings.region,
        aws_access_key_id=access_key_id,
        aws_secret_access_key=secret_access_key,
        config=_client_config(settings),
    )
    return creating


class S3ObjectStorage:
    """Objects in a bucket.

    An original is written once: if its name is taken, `put` raises ConflictError, where the store can tell
    (`If-None-Match`). A rendition takes the place of the one that was there, since the job that makes it may be
    repeated; whichever is there is whole.
    """

    def __init__(self, bucket: Bucket, *, part_size_bytes: int, parts_in_flight: int) -> None:
        self._bucket = bucket
        self._buffers = PartBuffers(part_size_bytes, spare=parts_in_flight)
        self._parts_in_flight = parts_in_flight
        self._room = PartSlots(max(parts_in_flight, _ALL_PARTS_IN_FLIGHT))
        self._cleanups = Cleanups(timeout_seconds=_CLEANUP_TIMEOUT_SECONDS)

    @property
    def parts_in_flight(self) -> int:
        """How many parts of all uploads are being sent."""
        return self._room.taken

    async def ping(self) -> None:
        """Passes if the bucket is there and may be used.

        Raises:
            UnavailableError: with a sentence that says what is wrong: nobody answers, no such bucket, wrong region,
                or no access.
        """
        await self._bucket.check()

    async def create_bucket(self) -> None:
        """Creates the bucket if it does not exist, and makes sure that it may be used.

        Raises:
            UnavailableError: as `ping`.
        """
        try:
            await self._bucket.check()
        except BucketMissingError:
            await self._bucket.create()
            await self._bucket.check()

    async def put(self, storage_path: str, chunks: AsyncIterable[bytes], *, content_type: str) -> StoredObject:
        """Stores what the chunks give, holding at most `parts_in_flight + 1` parts and a chunk of it in memory.

        The next chunk is taken once there is room for it. If the chunks raise, or the caller is cancelled, nothing
        is left behind and the error goes on; of a rendition, the one that was there before may stay.

        Raises:
            UnavailableError: if the storage does not answer. Nothing is left behind unless it stays silent.
            ConflictError: if the path is one that is written once, and an object is there.
            FileTooLargeError: for more than 10,000 parts.
        """
        new = NewObject(path=storage_path, content_type=content_type)
        digests = Digests()
        with self._buffers.in_use():
            async with aclosing(filled_parts(chunks, self._buffers)) as parts:
                first = await anext(parts)
                if first.is_full:
                    await self._put_in_parts(new, _preceded(first, parts), digests)
                else:
                    crc32 = await digests.add(first)
                    await self._decide(new, self._bucket.put_object(new, first, crc32))
                    first.sent()
        return StoredObject(storage_path=storage_path, size_bytes=digests.size_bytes, checksum=digests.sha256())

    def open(
        self, storage_path: str, *, first_byte: int = 0, last_byte: int | None = None
    ) -> AbstractAsyncContextManager[ObjectStream]:
        """Reads an object, or the bytes from `first_byte` to `last_byte` inclusive, in chunks of up to 128 KiB.

        Leaving before the end closes the connection.

        Raises:
            NotFoundError: if there is no such object.
            InvalidInputError: if it ends before `first_byte`.
            UnavailableError: if the storage does not answer, also later, from the body.
        """
        return self._open(storage_path, first_byte, last_byte)

    async def delete(self, storage_paths: Collection[str]) -> None:
        """Removes objects; those that are not there do not matter.

        Raises:
            UnavailableError: if the storage does not answer, or keeps any of them; doing it again is safe.
        """
        paths = iter(dict.fromkeys(storage_paths))
        while batch := list(islice(paths, DELETE_BATCH)):
            await self._bucket.delete_objects(batch)

    async def settle(self) -> None:
        """Waits for what is still being tidied up after uploads that were cancelled."""
        await self._cleanups.settle()

    async def _put_in_parts(self, new: NewObject, parts: AsyncIterator[Part], digests: Digests) -> None:
        upload = MultipartUpload(self._bucket, new, digests, parts_in_flight=self._parts_in_flight, room=self._room)
        try:
            await upload.send(parts)
            await self._decide(new, upload.complete())
        except BaseException:
            await self._cleanups.run(f"multipart upload of {new.path}", upload.abort())
            raise

    async def _decide(self, new: NewObject, storing: Coroutine[object, object, None]) -> None:
        """Makes the call after which the object is there.

        It is never cut off: whether a call that was cut off had its effect cannot be told until much later.
        """
        task = asyncio.create_task(storing)
        try:
            await asyncio.shield(task)
        except BaseException as error:
            if not is_refusal(error):
                await self._cleanups.run(f"object {new.path}", self._undo(new, task))
            raise

    async def _undo(self, new: NewObject, storing: asyncio.Task[None]) -> None:
        """Removes an object that was or may have been stored, and no other of its name."""
        try:
            await asyncio.wait([storing])
        finally:
            storing.cancel()
        # A rendition stays: its job is repeated, or another one has put it there again and recorded it.
        if new.written_once and await self._bucket.holds(new):
            await self._bucket.delete_objects([new.path])

    @asynccontextmanager
    async def _open(self, storage_path: str, first_byte: int, last_byte: int | None) -> AsyncIterator[ObjectStream]:
        answer = await self._bucket.get_object(storage_path, first_byte, last_byte)
        async with answer["Body"] as body:
            size_bytes = answer["ContentLength"]
            yield ObjectStream(
                size_bytes=size_bytes,
                total_bytes=int(answer.get("ContentRange", f"/{size_bytes}").rpartition("/")[2]),
                content_type=answer["ContentType"],
                etag=answer["ETag"].strip('"'),
                body=_chunks(body),
            )


def _client_config(settings: StorageSettings) -> AioConfig:
    return AioConfig(
        signature_version="s3v4",
        connect_timeout=min(_CONNECT_TIMEOUT_SECONDS, settings.timeout_seconds),
        read_timeout=settings.timeout_seconds,
        max_pool_connections=settings.max_connections,
        retries={"total_max_attempts": _ATTEMPTS, "mode": "standard"},
        request_checksum_calculation="when_required",  # what can have one gets it here; see S3StagingStorage.begin
        s3={
            "addressing_style": settings.addressing_style.value,
            "payload_signing_enabled": False,  # a second SHA-256 of every part; CRC-32 guards them instead
        },
    )


async def _preceded(first: Part, rest: AsyncIterator[Part]) -> AsyncIterator[Part]:
    yield first
    async for part in rest:
        yield part


async def _chunks(body: StreamingBody) -> AsyncIterator[bytes]:
    while True:
        with translated_errors():
            chunk = await body.read(_READ_BYTES)
        if not chunk:
            return
        yield chunk
