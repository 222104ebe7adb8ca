"""Adding images: a file goes to the object storage as it arrives, then one transaction makes it an image.

The order keeps two promises. An acknowledged upload is never lost: the bytes are stored before the row. A refused or
interrupted one leaves nothing: the object is removed again unless a row names it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum, unique

from gallery.domain.access import Right, Viewer, require
from gallery.domain.errors import ConflictError, EmptyFileError, GalleryError
from gallery.domain.events import Event, EventKind
from gallery.domain.ids import AlbumId, ImageId, new_image_id
from gallery.domain.images import Image, ImageInfo, ProcessingState, clean_title, title_from_filename
from gallery.domain.jobs import RenderImage
from gallery.domain.names import clean_description, clean_filename
from gallery.domain.ports import (
    Clock,
    ImageInspector,
    IncomingFile,
    ObjectStorage,
    StoragePaths,
    StoredObject,
    UnitOfWork,
    UnitOfWorkFactory,
)
from gallery.services.albums import append_images
from gallery.services.clock import utc_now
from gallery.services.incoming import followed, limited, read_head
from gallery.services.tags import attach_tags, clean_tag_names

log = logging.getLogger(__name__)


@unique
class UploadOutcome(StrEnum):
    """What became of a file that was taken."""

    CREATED = "CREATED"
    EXISTING = "EXISTING"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewImage:
    """A file that is to become an image, and what is to be said of it."""

    file: IncomingFile
    title: str | None = None
    description: str | None = None
    tag_names: Sequence[str] = ()
    album_id: AlbumId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadResult:
    """The image that the file became, or the one that it had become before."""

    image: Image
    outcome: UploadOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadLimits:
    """`head_bytes` is how much of a file is looked at before anything is stored."""

    max_file_size_bytes: int
    head_bytes: int


class UploadService:
    """Takes files in."""

    def __init__(  # what a file passes through
        self,
        *,
        unit_of_work: UnitOfWorkFactory,
        storage: ObjectStorage,
        paths: StoragePaths,
        inspector: ImageInspector,
        limits: UploadLimits,
        clock: Clock = utc_now,
    ) -> None:
        self._unit_of_work = unit_of_work
        self._storage = storage
        self._paths = paths
        self._inspector = inspector
        self._limits = limits
        self._clock = clock
        self._finishing: set[asyncio.Task[UploadResult]] = set()

    async def upload(self, viewer: Viewer, new: NewImage) -> UploadResult:
        """Stores a file and makes it an image; its renditions are made by a job.

        A file that the viewer has uploaded before becomes no second image: the first one is the answer, and gets the
        tags and the album.

        Raises:
            InvalidInputError: if a value breaks its rule; then the file is not read.
            NotFoundError: if there is no such album.
            RefusedFileError: if the file cannot become an image, or is too large.
            UploadInterruptedError: if the client goes away.
            UnavailableError: if the storage or the database does not answer.
        """
        require(viewer, Right.CONTRIBUTE)
        draft = _Draft.clean(new)
        await self._check_album(draft.album_id)
        chunks = limited(new.file.chunks(), self._limits.max_file_size_bytes)
        head, complete = await read_head(chunks, self._limits.head_bytes)
        if not head:
            raise EmptyFileError
        info = await self._inspector.inspect(head, complete=complete)
        now = self._clock()
        image_id = new_image_id()
        path = self._paths.original(image_id, info.content_type, now)
        followed_chunks = followed(head, chunks, self._inspector.follow(info))
        stored = await self._storage.put(path, followed_chunks, content_type=info.content_type)
        image = draft.image(image_id, viewer, info, stored, filename=new.file.filename, now=now)
        return await self._finish(viewer, image, draft)

    async def settle(self) -> None:
        """Waits for uploads whose bytes are stored and whose rows are being written."""
        await asyncio.gather(*self._finishing, return_exceptions=True)

    async def _check_album(self, album_id: AlbumId | None) -> None:
        """Finds out before the file is read whether the album is there."""
        if album_id is not None:
            async with self._unit_of_work() as work:
                await work.albums.get(album_id)

    async def _finish(self, viewer: Viewer, image: Image, draft: _Draft) -> UploadResult:
        """Writes the row, whether or not the client still waits.

        A commit that is cut off could not be told from one that never was.
        """
        task = asyncio.create_task(self._record_or_discard(viewer, image, draft))
        self._finishing.add(task)
        task.add_done_callback(self._finishing.discard)
        return await asyncio.shield(task)

    async def _record_or_discard(self, viewer: Viewer, image: Image, draft: _Draft) -> UploadResult:
        try:
            try:
                result = await self._record(viewer, image, draft)
            except ConflictError:  # the same file was stored by somebody else a moment ago
                result = await self._record(viewer, image, draft)
        except BaseException:
            await self._discard_unless_recorded(image)
            raise
        if result.image.id != image.id:
            await self._discard(image)
        return result

    async def _record(self, viewer: Viewer, image: Image, draft: _Draft) -> UploadResult:
        async with self._unit_of_work() as work:
            existing = await work.images.find_by_checksum(viewer.id, image.checksum)
            if existing is None:
                await work.images.add(image)
                await work.events.append(_uploaded(viewer, image))
                await work.jobs.enqueue(RenderImage(image.id))
            result = existing or image
            await self._place(work, viewer, result.id, draft)
            await work.commit()
        outcome = UploadOutcome.EXISTING if existing else UploadOutcome.CREATED
        return UploadResult(image=result, outcome=outcome)

    async def _place(self, work: UnitOfWork, viewer: Viewer, image_id: ImageId, draft: _Draft) -> None:
        now = self._clock()
        if draft.tag_names:
            await attach_tags(work, viewer, [image_id], draft.tag_names, now)
        if draft.album_id is not None:
            album = await work.albums.get(draft.album_id)
            if await append_images(work, viewer, album.id, [image_id], now):
                await work.albums.save(album.touched(now))

    async def _discard_unless_recorded(self, image: Image) -> None:
        """After a failure: a commit whose answer was lost may have succeeded, so ask before removing the bytes."""
        try:
            async with self._unit_of_work() as work:
                recorded = await work.images.get_many([image.id])
        except GalleryError:
            log.warning("could not tell whether an upload was recorded; its object stays: %s", image.storage_path)
            return
        if not recorded:
            await self._discard(image)

    async def _discard(self, image: Image) -> None:
        try:
            await self._storage.delete([image.storage_path])
        except GalleryError:
            log.warning("an object without a row is left behind: %s", image.storage_path)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    """What is to be said of an image, checked."""

    title: str | None
    description: str | None
    tag_names: Sequence[str]
    album_id: AlbumId | None

    @classmethod
    def clean(cls, new: NewImage) -> _Draft:
        return cls(
            title=None if new.title is None else clean_title(new.title),
            description=clean_description(new.description),
            tag_names=clean_tag_names(new.tag_names),
            album_id=new.album_id,
        )

    def image(  # everything that makes an image
        self,
        image_id: ImageId,
        viewer: Viewer,
        info: ImageInfo,
        stored: StoredObject,
        *,
        filename: str | None,
        now: datetime,
    ) -> Image:
        return Image(
            id=image_id,
            owner=viewer.id,
            filename=stored.storage_path.rpartition("/")[2],
            original_filename=clean_filename(filename),
            content_type=info.content_type,
            file_size_bytes=stored.size_bytes,
            storage_path=stored.storage_path,
            checksum=stored.checksum,
            width_px=info.width_px,
            height_px=info.height_px,
            title=self.title or title_from_filename(filename),
            description=self.description,
            processing=ProcessingState.PENDING,
            processing_error=None,
            uploaded_at=now,
            created_at=now,
            updated_at=now,
        )


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
