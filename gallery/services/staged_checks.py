"""Reads a staged file back and lets it pass what a streamed one passes on its way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from gallery.domain.errors import FileMismatchError, NotFoundError, RefusedFileError
from gallery.domain.images import ImageInfo
from gallery.domain.ports import ImageInspector, ObjectStorage, StoredObject
from gallery.domain.upload_ports import ImageVerifier
from gallery.domain.uploads import Announcement
from gallery.services.hashing import Tally
from gallery.services.incoming import Checks, identified


class StagedFileCheck:
    """Decides whether what a client has sent to the storage is what it announced, and an image.

    At most `parallel` files are checked at once. The others wait without a connection to the storage.
    """

    def __init__(
        self,
        *,
        storage: ObjectStorage,
        inspector: ImageInspector,
        verifier: ImageVerifier,
        head_bytes: int,
        parallel: int = 2,
    ) -> None:
        self._storage = storage
        self._inspector = inspector
        self._verifier = verifier
        self._head_bytes = head_bytes
        self._free = asyncio.Semaphore(parallel)

    async def check(self, storage_path: str, announced: Announcement) -> tuple[ImageInfo, StoredObject]:
        """What the file is. That it is another one goes before that it is damaged.

        Raises:
            NotFoundError: if there is no such object: its parts are gone.
            FileMismatchError: if size, type or checksum are others than those announced.
            RefusedFileError: if it cannot become an image.
            UnavailableError: if the storage does not answer.
        """
        async with self._free:
            info, checks, tally = await self._read(storage_path, announced)
            with _told_as_gone():
                await checks.look_again(self._storage, storage_path)
        return info, StoredObject(storage_path=storage_path, size_bytes=tally.size_bytes, checksum=tally.checksum)

    async def _read(self, storage_path: str, announced: Announcement) -> tuple[ImageInfo, Checks, Tally]:
        """Reads the file once, to its end."""
        tally = Tally()
        with _told_as_gone():
            async with self._storage.open(storage_path) as stored:
                _compare("size", f"{announced.file_size_bytes:,} bytes", f"{stored.total_bytes:,} bytes")
                chunks = tally.counted(stored.body)
                try:
                    found = await identified(chunks, self._inspector, self._head_bytes)
                finally:
                    if tally.size_bytes == stored.total_bytes:
                        _compare_checksum(announced, tally)
                _compare("type", announced.content_type, found.info.content_type)
                checks = Checks(found.info, self._inspector, self._verifier)
                refusal = await _refusal(checks.followed(found.head, chunks))
        _compare_checksum(announced, tally)
        if refusal is not None:
            raise refusal
        return found.info, checks, tally


@contextmanager
def _told_as_gone() -> Iterator[None]:
    try:
        yield
    except NotFoundError as error:
        message = "What had arrived of the file is gone from the storage. Begin a new upload."
        raise NotFoundError(message, field=("id",)) from error


async def _refusal(chunks: AsyncIterator[bytes]) -> RefusedFileError | None:
    """Why the file is refused at its end, if it is."""
    try:
        async for _ in chunks:
            pass
    except RefusedFileError as error:
        return error
    return None


def _compare_checksum(announced: Announcement, tally: Tally) -> None:
    _compare("SHA-256", announced.checksum or tally.checksum, tally.checksum)


def _compare(what: str, announced: str, arrived: str) -> None:
    if announced != arrived:
        raise FileMismatchError(what, announced, arrived)
