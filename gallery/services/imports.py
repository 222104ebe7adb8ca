"""Bringing many files in at once: those that are there already are not sent again, those refused do not stop others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Protocol

from gallery.domain.access import Right, Viewer, require
from gallery.domain.errors import GalleryError, UnavailableError
from gallery.domain.ids import AlbumId, ImageId
from gallery.domain.ports import ImageReader, IncomingFile
from gallery.services.recording import UploadOutcome
from gallery.services.uploads import NewImage, UploadService


class FileToImport(IncomingFile, Protocol):
    """A file that can be looked at before it is sent. Its chunks may be iterated again and again."""

    @property
    def size_bytes(self) -> int:
        """The size when the file was found."""
        ...

    async def checksum(self) -> str:
        """The SHA-256 of the bytes in lower-case hexadecimal.

        Raises:
            UploadInterruptedError: if the file cannot be read.
        """
        ...


@unique
class ImportOutcome(StrEnum):
    """What became of a file."""

    IMPORTED = "imported"
    EXISTING = "existing"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportResult:
    """What became of one file: the image that it is now, or why it is none."""

    file: FileToImport
    outcome: ImportOutcome
    image_id: ImageId | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """What every imported image gets, and how many files are sent at the same time.

    Files that are in the gallery already get tags and album too, if any are given.
    """

    tag_names: Sequence[str] = ()
    album_id: AlbumId | None = None
    parallel: int = 4


Progress = Callable[[ImportResult], None]
"""Told of each file when it is done."""


class ImportService:
    """Imports files."""

    def __init__(self, images: ImageReader, uploads: UploadService) -> None:
        self._images = images
        self._uploads = uploads

    async def run(
        self, viewer: Viewer, files: Sequence[FileToImport], options: ImportOptions, progress: Progress
    ) -> list[ImportResult]:
        """Imports the files; what became of each, in their order.

        Raises:
            ExceptionGroup: of UnavailableError, if storage or database do not answer; files done by then stay.
            ForbiddenError: if the viewer may not add images.
        """
        require(viewer, Right.CONTRIBUTE)
        free = asyncio.Semaphore(options.parallel)

        async def one(file: FileToImport) -> ImportResult:
            async with free:
                result = await self._import(viewer, file, options)
                progress(result)
                return result

        async with asyncio.TaskGroup() as tasks:
            started = [tasks.create_task(one(file)) for file in files]
        return [task.result() for task in started]

    async def _import(self, viewer: Viewer, file: FileToImport, options: ImportOptions) -> ImportResult:
        try:
            known = await self._find(viewer, file)
            if known is not None and not options.tag_names and options.album_id is None:
                return ImportResult(file=file, outcome=ImportOutcome.EXISTING, image_id=known)
            new = NewImage(file=file, tag_names=options.tag_names, album_id=options.album_id)
            uploaded = await self._uploads.upload(viewer, new)
        except UnavailableError:
            raise
        except GalleryError as error:
            return ImportResult(file=file, outcome=ImportOutcome.REFUSED, reason=error.message)
        created = uploaded.outcome is UploadOutcome.CREATED
        outcome = ImportOutcome.IMPORTED if created else ImportOutcome.EXISTING
        return ImportResult(file=file, outcome=outcome, image_id=uploaded.image.id)

    async def _find(self, viewer: Viewer, file: FileToImport) -> ImageId | None:
        checksum = await file.checksum()
        return (await self._images.known_checksums(viewer, [checksum])).get(checksum)
