"""An object storage in memory, and names for objects."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from gallery.domain.errors import NotFoundError, UnavailableError
from gallery.domain.ids import ImageId
from gallery.domain.images import ContentType, RenditionSize
from gallery.domain.ports import ObjectStream, StoredObject
from tests.fakes.database import holds_transaction

_SERVICE = "storage"


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryObject:
    content: bytes
    content_type: str


class MemoryObjectStorage:
    """Objects by path. Refuses to work for a task that holds a transaction open."""

    def __init__(self) -> None:
        self.objects: dict[str, MemoryObject] = {}
        self.puts = 0
        """How many objects were stored, whether or not they are still there."""
        self.broken: set[str] = set()
        """The methods that do not answer."""

    async def put(self, storage_path: str, chunks: AsyncIterable[bytes], *, content_type: str) -> StoredObject:
        self._check("put")
        content = b"".join([chunk async for chunk in chunks])
        self._check("put")
        self.objects[storage_path] = MemoryObject(content=content, content_type=content_type)
        self.puts += 1
        return StoredObject(storage_path=storage_path, size_bytes=len(content), checksum=sha256(content).hexdigest())

    def open(
        self, storage_path: str, *, first_byte: int = 0, last_byte: int | None = None
    ) -> AbstractAsyncContextManager[ObjectStream]:
        return self._open(storage_path, first_byte, last_byte)

    async def delete(self, storage_paths: Collection[str]) -> None:
        self._check("delete")
        for path in storage_paths:
            self.objects.pop(path, None)

    @asynccontextmanager
    async def _open(self, storage_path: str, first_byte: int, last_byte: int | None) -> AsyncIterator[ObjectStream]:
        self._check("open")
        stored = self.objects.get(storage_path)
        if stored is None:
            message = "There is no such object."
            raise NotFoundError(message)
        content = stored.content[first_byte : None if last_byte is None else last_byte + 1]
        yield ObjectStream(
            size_bytes=len(content),
            total_bytes=len(stored.content),
            content_type=stored.content_type,
            etag=sha256(stored.content).hexdigest(),
            body=_one_chunk(content),
        )

    def _check(self, method: str) -> None:
        assert not holds_transaction(), "no network call belongs inside a transaction"
        if method in self.broken:
            raise UnavailableError(_SERVICE)


class MemoryStoragePaths:
    def original(self, image_id: ImageId, content_type: ContentType, uploaded_at: datetime) -> str:
        return f"images/{uploaded_at:%Y/%m}/{image_id}.{content_type.extension}"

    def rendition(self, image_id: ImageId, size: RenditionSize) -> str:
        return f"thumbnails/{size}/{image_id}.webp"


async def _one_chunk(content: bytes) -> AsyncIterator[bytes]:
    yield content
