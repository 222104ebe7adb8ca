"""Uploads that nobody will finish: found by the sweep, and ended with everything that has arrived of them."""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import datetime

from gallery.domain.errors import GalleryError
from gallery.domain.jobs import DeleteObjects
from gallery.domain.ports import Clock, StoragePaths, UnitOfWorkFactory
from gallery.domain.upload_ports import NamedObjects, OpenMultipartUpload, StagingStorage, StorageInventory
from gallery.domain.uploads import Transport, Upload, UploadState
from gallery.services.batches import batches
from gallery.services.clock import utc_now
from gallery.services.storage_report import FindingKind, Findings

_BATCH = 500
_KEYS_BATCH = 5_000

log = logging.getLogger(__name__)


class AbandonedUploads:
    """Intents without a sign of life, staged uploads that have expired, and multipart uploads without either."""

    def __init__(
        self,
        *,
        unit_of_work: UnitOfWorkFactory,
        staging: StagingStorage,
        inventory: StorageInventory,
        named_objects: NamedObjects,
        paths: StoragePaths,
        clock: Clock = utc_now,
    ) -> None:
        self._unit_of_work = unit_of_work
        self._staging = staging
        self._inventory = inventory
        self._named_objects = named_objects
        self._paths = paths
        self._clock = clock

    async def find(self, before: datetime, findings: Findings) -> None:
        """Adds what has not moved since a time, of uploads the oldest 500; changes nothing."""
        async with self._unit_of_work() as work:
            stale = await work.uploads.stale(untouched_since=before, now=self._clock(), limit=_BATCH)
        _add(findings, stale)
        await self._multipart_uploads(before, findings, end=False)

    async def end(self, before: datetime, findings: Findings, *, with_unnamed: bool) -> None:
        """Adds what has not moved since a time, and ends it. Removes expired idempotency keys too.

        Multipart uploads that no row names are only added unless asked for: they may be those of another gallery.
        """
        while stale := await self._end_some(before):
            _add(findings, stale)
        await self._multipart_uploads(before, findings, end=with_unnamed)
        await self._forget_expired_keys()

    async def _forget_expired_keys(self) -> None:
        """Some at a time: a statement that removed a day's keys could take longer than statements may."""
        deleted = _KEYS_BATCH
        while deleted == _KEYS_BATCH:
            async with self._unit_of_work() as work:
                deleted = await work.claims.delete_expired(self._clock(), limit=_KEYS_BATCH)
                await work.commit()

    async def _end_some(self, before: datetime) -> tuple[Upload, ...]:
        """Removes rows, and with the same commit asks for their objects to be removed.

        From then on nobody can make an image of them: recording needs the row.
        """
        async with self._unit_of_work() as work:
            stale = await work.uploads.stale(untouched_since=before, now=self._clock(), limit=_BATCH)
            await work.uploads.delete([upload.id for upload in stale])
            if unfinished := [upload.storage_path for upload in stale if upload.state is UploadState.OPEN]:
                await work.jobs.enqueue(DeleteObjects(tuple(unfinished)))
            await work.commit()
        return stale

    async def _multipart_uploads(self, before: datetime, findings: Findings, *, end: bool) -> None:
        async for batch in batches(self._inventory.open_uploads(), _BATCH):
            old = [upload for upload in batch if upload.begun_at <= before]
            live = await self._with_intent({upload.storage_path for upload in old})
            for upload in old:
                if upload.storage_path in live:
                    continue
                findings.add(FindingKind.MULTIPART_UPLOAD_WITHOUT_INTENT, upload.storage_path, upload.begun_at)
                if end:
                    await self._abort(upload)

    async def _with_intent(self, storage_paths: Collection[str]) -> set[str]:
        """The paths that uploads under way name. Those that images name are out: originals are written once."""
        named = await self._named_objects.named(storage_paths)
        by_image = {id_: path for path in named if (id_ := self._paths.image_id(path)) is not None}
        async with self._unit_of_work() as work:
            images = await work.images.get_many(by_image)
        return named - {by_image[image_id] for image_id in images}

    async def _abort(self, upload: OpenMultipartUpload) -> None:
        try:
            await self._staging.abort(upload.storage_path, upload.multipart_id)
        except GalleryError as error:
            log.warning("parts without an upload could not be thrown away: %s: %s", upload.storage_path, error)


def _add(findings: Findings, stale: Collection[Upload]) -> None:
    """Uploads that became images are no findings: their rows have only served their time."""
    for upload in stale:
        if upload.state is UploadState.OPEN:
            streamed = upload.transport is Transport.STREAMED
            kind = FindingKind.STUCK_UPLOAD if streamed else FindingKind.EXPIRED_UPLOAD
            findings.add(kind, upload.storage_path, upload.touched_at)
