"""Tags through the cache."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from gallery.domain.access import GALLERY_ITSELF, Viewer
from gallery.domain.ids import ImageId, TagId
from gallery.domain.pages import Page, TagQuery
from gallery.domain.ports import TagReader
from gallery.domain.tags import Tag
from gallery.platform.cache import keys
from gallery.platform.cache.cache import Cache
from gallery.platform.cache.kinds import COUNT, TAG, TAGS
from gallery.platform.cache.reading import or_else, read_page

_OF_TAGGED: Final = (keys.TAGGED_LISTS, keys.IMAGE_DELETIONS)
"""What changes which tags there are for somebody who sees those of images alone."""


class CachedTagReader:
    """A TagReader before another one."""

    def __init__(self, reader: TagReader, cache: Cache) -> None:
        self._reader = reader
        self._cache = cache

    async def get_many(self, viewer: Viewer, tag_ids: Collection[TagId]) -> dict[TagId, Tag]:
        """Those of the tags that exist."""
        slots = {id_: keys.seen_by(viewer, keys.tag(id_), *_of_tag(id_)) for id_ in tag_ids}
        return await self._cache.get_many(TAG, slots, lambda ids: self._reader.get_many(viewer, ids))

    async def list_page(self, viewer: Viewer, query: TagQuery) -> Page[Tag]:
        """One page of the tags, by name without regard to case; positions hold the `tag_key`."""
        return await read_page(
            self._cache,
            keys.seen_by(viewer, keys.tag_page(query), *_OF_TAGGED),
            lambda: self._reader.list_page(viewer, query),
            lambda ids: self.get_many(GALLERY_ITSELF, ids),
            keys.tag,
        )

    async def count(self, viewer: Viewer, text: str | None) -> int:
        """How many tags contain the text."""
        slot = keys.seen_by(viewer, keys.tag_count(text), *_OF_TAGGED)
        return await self._cache.get(COUNT, slot, lambda: self._reader.count(viewer, text))

    async def by_image(self, viewer: Viewer, image_ids: Collection[ImageId]) -> dict[ImageId, tuple[Tag, ...]]:
        """The tags of each image, by name; images without any are left out.

        Kept whole: a tag never changes, and when one is deleted all of these are dropped.
        """
        slots = {id_: keys.image_tags(id_) for id_ in image_ids}
        found = await self._cache.get_many(TAGS, slots, or_else(lambda ids: self._reader.by_image(viewer, ids), ()))
        return {id_: tags for id_, tags in found.items() if tags}

    async def image_counts(self, viewer: Viewer, tag_ids: Collection[TagId]) -> dict[TagId, int]:
        """How many images have each tag; tags without any are left out."""
        slots = {id_: keys.seen_by(viewer, keys.tag_image_count(id_)) for id_ in tag_ids}
        found = await self._cache.get_many(COUNT, slots, or_else(lambda ids: self._reader.image_counts(viewer, ids), 0))
        return {id_: count for id_, count in found.items() if count}


def _of_tag(tag_id: TagId) -> tuple[str, ...]:
    """What ends whether somebody sees a tag."""
    return keys.TAG_IMAGES.format(tag=tag_id.hex), keys.TAG_DELETIONS, keys.IMAGE_DELETIONS
