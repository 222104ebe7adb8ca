"""An object storage in memory, with uploads that clients feed and with listings; and names for objects."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from gallery.domain.errors import ErrorCode, InvalidInputError, NotFoundError, UnavailableError
from gallery.domain.ids import ImageId
from gallery.domain.images import ContentType, RenditionSize
from gallery.domain.ports import Clock, ObjectStream, StoredObject
from gallery.domain.upload_ports import ListedObject, OpenMultipartUpload, StoredPart
from tests.entities import NOON
from tests.fakes.clock import StandingClock
from tests.fakes.database import holds_transaction

_SERVICE = "storage"


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryObject:
    content: bytes
    content_type: str
    modified_at: datetime = field(default=NOON, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryMultipartUpload:
    storage_path: str
    content_type: str
    begun_at: datetime
    parts: dict[int, bytes] = field(default_factory=dict)


class MemoryObjectStorage:
    """Objects by path. Refuses to work for a task that holds a transaction open."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or StandingClock(NOON)
        self._begun = 0
        self.objects: dict[str, MemoryObject] = {}
        self.multipart_uploads: dict[str, MemoryMultipartUpload] = {}
        """Those under way, by their ids."""
        self.puts = 0
        """How many objects were stored, whether or not they are still there."""
        self.broken: set[str] = set()
        """The methods that do not answer."""
        self.on_open: Callable[[str], object] = lambda _path: None
        """Told of the path of every object that is opened."""
        self.on_parts: Callable[[], object] = lambda: None
        """Told when parts have been listed."""

    async def put(self, storage_path: str, chunks: AsyncIterable[bytes], *, content_type: str) -> StoredObject:
        self.check("put")
        content = b"".join([chunk async for chunk in chunks])
        self.check("put")
        self._store(storage_path, content, content_type)
        return StoredObject(storage_path=storage_path, size_bytes=len(content), checksum=sha256(content).hexdigest())

    def open(
        self, storage_path: str, *, first_byte: int = 0, last_byte: int | None = None
    ) -> AbstractAsyncContextManager[ObjectStream]:
        return self._open(storage_path, first_byte, last_byte)

    async def delete(self, storage_paths: Collection[str]) -> None:
        self.check("delete")
        for path in storage_paths:
            self.objects.pop(path, None)

    async def begin(self, storage_path: str, *, content_type: str) -> str:
        self.check("begin")
        self._begun += 1
        multipart_id = f"multipart-{self._begun}"
        self.multipart_uploads[multipart_id] = MemoryMultipartUpload(
            storage_path=storage_path, content_type=content_type, begun_at=self._clock()
        )
        return multipart_id

    async def part_url(
        self, storage_path: str, multipart_id: str, number: int, *, size_bytes: int, expires_in_seconds: int
    ) -> str:
        self.check("part_url")
        return (
            f"memory:{storage_path}?upload={multipart_id}&part={number}&size={size_bytes}&expires={expires_in_seconds}"
        )

    async def parts(self, storage_path: str, multipart_id: str) -> tuple[StoredPart, ...]:
        self.check("parts")
        parts = sorted(self._under_way(storage_path, multipart_id).parts.items())
        self.on_parts()
        return tuple(StoredPart(number=number, size_bytes=len(part), etag=_etag(part)) for number, part in parts)

    async def finish(self, storage_path: str, multipart_id: str, parts: Sequence[StoredPart]) -> None:
        self.check("finish")
        if multipart_id not in self.multipart_uploads and self._holds(storage_path, parts):
            return
        upload = self._under_way(storage_path, multipart_id)
        if not parts or any(_etag(upload.parts.get(part.number, b"")) != part.etag for part in parts):
            message = "The storage does not have all parts as they are listed."
            raise InvalidInputError(ErrorCode.UPLOAD_INCOMPLETE, message)
        in_order = sorted(parts, key=lambda part: part.number)
        self._store(storage_path, b"".join(upload.parts[part.number] for part in in_order), upload.content_type)
        del self.multipart_uploads[multipart_id]

    async def abort(self, storage_path: str, multipart_id: str) -> None:
        self.check("abort")
        self.multipart_uploads.pop(multipart_id, None)

    def client_puts(self, multipart_id: str, number: int, part: bytes) -> None:
        """What a client does with the URL of a part."""
        self.multipart_uploads[multipart_id].parts[number] = part

    @asynccontextmanager
    async def _open(self, storage_path: str, first_byte: int, last_byte: int | None) -> AsyncIterator[ObjectStream]:
        self.check("open")
        self.on_open(storage_path)
        stored = self.objects.get(storage_path)
        if stored is None:
            message = "There is no such object."
            raise NotFoundError(message)
        content = stored.content[first_byte : None if last_byte is None else last_byte + 1]
        yield ObjectStream(
            size_bytes=len(content),
            total_bytes=len(stored.content),
            content_type=stored.content_type,
            etag=_etag(stored.content),
            body=_one_chunk(content),
        )

    def _holds(self, storage_path: str, parts: Sequence[StoredPart]) -> bool:
        stored = self.objects.get(storage_path)
        return stored is not None and len(stored.content) == sum(part.size_bytes for part in parts)

    def _store(self, storage_path: str, content: bytes, content_type: str) -> None:
        self.objects[storage_path] = MemoryObject(content=content, content_type=content_type, modified_at=self._clock())
        self.puts += 1

    def _under_way(self, storage_path: str, multipart_id: str) -> MemoryMultipartUpload:
        upload = self.multipart_uploads.get(multipart_id)
        if upload is None or upload.storage_path != storage_path:
            message = "There is no such multipart upload."
            raise NotFoundError(message)
        return upload

    def check(self, method: str) -> None:
        """Passes if the method answers."""
        assert not holds_transaction(), "no network call belongs inside a transaction"
        if method in self.broken:
            raise UnavailableError(_SERVICE)


class MemoryStorageInventory:
    """What an object storage holds; `broken` of the storage may name its methods too."""

    def __init__(self, storage: MemoryObjectStorage) -> None:
        self._storage = storage

    async def objects(self) -> AsyncIterator[ListedObject]:
        self._storage.check("objects")
        for path, stored in sorted(self._storage.objects.items()):
            yield ListedObject(storage_path=path, size_bytes=len(stored.content), modified_at=stored.modified_at)

    async def open_uploads(self) -> AsyncIterator[OpenMultipartUpload]:
        self._storage.check("open_uploads")
        for multipart_id, upload in list(self._storage.multipart_uploads.items()):
            yield OpenMultipartUpload(
                storage_path=upload.storage_path, multipart_id=multipart_id, begun_at=upload.begun_at
            )


class MemoryStoragePaths:
    def original(self, image_id: ImageId, content_type: ContentType, uploaded_at: datetime) -> str:
        return f"images/{uploaded_at:%Y/%m}/{image_id}.{content_type.extension}"

    def rendition(self, image_id: ImageId, size: RenditionSize) -> str:
        return f"thumbnails/{size}/{image_id}.webp"

    def image_id(self, storage_path: str) -> ImageId | None:
        try:
            return ImageId(UUID(storage_path.rpartition("/")[2].partition(".")[0]))
        except ValueError:
            return None


def _etag(content: bytes) -> str:
    return sha256(content).hexdigest()


async def _one_chunk(content: bytes) -> AsyncIterator[bytes]:
    yield content
