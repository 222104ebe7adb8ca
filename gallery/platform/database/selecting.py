"""Readers that read no more columns than somebody looks at."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from gallery.domain.records import Fields, Records
from gallery.platform.database.albums import SqlAlbumRecords
from gallery.platform.database.images import SqlImageRecords
from gallery.platform.database.records import albums_with, images_with, renditions_with, tags_with
from gallery.platform.database.tags import SqlTagRecords

_MOST: Final = 256
"""How many choices of fields are remembered."""


class SelectingRecords:
    """Readers of records by the fields that these have to have."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._kept: OrderedDict[Fields, Records] = OrderedDict()

    def __call__(self, fields: Fields) -> Records:
        """Readers of records with these fields."""
        found = self._kept.get(fields)
        if found is None:
            found = self._kept[fields] = self._readers(fields)
            if len(self._kept) > _MOST:
                self._kept.popitem(last=False)
        return found

    def _readers(self, fields: Fields) -> Records:
        images, renditions = images_with(fields.images), renditions_with(fields.renditions)
        return Records(
            images=SqlImageRecords(self._engine, images, renditions),
            tags=SqlTagRecords(self._engine, tags_with(fields.tags)),
            albums=SqlAlbumRecords(self._engine, albums_with(fields.albums)),
        )
