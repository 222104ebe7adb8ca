"""How the parts that a client has sent to the storage become an image.

Reading a file back and decoding it is dear, so those who ask for the same upload at once share one check.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta

from gallery.domain.access import Viewer
from gallery.domain.errors import DuplicateImageError, NotFoundError, RefusedFileError, RefusedUploadError
from gallery.domain.ids import UploadId
from gallery.domain.jobs import DeleteObjects
from gallery.domain.metrics import NO_METRICS, UploadMetrics
from gallery.domain.ports import Clock, UnitOfWork, UnitOfWorkFactory
from gallery.domain.upload_ports import StagingStorage
from gallery.domain.uploads import Refusal, Transport, Upload, UploadState
from gallery.services.clock import utc_now
from gallery.services.counting import counted
from gallery.services.finishing import Finishing
from gallery.services.recording import ArrivedFile, Recorder, UploadResult, result_within
from gallery.services.single_flight import SingleFlight
from gallery.services.staged_checks import StagedFileCheck
from gallery.services.staging import StagedUpload

COMPLETION_TIME = timedelta(hours=1)
"""How long an upload lives at least once its parts are there and it is being completed: longer than any check takes."""

log = logging.getLogger(__name__)


class StagedCompletion:
    """Completes uploads, each once at a time in this process."""

    def __init__(
        self,
        *,
        unit_of_work: UnitOfWorkFactory,
        staging: StagingStorage,
        check: StagedFileCheck,
        recorder: Recorder,
        metrics: UploadMetrics = NO_METRICS,
        clock: Clock = utc_now,
    ) -> None:
        self._unit_of_work = unit_of_work
        self._staging = staging
        self._check = check
        self._recorder = recorder
        self._metrics = metrics
        self._clock = clock
        self._flights = SingleFlight[UploadResult]()
        self._finishing = Finishing()

    async def complete(self, viewer: Viewer, upload_id: UploadId) -> UploadResult:
        """As `StagedUploadService.complete`."""
        return await self._flights.run((viewer, upload_id), lambda: self._complete(viewer, upload_id))

    async def settle(self) -> None:
        """Waits for uploads that are being recorded."""
        await self._finishing.settle()

    async def _complete(self, viewer: Viewer, upload_id: UploadId) -> UploadResult:
        async with self._unit_of_work() as work:
            staged = StagedUpload.living(await work.uploads.find(viewer.id, upload_id), self._clock())
        staged.upload.check_not_refused()
        if staged.upload.state is UploadState.COMPLETED:
            return await self._recorder.result_of(staged.upload)
        return await counted(self._metrics, Transport.STAGED, self._taken(viewer, staged))

    async def _taken(self, viewer: Viewer, staged: StagedUpload) -> UploadResult:
        await self._assemble(staged)
        try:
            info, stored = await self._check.check(staged.upload.storage_path, staged.announced)
            file = ArrivedFile(upload=staged.upload, info=info, stored=stored, filename=staged.announced.filename)
            return await self._finishing.run(self._recorder.record(viewer, file))
        except (RefusedFileError, DuplicateImageError, NotFoundError) as error:
            refusal = Refusal(code=error.code, message=error.message)
            return await self._finishing.run(self._refused(staged.upload, refusal))

    async def _assemble(self, staged: StagedUpload) -> None:
        """Puts the parts together once all are there. Calls for an upload that misses some do not keep it alive."""
        path, multipart_id = staged.upload.storage_path, staged.multipart_id
        try:
            parts = staged.whole(await self._staging.parts(path, multipart_id))
        except NotFoundError:
            log.info("the parts of an upload were put together before, or are gone: %s", path)
            await self._prolong(staged.upload)
            return
        await self._prolong(staged.upload)
        try:
            await self._staging.finish(path, multipart_id, parts)
        except NotFoundError:
            log.info("the parts of an upload went away while they were put together: %s", path)

    async def _prolong(self, upload: Upload) -> None:
        """From now on the upload lives long enough to be completed."""
        now = self._clock()
        expires_at = max(upload.expires_at or now, now + COMPLETION_TIME)
        if expires_at == upload.expires_at:
            return
        async with self._unit_of_work() as work:
            current = await work.uploads.get(upload.owner, upload.id)
            await work.uploads.save(replace(current, touched_at=now, expires_at=expires_at))
            await work.commit()

    async def _refused(self, upload: Upload, refusal: Refusal) -> UploadResult:
        """Refuses an upload, unless another process has completed or refused it meanwhile: then that is the answer.

        Raises:
            RefusedUploadError: with the reason that is told from now on.
        """
        error = RefusedUploadError(refusal.code, refusal.message)
        async with self._unit_of_work() as work:
            try:
                current = await work.uploads.get(upload.owner, upload.id)
            except NotFoundError:
                await _clear(work, upload)
                await work.commit()
                raise error from None
            current.check_not_refused()
            if current.state is UploadState.COMPLETED:
                return await result_within(work, current)
            await work.uploads.save(current.refused(refusal, self._clock()))
            await work.jobs.enqueue(DeleteObjects((upload.storage_path,)))
            await work.commit()
        raise error


async def _clear(work: UnitOfWork, upload: Upload) -> None:
    """Asks for the object to be removed if it was made of parts of an upload that was given up meanwhile.

    No image can be made of it any more. One that was made before, in another process, keeps it.
    """
    if upload.image_id not in await work.images.get_many([upload.image_id]):
        await work.jobs.enqueue(DeleteObjects((upload.storage_path,)))
