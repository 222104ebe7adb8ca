"""Which objects the rows in PostgreSQL name, for comparing them with those that the storage has."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final
from uuid import UUID

from sqlalchemy import CompoundSelect, Row, Text, bindparam, cast, column, func, null, select, union_all
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncEngine

from gallery.domain.ids import ImageId
from gallery.domain.images import RenditionSize
from gallery.domain.upload_ports import ExpectedObject
from gallery.domain.uploads import UploadState
from gallery.platform.database.image_lists import LIVING
from gallery.platform.database.statements import Reading
from gallery.platform.database.tables import IMAGES, RENDITIONS, UPLOADS

_BEFORE_ALL: Final = UUID(int=0)
_ORIGINAL_FIRST: Final = (None, *(size.value for size in RenditionSize))


def _named() -> CompoundSelect[Any]:
    """One statement, so one snapshot: an upload that becomes an image at this moment is seen as one or the other."""
    paths = func.unnest(bindparam("paths", type_=ARRAY(Text))).table_valued(column("path", Text)).render_derived()
    return union_all(
        select(paths.c.path).join_from(paths, IMAGES, IMAGES.c.storage_path == paths.c.path).where(LIVING),
        select(paths.c.path).join_from(paths, RENDITIONS, RENDITIONS.c.storage_path == paths.c.path),
        select(paths.c.path)
        .join_from(paths, UPLOADS, UPLOADS.c.storage_path == paths.c.path)
        .where(UPLOADS.c.state == UploadState.OPEN.value),
    )


def _expected() -> CompoundSelect[Any]:
    images = (
        select(IMAGES)
        .where(LIVING, IMAGES.c.id > bindparam("after"))
        .order_by(IMAGES.c.id)
        .limit(bindparam("limit"))
        .cte("images_of_page")
    )
    originals = select(
        images.c.id.label("image_id"),
        cast(null(), Text).label("size_name"),
        images.c.storage_path,
        images.c.file_size_bytes.label("size_bytes"),
        images.c.checksum,
        images.c.uploaded_at.label("stored_at"),
    )
    renditions = select(
        RENDITIONS.c.image_id,
        RENDITIONS.c.size,
        RENDITIONS.c.storage_path,
        RENDITIONS.c.file_size_bytes,
        RENDITIONS.c.checksum,
        images.c.updated_at,  # renditions do not say when they were stored; it was no later than this
    ).join_from(images, RENDITIONS, RENDITIONS.c.image_id == images.c.id)
    return union_all(originals, renditions)


_NAMED: Final = _named()
_EXPECTED: Final = _expected()


class SqlNamedObjects:
    """As the port says. Deleted images name nothing, and no more does an upload that has become an image."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._reading = Reading(engine)

    async def named(self, storage_paths: Collection[str]) -> set[str]:
        """As the port says."""
        return {row.path for row in await self._reading.rows(_NAMED, {"paths": list(storage_paths)})}

    async def expected(self, *, after: ImageId | None, limit: int) -> tuple[ExpectedObject, ...]:
        """As the port says; of each image the original first, then renditions from the smallest."""
        rows = await self._reading.rows(_EXPECTED, {"after": after or _BEFORE_ALL, "limit": limit})
        return tuple(sorted(map(_expected_object, rows), key=_place))


def _expected_object(row: Row[Any]) -> ExpectedObject:
    return ExpectedObject(
        image_id=row.image_id,
        size_name=row.size_name,
        storage_path=row.storage_path,
        size_bytes=row.size_bytes,
        checksum=row.checksum,
        stored_at=row.stored_at,
    )


def _place(expected: ExpectedObject) -> tuple[ImageId, int]:
    return expected.image_id, _ORIGINAL_FIRST.index(expected.size_name)
