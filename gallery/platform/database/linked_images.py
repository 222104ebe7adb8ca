"""The images that links to albums show, in PostgreSQL."""

from __future__ import annotations

from typing import Final

from sqlalchemy import bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from gallery.domain.ids import AlbumId, ImageId
from gallery.domain.images import Image
from gallery.domain.pages import Page, PageRequest
from gallery.platform.database.image_lists import album_keyset, pages_by_parent, pages_of_parents, values_of_parents
from gallery.platform.database.records import IMAGES_WHOLE
from gallery.platform.database.rendered import Renderings, render
from gallery.platform.database.rows import IMAGE_COLUMNS, image_from_row
from gallery.platform.database.statements import LeanReading
from gallery.platform.database.tables import ALBUM_IMAGES, IMAGES
from gallery.platform.database.visible import passed_on

_PAGES: Final = Renderings()
_SHOWN: Final = (ALBUM_IMAGES.c.album_id == bindparam("album_id"), *passed_on())
_COUNT: Final = render(
    select(func.count()).join_from(ALBUM_IMAGES, IMAGES, ALBUM_IMAGES.c.image_id == IMAGES.c.id).where(*_SHOWN)
)
_FIND: Final = render(
    select(*IMAGE_COLUMNS)
    .join_from(ALBUM_IMAGES, IMAGES, ALBUM_IMAGES.c.image_id == IMAGES.c.id)
    .where(ALBUM_IMAGES.c.image_id == bindparam("image_id"), *_SHOWN)
)


class SqlLinkedImageReader:
    """As the port says."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._reading = LeanReading(engine)

    async def page(self, album_id: AlbumId, page: PageRequest) -> Page[Image]:
        """As the port says."""
        keyset = album_keyset(page)
        statement = _PAGES.get(
            keyset.form, lambda: pages_of_parents(keyset, ALBUM_IMAGES.c.album_id, IMAGE_COLUMNS, passed_on())
        )
        rows = await self._reading.rows(statement, values_of_parents(keyset, [album_id]))
        return pages_by_parent(keyset, [album_id], rows, IMAGES_WHOLE)[album_id]

    async def count(self, album_id: AlbumId) -> int:
        """As the port says."""
        return await self._reading.count(_COUNT, {"album_id": album_id})

    async def find(self, album_id: AlbumId, image_id: ImageId) -> Image | None:
        """As the port says."""
        rows = await self._reading.rows(_FIND, {"album_id": album_id, "image_id": image_id})
        return image_from_row(rows[0]) if rows else None
