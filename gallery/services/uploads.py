"""Adding images: a file goes to the object storage as it arrives, then one transaction makes it an image.

The order keeps two promises. An acknowledged upload is never lost: the bytes are stored before the row. A refused or
interrupted one leaves nothing: the object is removed again unless a row names it, and until then an intent does.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from gallery.domain.access import Right, Viewer, Visibility, require
from gallery.domain.errors import GalleryError, UnavailableError, UploadInterruptedError
from gallery.domain.idempotency import Claim
from gallery.domain.ids import AlbumId
from gallery.domain.images import ImageInfo
from gallery.domain.metrics import NO_METRICS, UploadMetrics
from gallery.domain.ports import ImageInspector, IncomingFile, ObjectStorage, StoredObject, UnitOfWorkFactory
from gallery.domain.upload_ports import ImageVerifier
from gallery.domain.uploads import Draft, OnDuplicate, Transport, Upload
from gallery.services.counting import counted
from gallery.services.drafts import check_album, clean_draft
from gallery.services.finishing import Finishing
from gallery.services.incoming import Checks, identified, limited
from gallery.services.intents import Intents
from gallery.services.recording import ArrivedFile, Recorder, UploadGoneError, UploadOutcome, UploadResult

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewImage:
    """A file that is to become an image, and what is to be said of it. A visibility of None is the default."""

    file: IncomingFile
    title: str | None = None
    description: str | None = None
    tag_names: Sequence[str] = ()
    album_id: AlbumId | None = None
    on_duplicate: OnDuplicate = OnDuplicate.RETURN_EXISTING
    visibility: Visibility | None = None

    def draft(self) -> Draft:
        """What is to be said of the image, as it came."""
        return Draft(
            title=self.title,
            description=self.description,
            tag_names=tuple(self.tag_names),
            album_id=self.album_id,
            on_duplicate=self.on_duplicate,
            visibility=self.visibility,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadLimits:
    """`head_bytes` is how much of a file is looked at before anything is stored."""

    max_file_size_bytes: int
    head_bytes: int


class UploadService:
    """Takes files in."""

    def __init__(  # noqa: PLR0913 - what a file passes through
        self,
        *,
        unit_of_work: UnitOfWorkFactory,
        storage: ObjectStorage,
        inspector: ImageInspector,
        verifier: ImageVerifier,
        intents: Intents,
        recorder: Recorder,
        limits: UploadLimits,
        metrics: UploadMetrics = NO_METRICS,
    ) -> None:
        self._unit_of_work = unit_of_work
        self._storage = storage
        self._inspector = inspector
        self._verifier = verifier
        self._intents = intents
        self._recorder = recorder
        self._limits = limits
        self._metrics = metrics
        self._finishing = Finishing()

    async def upload(self, viewer: Viewer, new: NewImage, claim: Claim | None = None) -> UploadResult:
        """Stores a file and makes it an image; its renditions are made by a job.

        A file that the viewer has uploaded before becomes no second image, unless that is asked for: the first one is
        the answer, and gets the tags and the album. A claim is completed with the image.

        Raises:
            InvalidInputError: if a value breaks its rule; then the file is not read.
            NotFoundError: if the viewer sees no such album.
            ForbiddenError: if they may not put images into it.
            RefusedFileError: if the file cannot become an image, or is too large.
            DuplicateImageError: if the viewer has these bytes and wanted to be told.
            ConflictError: VERSION_CONFLICT if another request has taken over the claim.
            UploadInterruptedError: if the client goes away, or the upload was given up while the process was stopped.
            UnavailableError: if the storage or the database does not answer.
        """
        require(viewer, Right.CONTRIBUTE)
        return await counted(self._metrics, Transport.STREAMED, self._upload(viewer, new, claim))

    async def settle(self) -> None:
        """Waits for uploads whose bytes are stored and whose rows are being written."""
        await self._finishing.settle()

    async def _upload(self, viewer: Viewer, new: NewImage, claim: Claim | None) -> UploadResult:
        draft = clean_draft(new.draft())
        await check_album(self._unit_of_work, viewer, draft)
        chunks = limited(new.file.chunks(), self._limits.max_file_size_bytes)
        found = await identified(chunks, self._inspector, self._limits.head_bytes)
        info = found.info
        upload = self._intents.streamed(viewer, info.content_type, draft)
        with self._intents.alive(upload):
            checks = Checks(info, self._inspector, self._verifier)
            stored = await self._stored(upload, checks.followed(found.head, chunks), info)
            await self._look_again(upload, checks)
            file = ArrivedFile(upload=upload, info=info, stored=stored, filename=new.file.filename, claim=claim)
            return await self._finishing.run(self._record_or_discard(viewer, file))

    async def _stored(self, upload: Upload, chunks: AsyncIterator[bytes], info: ImageInfo) -> StoredObject:
        """Sends the bytes to the storage, which keeps all of them or none."""
        try:
            await self._intents.begin(upload)
            return await self._storage.put(upload.storage_path, chunks, content_type=info.content_type)
        except BaseException:
            await self._finishing.run(self._intents.forget(upload))
            raise

    async def _look_again(self, upload: Upload, checks: Checks) -> None:
        """Lets the checks read what is stored, if they must; a file that they refuse is removed."""
        try:
            await checks.look_again(self._storage, upload.storage_path)
        except BaseException:
            await self._finishing.run(self._discard_and_forget(upload))
            raise

    async def _record_or_discard(self, viewer: Viewer, file: ArrivedFile) -> UploadResult:
        try:
            result = await self._recorder.record(viewer, file)
        except UploadGoneError as error:
            await self._discard(file.upload)
            message = "The upload stood still for so long that it was given up. Send the file again."
            raise UploadInterruptedError(message) from error
        except UnavailableError:
            if (recorded := await self._recorded_or_discarded(file.upload)) is None:
                raise
            return recorded
        except BaseException:
            await self._recorded_or_discarded(file.upload)
            raise
        if result.image.id != file.upload.image_id:
            await self._discard(file.upload)
        return result

    async def _recorded_or_discarded(self, upload: Upload) -> UploadResult | None:
        """After a failure: a commit whose answer was lost may have succeeded, so ask before removing the bytes."""
        try:
            image = await self._intents.own_image(upload)
        except GalleryError:
            log.warning("could not tell whether an upload was recorded; its object stays: %s", upload.storage_path)
            return None
        if image is not None:
            log.warning("the commit of an upload was not answered, and has succeeded: %s", upload.storage_path)
            return UploadResult(image=image, outcome=UploadOutcome.CREATED)
        await self._discard_and_forget(upload)
        return None

    async def _discard_and_forget(self, upload: Upload) -> None:
        if await self._discard(upload):
            await self._intents.forget(upload)

    async def _discard(self, upload: Upload) -> bool:
        try:
            await self._storage.delete([upload.storage_path])
        except GalleryError:
            log.warning("an object without a row is left behind: %s", upload.storage_path)
            return False
        return True
