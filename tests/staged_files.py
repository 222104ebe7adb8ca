"""A file of three parts, and what a client does to get it into a gallery in memory past the server."""

from __future__ import annotations

from dataclasses import replace

from gallery.domain.images import ContentType
from gallery.domain.uploads import Announcement, Draft, Upload
from gallery.services.recording import UploadResult
from tests.entities import BOB, checksum_of
from tests.fakes.gallery import PART_SIZE_BYTES, MemoryGallery

CONTENT = bytes(range(90))
PARTS = [CONTENT[:40], CONTENT[40:80], CONTENT[80:]]


def announced(content: bytes = CONTENT, **fields: object) -> Announcement:
    announcement = Announcement(
        filename="harbour.jpg",
        file_size_bytes=len(content),
        content_type=ContentType.JPEG,
        checksum=checksum_of(content),
    )
    return replace(announcement, **fields)  # type: ignore[arg-type]  # any of them


async def created(gallery: MemoryGallery, draft: Draft | None = None, content: bytes = CONTENT) -> Upload:
    return await gallery.staged_uploads.create(BOB, announced(content), draft or Draft())


async def sent(gallery: MemoryGallery, draft: Draft | None = None, content: bytes = CONTENT) -> Upload:
    """An upload all parts of which have arrived."""
    upload = await created(gallery, draft, content)
    assert upload.multipart_id is not None
    for number, start in enumerate(range(0, len(content), PART_SIZE_BYTES), start=1):
        gallery.storage.client_puts(upload.multipart_id, number, content[start : start + PART_SIZE_BYTES])
    return upload


async def complete(gallery: MemoryGallery, upload: Upload) -> UploadResult:
    return await gallery.staged_uploads.complete(BOB, upload.id)


def files_are_opened(gallery: MemoryGallery) -> list[str]:
    """The paths of the objects that are read, as they are opened."""
    opened: list[str] = []
    gallery.storage.on_open = opened.append
    return opened
