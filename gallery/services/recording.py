"""Where both ways of uploading end: the bytes are stored, and one transaction makes them an image.

The transaction ends the intent as well. So an intent that is there means that nothing was recorded, and one that is
gone that there is nothing left to do. Therefore it is safe to record again when the database has not answered.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum, unique
from typing import Final

import stamina

from gallery.domain.access import Viewer, Visibility
from gallery.domain.errors import ConflictError, DuplicateImageError, ErrorCode, NotFoundError, UnavailableError
from gallery.domain.events import Event, EventKind
from gallery.domain.idempotency import Claim
from gallery.domain.ids import ImageId
from gallery.domain.images import Image, ImageInfo, ProcessingState, title_from_filename
from gallery.domain.jobs import DeleteObjects, RenderImage
from gallery.domain.names import clean_filename
from gallery.domain.ports import Clock, StoredObject, UnitOfWork, UnitOfWorkFactory
from gallery.domain.uploads import Draft, OnDuplicate, Transport, Upload, UploadState
from gallery.services.albums import append_images
from gallery.services.clock import utc_now
from gallery.services.sight import album_to_fill
from gallery.services.tags import attach_tags

PERSISTENCE: Final = stamina.AsyncRetryingCaller(
    attempts=3, timeout=5.0, wait_initial=0.25, wait_exp_base=4, wait_max=1.0, wait_jitter=0.25
)
"""How often, and with which pauses, stored bytes are recorded while the database does not answer: connections break,
and servers start again. Not again after so many seconds: a client waits for the answer.
"""


@unique
class UploadOutcome(StrEnum):
    """What became of a file that was taken."""

    CREATED = "CREATED"
    EXISTING = "EXISTING"


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadResult:
    """The image that the file became, or the one that it had become before."""

    image: Image
    outcome: UploadOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivedFile:
    """A file whose bytes are stored and found to be an image. A `claim` is completed with it."""

    upload: Upload
    info: ImageInfo
    stored: StoredObject
    filename: str | None
    claim: Claim | None = None

    def image(self, now: datetime, default_visibility: Visibility) -> Image:
        """The image that it is to become."""
        return Image(
            id=self.upload.image_id,
            owner=self.upload.owner,
            filename=self.stored.storage_path.rpartition("/")[2],
            original_filename=clean_filename(self.filename),
            content_type=self.info.content_type,
            file_size_bytes=self.stored.size_bytes,
            storage_path=self.stored.storage_path,
            checksum=self.stored.checksum,
            width_px=self.info.width_px,
            height_px=self.info.height_px,
            title=self.upload.draft.title or title_from_filename(self.filename),
            description=self.upload.draft.description,
            processing=ProcessingState.PENDING,
            processing_error=None,
            uploaded_at=now,
            created_at=now,
            updated_at=now,
            visibility=self.upload.draft.visibility or default_visibility,
        )


class UploadGoneError(NotFoundError):
    """The upload was aborted or given up while its bytes were still coming."""


class Recorder:
    """Makes images of stored bytes."""

    def __init__(
        self,
        unit_of_work: UnitOfWorkFactory,
        *,
        clock: Clock = utc_now,
        default_visibility: Visibility = Visibility.PRIVATE,
        persistence: stamina.AsyncRetryingCaller = PERSISTENCE,
    ) -> None:
        self._unit_of_work = unit_of_work
        self._clock = clock
        self._persistence = persistence
        self._default_visibility = default_visibility

    async def record(self, viewer: Viewer, file: ArrivedFile) -> UploadResult:
        """Stores the image, its tags, its place in an album, event and job, and ends the upload, all or nothing.

        An upload that was recorded before, by somebody who does the same, gives the same result again. Where the
        result is another image than the upload's own, the stored bytes are of no use: the caller removes those of a
        streamed upload, and a job those of a staged one.

        Raises:
            UploadGoneError: if the upload is not there any more.
            RefusedUploadError: if somebody else has refused its file.
            DuplicateImageError: if the owner has these bytes and wanted to be told.
            NotFoundError: if the album is not there any more, or the viewer does not see it.
            ForbiddenError: if the viewer may not put images into it any more.
            ConflictError: VERSION_CONFLICT if somebody else was faster twice, or has taken over the claim.
            UnavailableError: if the database stays away; the upload may have been recorded all the same.
        """
        unanswered: list[UnavailableError] = []

        def passes(error: Exception) -> bool:
            if not isinstance(error, UnavailableError):
                return False
            unanswered.append(error)
            return True

        try:
            return await self._persistence(passes, self._record_past_others, viewer, file)
        except UploadGoneError:
            if unanswered:  # it may have ended with a commit whose answer was lost
                raise unanswered[-1] from None
            raise

    async def result_of(self, upload: Upload) -> UploadResult:
        """What a completed upload became.

        Raises:
            NotFoundError: if the image was deleted since.
        """
        async with self._unit_of_work() as work:
            return await result_within(work, upload)

    async def _record_past_others(self, viewer: Viewer, file: ArrivedFile) -> UploadResult:
        try:
            return await self._record(viewer, file)
        except ConflictError as error:
            if error.code is not ErrorCode.VERSION_CONFLICT:
                raise
            return await self._record(viewer, file)  # somebody else stored the same bytes a moment ago

    async def _record(self, viewer: Viewer, file: ArrivedFile) -> UploadResult:
        async with self._unit_of_work() as work:
            upload = await _taken(work, file.upload)
            upload.check_not_refused()
            if upload.state is UploadState.COMPLETED:
                return await result_within(work, upload)
            now = self._clock()
            image = file.image(now, self._default_visibility)
            result = await _add_or_find(work, viewer, image, upload.draft.on_duplicate)
            await _place(work, viewer, result.image.id, upload.draft, now)
            await _end(work, upload, result.image.id, now)
            if file.claim is not None:
                await work.claims.complete(
                    file.claim.completed(
                        result.image.id, outcome=result.outcome.value, file_checksum=file.stored.checksum
                    )
                )
            await work.commit()
        return result


async def _taken(work: UnitOfWork, upload: Upload) -> Upload:
    """The upload, of which this transaction decides: removed if it was streamed, else locked."""
    take = work.uploads.take if upload.transport is Transport.STREAMED else work.uploads.get
    try:
        return await take(upload.owner, upload.id)
    except NotFoundError as error:
        raise UploadGoneError(error.message) from error


async def result_within(work: UnitOfWork, upload: Upload) -> UploadResult:
    """What a completed upload became, within a transaction.

    Raises:
        NotFoundError: if the image was deleted since.
    """
    image = await work.images.get(upload.image_id)
    own = image.storage_path == upload.storage_path
    return UploadResult(image=image, outcome=UploadOutcome.CREATED if own else UploadOutcome.EXISTING)


async def _add_or_find(work: UnitOfWork, viewer: Viewer, image: Image, on_duplicate: OnDuplicate) -> UploadResult:
    if not await work.images.add_unless_there(image):  # most files are new: one statement instead of two
        existing = await work.images.find_by_checksum(image.owner, image.checksum)
        if existing is not None and on_duplicate is OnDuplicate.REJECT:
            raise DuplicateImageError(existing.id)
        if existing is not None and on_duplicate is OnDuplicate.RETURN_EXISTING:
            return UploadResult(image=existing, outcome=UploadOutcome.EXISTING)
        image = replace(image, is_copy=existing is not None)
        await work.images.add(image)
    await work.events.begin(_uploaded(viewer, image))
    await work.jobs.enqueue(RenderImage(image.id))
    return UploadResult(image=image, outcome=UploadOutcome.CREATED)


async def _place(work: UnitOfWork, viewer: Viewer, image_id: ImageId, draft: Draft, now: datetime) -> None:
    if draft.tag_names:
        await attach_tags(work, viewer, [image_id], draft.tag_names, now)
    if draft.album_id is not None:
        album = await album_to_fill(work, viewer, draft.album_id)
        if await append_images(work, viewer, album, [image_id], now):
            await work.albums.save(album.touched(now))


async def _end(work: UnitOfWork, upload: Upload, image_id: ImageId, now: datetime) -> None:
    """A staged upload stays for those who ask for its result again, until it expires.

    Its bytes, if they are of no use, are asked to go by the same commit: nobody who repeats the request would do it.
    """
    if upload.transport is Transport.STREAMED:
        return  # taken
    await work.uploads.save(upload.completed(image_id, now))
    if image_id != upload.image_id:
        await work.jobs.enqueue(DeleteObjects((upload.storage_path,)))


def _uploaded(viewer: Viewer, image: Image) -> Event:
    return Event(
        kind=EventKind.IMAGE_UPLOADED,
        entity_id=image.id,
        actor=viewer.id,
        occurred_at=image.uploaded_at,
        payload={
            "original_filename": image.original_filename,
            "content_type": image.content_type.value,
            "file_size_bytes": image.file_size_bytes,
            "checksum": image.checksum,
        },
    )
