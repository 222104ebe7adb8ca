"""Uploads under way in memory: the repository of a unit of work."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from gallery.domain.errors import NotFoundError
from gallery.domain.ids import UploadId, UserId
from gallery.domain.ports import UnitOfWorkFactory
from gallery.domain.uploads import OpenUploads, Transport, Upload, UploadState
from tests.fakes.database import Tables, Transaction


class MemoryIntentStore:
    """Its transaction may fail as any other."""

    def __init__(self, unit_of_work: UnitOfWorkFactory) -> None:
        self._unit_of_work = unit_of_work

    async def add(self, upload: Upload) -> None:
        async with self._unit_of_work() as work:
            await work.uploads.add(upload)
            await work.commit(durable=False)


class MemoryUploadRepository:
    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def get(self, owner: UserId, upload_id: UploadId) -> Upload:
        self._check_owned(owner, upload_id)
        await self._transaction.lock(upload_id)
        return self._check_owned(owner, upload_id)

    async def find(self, owner: UserId, upload_id: UploadId) -> Upload | None:
        upload = self._transaction.tables.uploads.get(upload_id)
        return None if upload is None or upload.owner != owner else upload

    async def open_of(self, owner: UserId) -> OpenUploads:
        await self._transaction.lock(("open uploads", owner))
        sizes = [
            upload.announced.file_size_bytes
            for upload in self._transaction.tables.uploads.values()
            if upload.owner == owner and upload.state is UploadState.OPEN and upload.announced is not None
        ]
        return OpenUploads(count=len(sizes), size_bytes=sum(sizes))

    async def add(self, upload: Upload) -> None:
        self._transaction.change(lambda tables: tables.uploads.update({upload.id: upload}))

    async def save(self, upload: Upload) -> None:
        await self._transaction.lock(upload.id)
        if upload.id not in self._transaction.tables.uploads:
            raise _missing()
        self._transaction.change(lambda tables: tables.uploads.update({upload.id: upload}))

    async def take(self, owner: UserId, upload_id: UploadId) -> Upload:
        upload = await self.get(owner, upload_id)
        await self.delete([upload_id])
        return upload

    async def delete(self, upload_ids: Collection[UploadId]) -> None:
        for upload_id in sorted(set(upload_ids)):
            await self._transaction.lock(upload_id)

        def change(tables: Tables) -> None:
            for upload_id in upload_ids:
                tables.uploads.pop(upload_id, None)

        self._transaction.change(change)

    async def touch(self, upload_ids: Collection[UploadId], now: datetime) -> None:
        free = [upload_id for upload_id in sorted(set(upload_ids)) if self._transaction.is_free(upload_id)]
        for upload_id in free:
            await self._transaction.lock(upload_id)

        def change(tables: Tables) -> None:
            for upload_id in free:
                if upload_id in tables.uploads:
                    tables.uploads[upload_id] = replace(tables.uploads[upload_id], touched_at=now)

        self._transaction.change(change)

    async def stale(self, *, untouched_since: datetime, now: datetime, limit: int) -> tuple[Upload, ...]:
        found = [
            upload
            for upload in self._transaction.tables.uploads.values()
            if _is_stale(upload, untouched_since, now) and self._transaction.is_free(upload.id)
        ]
        oldest = sorted(found, key=lambda upload: (upload.created_at, upload.id))[:limit]
        for upload in oldest:
            await self._transaction.lock(upload.id)
        return tuple(oldest)

    def _check_owned(self, owner: UserId, upload_id: UploadId) -> Upload:
        upload = self._transaction.tables.uploads.get(upload_id)
        if upload is None or upload.owner != owner:
            raise _missing()
        return upload


def _is_stale(upload: Upload, untouched_since: datetime, now: datetime) -> bool:
    if upload.transport is Transport.STREAMED:
        return upload.state is UploadState.OPEN and upload.touched_at < untouched_since
    return upload.expires_at is not None and upload.expires_at <= now


def _missing() -> NotFoundError:
    return NotFoundError("There is no such upload.")
