"""Tags through the cache."""

from __future__ import annotations

from collections.abc import Collection

from gallery.domain.access import Viewer
from gallery.domain.ids import ImageId, TagId
from gallery.domain.pages import Page, TagQuery
from gallery.domain.ports import TagReader
from gallery.domain.tags import Tag
from gallery.platform.cache import keys
from gallery.platform.cache.cache import Cache
from gallery.platform.cache.kinds import COUNT, TAG, TAGS
from gallery.platform.cache.reading import or_else, read_page


class CachedTagReader:
    """A TagReader before another one."""

    def __init__(self, reader: TagReader, cache: Cache) -> None:
        self._reader = reader
        self._cache = cache

    async def get_many(self, viewer: Viewer, tag_ids: Collection[TagId]) -> dict[TagId, Tag]:
        """Those of the tags that exist."""
        slots = {id_: keys.tag(id_) for id_ in tag_ids}
        return await self._cache.get_many(TAG, slots, lambda ids: self._reader.get_many(viewer, ids))

    async def list_page(self, viewer: Viewer, query: TagQuery) -> Page[Tag]:
        """One page of the tags, by name without regard to case; positions hold the `tag_key`."""
        return await read_page(
            self._cache,
            keys.tag_page(query),
            lambda: self._reader.list_page(viewer, query),
            lambda ids: self.get_many(viewer, ids),
            keys.tag,
        )

    async def count(self, viewer: Viewer, text: str | None) -> int:
        """How many tags contain the text."""
        return await self._cache.get(COUNT, keys.tag_count(text), lambda: self._reader.count(viewer, text))

    async def by_image(self, viewer: Viewer, image_ids: Collection[ImageId]) -> dict[ImageId, tuple[Tag, ...]]:
        """The tags of each image, by name; images without any are left out.

        Kept whole: a tag never changes, and when one is deleted all of these are dropped.
        """
        slots = {id_: keys.image_tags(id_) for id_ in image_ids}
        found = await self._cache.get_many(TAGS, slots, or_else(lambda ids: self._reader.by_image(viewer, ids), ()))
        return {id_: tags for id_, tags in found.items() if tags}

    async def image_counts(self, viewer: Viewer, tag_ids: Collection[TagId]) -> dict[TagId, int]:
        """How many images have each tag; tags without any are left out."""
        slots = {id_: keys.tag_image_count(id_) for id_ in tag_ids}
        found = await self._cache.get_many(COUNT, slots, or_else(lambda ids: self._reader.image_counts(viewer, ids), 0))
        return {id_: count for id_, count in found.items() if count}
