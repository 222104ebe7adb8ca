"""Which objects the rows in memory name."""

from __future__ import annotations

from collections.abc import Collection

from gallery.domain.ids import ImageId
from gallery.domain.images import Image, Rendition
from gallery.domain.upload_ports import ExpectedObject
from gallery.domain.uploads import UploadState
from tests.fakes.database import MemoryDatabase


class MemoryNamedObjects:
    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def named(self, storage_paths: Collection[str]) -> set[str]:
        tables = self._database.committed
        names = {image.storage_path for image in tables.living.values()}
        names |= {rendition.storage_path for stored in tables.renditions.values() for rendition in stored}
        names |= {upload.storage_path for upload in tables.uploads.values() if upload.state is UploadState.OPEN}
        return names & set(storage_paths)

    async def expected(self, *, after: ImageId | None, limit: int) -> tuple[ExpectedObject, ...]:
        tables = self._database.committed
        image_ids = sorted(image_id for image_id in tables.living if after is None or image_id > after)[:limit]
        return tuple(
            expected
            for image_id in image_ids
            for expected in (
                _original(tables.images[image_id]),
                *(_rendition(tables.images[image_id], one) for one in tables.renditions.get(image_id, ())),
            )
        )


def _original(image: Image) -> ExpectedObject:
    return ExpectedObject(
        image_id=image.id,
        size_name=None,
        storage_path=image.storage_path,
        size_bytes=image.file_size_bytes,
        checksum=image.checksum,
        stored_at=image.uploaded_at,
    )


def _rendition(image: Image, rendition: Rendition) -> ExpectedObject:
    """Renditions do not say when they were stored; it was no later than the last change of their image."""
    return ExpectedObject(
        image_id=image.id,
        size_name=rendition.size,
        storage_path=rendition.storage_path,
        size_bytes=rendition.file_size_bytes,
        checksum=rendition.checksum,
        stored_at=image.updated_at,
    )
