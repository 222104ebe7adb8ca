"""Uploads past the server: a client sends the parts of a file to the storage itself, and then says that it is done.

What arrived is read back once and passes what a streamed file passes. Until it is an image, nothing but the row of the
upload names it; the row is stored first and goes last, so whatever is cut off is found again.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace

from gallery.domain.access import Right, Viewer, require
from gallery.domain.errors import (
    ConflictError,
    ErrorCode,
    GalleryError,
    NotFoundError,
)
from gallery.domain.idempotency import Claim, Snapshot
from gallery.domain.ids import UploadId, new_image_id, new_upload_id
from gallery.domain.jobs import DeleteObjects
from gallery.domain.ports import Clock, StoragePaths, UnitOfWorkFactory
from gallery.domain.upload_ports import StagingStorage, StoredPart, UploadProgress
from gallery.domain.uploads import Announcement, Draft, Transport, Upload, UploadState
from gallery.services.bulk import distinct
from gallery.services.clock import utc_now
from gallery.services.drafts import check_album, clean_draft
from gallery.services.finishing import Finishing
from gallery.services.idempotency import complete_change
from gallery.services.recording import UploadResult
from gallery.services.staged_completion import StagedCompletion
from gallery.services.staged_progress import StagedProgress
from gallery.services.staging import PartUrl, StagedUpload, StagingLimits, clean_announcement

log = logging.getLogger(__name__)


class StagedUploadService:
    """Takes in files that clients send to the storage."""

    def __init__(
        self,
        *,
        unit_of_work: UnitOfWorkFactory,
        staging: StagingStorage,
        paths: StoragePaths,
        completion: StagedCompletion,
        limits: StagingLimits,
        clock: Clock = utc_now,
    ) -> None:
        self._unit_of_work = unit_of_work
        self._staging = staging
        self._paths = paths
        self._completion = completion
        self._limits = limits
        self._clock = clock
        self._finishing = Finishing()
        self._progress = StagedProgress(self.find)

    async def create(self, viewer: Viewer, announced: Announcement, draft: Draft, claim: Claim | None = None) -> Upload:
        """Begins an upload. A claim is completed with it.

        Raises:
            InvalidInputError: if a value breaks its rule, or the file is empty or too large.
            NotFoundError: if there is no such album.
            ConflictError: TOO_MANY_UPLOADS if the viewer has too much open; VERSION_CONFLICT if another request has
                taken over the claim.
            UnavailableError: if the storage or the database does not answer.
        """
        require(viewer, Right.CONTRIBUTE)
        announced = clean_announcement(announced, self._limits)
        draft = clean_draft(draft)
        await check_album(self._unit_of_work, viewer, draft)
        now = self._clock()
        image_id = new_image_id()
        upload = Upload(
            id=new_upload_id(),
            owner=viewer.id,
            transport=Transport.STAGED,
            image_id=image_id,
            storage_path=self._paths.original(image_id, announced.content_type, now),
            draft=draft,
            announced=announced,
            part_size_bytes=self._limits.part_size_for(announced.file_size_bytes),
            created_at=now,
            touched_at=now,
            expires_at=now + self._limits.ttl,
        )
        return await self._finishing.run(self._begin(upload, announced, claim))

    async def find(self, viewer: Viewer, upload_id: UploadId) -> tuple[Upload, tuple[StoredPart, ...]]:
        """An upload of the viewer, and the parts that have arrived; none once it is complete or refused.

        Raises:
            NotFoundError: if there is none, or it has expired.
            UnavailableError: if the storage or the database does not answer.
        """
        require(viewer, Right.CONTRIBUTE)
        staged = await self._get(viewer, upload_id)
        if staged.upload.state is not UploadState.OPEN:
            return staged.upload, ()
        try:
            return staged.upload, await self._staging.parts(staged.upload.storage_path, staged.multipart_id)
        except NotFoundError:  # it is being completed at this moment
            return staged.upload, ()

    async def watch(self, viewer: Viewer, upload_id: UploadId) -> AsyncGenerator[UploadProgress]:
        """How far an upload of the viewer is: at once, and after every change until it is over.

        Raises:
            NotFoundError: if there is no such upload, or it has expired.
            UnavailableError: if the database does not answer; iterating too, and if the storage does not.
        """
        require(viewer, Right.CONTRIBUTE)
        await self._get(viewer, upload_id)
        return self._progress.watch(viewer, upload_id)

    async def part_urls(self, viewer: Viewer, upload_id: UploadId, numbers: Sequence[int]) -> tuple[PartUrl, ...]:
        """Where to PUT parts, each once, in the order of the numbers. Sending a part again replaces it.

        Raises:
            InvalidInputError: if there are no such parts, or more than 100 are asked for.
            NotFoundError: if there is no such upload, or it has expired.
            ConflictError: VERSION_CONFLICT if it is complete or refused.
        """
        require(viewer, Right.CONTRIBUTE)
        wanted = distinct(numbers, field=("numbers",))
        staged = await self._get(viewer, upload_id)
        _check_open(staged.upload)
        staged.check_numbers(numbers)
        expires_at = self._clock() + self._limits.url_ttl
        return tuple(
            [
                PartUrl(
                    number=number,
                    url=await self._staging.part_url(
                        staged.upload.storage_path,
                        staged.multipart_id,
                        number,
                        size_bytes=staged.size_of(number),
                        expires_in_seconds=int(self._limits.url_ttl.total_seconds()),
                    ),
                    first_byte=staged.first_byte_of(number),
                    size_bytes=staged.size_of(number),
                    expires_at=expires_at,
                )
                for number in wanted
            ]
        )

    async def complete(self, viewer: Viewer, upload_id: UploadId) -> UploadResult:
        """Makes an image of the parts. Asked again, or by several at once, it gives the same answer.

        A refused file is removed; that and why it was refused is the answer until the upload expires. After any other
        failure the upload stays and may be completed again.

        Raises:
            NotFoundError: if there is no such upload, or it has expired, or its image was deleted since.
            IncompleteUploadError: if parts are missing or not of their size.
            RefusedUploadError: if the file is not the one that was announced, or cannot become an image, or its album
                is gone, or the viewer has these bytes and wanted to be told.
            UnavailableError: if the storage or the database does not answer.
        """
        require(viewer, Right.CONTRIBUTE)
        return await self._completion.complete(viewer, upload_id)

    async def abort(self, viewer: Viewer, upload_id: UploadId, claim: Claim | None = None) -> None:
        """Gives an upload up and removes what has arrived of it. A claim is completed with it.

        Raises:
            NotFoundError: if there is no such upload, or it has expired.
            ConflictError: VERSION_CONFLICT if it is complete or refused, or another request has taken over the claim.
        """
        require(viewer, Right.CONTRIBUTE)
        async with self._unit_of_work() as work:
            staged = StagedUpload.living(await work.uploads.get(viewer.id, upload_id), self._clock())
            _check_open(staged.upload)
            await work.uploads.delete([upload_id])
            await work.jobs.enqueue(DeleteObjects((staged.upload.storage_path,)))
            await complete_change(work, claim, Snapshot())
            await work.commit()
        try:
            await self._staging.abort(staged.upload.storage_path, staged.multipart_id)
        except GalleryError:
            log.warning("parts of an aborted upload are left behind: %s", staged.upload.storage_path)

    async def settle(self) -> None:
        """Waits for uploads that are being begun or recorded."""
        await self._finishing.settle()
        await self._completion.settle()

    async def _begin(self, upload: Upload, announced: Announcement, claim: Claim | None) -> Upload:
        """The row, the multipart upload, its id in the row: wherever this is cut off, the sweep finds what is left."""
        async with self._unit_of_work() as work:
            self._limits.check_room(await work.uploads.open_of(upload.owner), announced)
            await work.uploads.add(upload)
            await work.commit()
        try:
            multipart_id = await self._staging.begin(upload.storage_path, content_type=announced.content_type)
        except GalleryError:
            await self._forget(upload)
            raise
        begun = replace(upload, multipart_id=multipart_id)
        async with self._unit_of_work() as work:
            await work.uploads.save(begun)
            if claim is not None:
                await work.claims.complete(claim.completed(begun.id))
            await work.commit()
        return begun

    async def _forget(self, upload: Upload) -> None:
        try:
            async with self._unit_of_work() as work:
                await work.uploads.delete([upload.id])
                await work.commit()
        except GalleryError:
            log.warning("an upload that was never begun is left behind: %s", upload.id)

    async def _get(self, viewer: Viewer, upload_id: UploadId) -> StagedUpload:
        async with self._unit_of_work() as work:
            return StagedUpload.living(await work.uploads.find(viewer.id, upload_id), self._clock())


def _check_open(upload: Upload) -> None:
    if upload.state is not UploadState.OPEN:
        message = "The upload is complete already, or its file was refused."
        raise ConflictError(ErrorCode.VERSION_CONFLICT, message, field=("id",))
