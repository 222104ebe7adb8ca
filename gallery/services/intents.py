"""Intents: the rows that say, before any byte is stored, that an upload is under way and where its bytes go."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager, suppress

from gallery.domain.access import Viewer
from gallery.domain.errors import GalleryError, NotFoundError
from gallery.domain.ids import new_image_id, new_upload_id
from gallery.domain.images import ContentType, Image
from gallery.domain.ports import Clock, StoragePaths, UnitOfWorkFactory
from gallery.domain.upload_ports import IntentStore
from gallery.domain.uploads import Draft, Transport, Upload
from gallery.services.clock import utc_now
from gallery.services.heartbeat import Heartbeat

log = logging.getLogger(__name__)


class Intents:
    """Makes, keeps alive and ends the intents of streamed uploads."""

    def __init__(
        self,
        unit_of_work: UnitOfWorkFactory,
        store: IntentStore,
        *,
        paths: StoragePaths,
        heartbeat: Heartbeat,
        clock: Clock = utc_now,
    ) -> None:
        self._unit_of_work = unit_of_work
        self._store = store
        self._paths = paths
        self._heartbeat = heartbeat
        self._clock = clock

    def streamed(self, viewer: Viewer, content_type: ContentType, draft: Draft) -> Upload:
        """An upload that begins now; not stored yet."""
        now = self._clock()
        image_id = new_image_id()
        return Upload(
            id=new_upload_id(),
            owner=viewer.id,
            transport=Transport.STREAMED,
            image_id=image_id,
            storage_path=self._paths.original(image_id, content_type, now),
            draft=draft,
            created_at=now,
            touched_at=now,
        )

    def alive(self, upload: Upload) -> AbstractContextManager[None]:
        """Says every few seconds that the upload goes on."""
        return self._heartbeat.uploading(upload.id)

    async def begin(self, upload: Upload) -> None:
        """Stores the intent, without waiting for the disk.

        A database that crashes may forget it: then the upload can no longer be recorded, and its bytes are swept.

        Raises:
            UnavailableError: if the database does not answer; the intent may be there all the same.
        """
        await self._store.add(upload)

    async def own_image(self, upload: Upload) -> Image | None:
        """The image that the upload became, if it became one of its own. Waits for a transaction that may decide it.

        Raises:
            UnavailableError: if the database does not answer.
        """
        async with self._unit_of_work() as work:
            with suppress(NotFoundError):  # the intent ended with the image
                await work.uploads.get(upload.owner, upload.id)
            return (await work.images.get_many([upload.image_id])).get(upload.image_id)

    async def forget(self, upload: Upload) -> None:
        """Removes an intent of which nothing is left. Where that is not possible the sweep will do it."""
        try:
            async with self._unit_of_work() as work:
                await work.uploads.delete([upload.id])
                await work.commit()
        except GalleryError:
            log.warning("the intent of an upload that failed is left behind: %s", upload.id)
