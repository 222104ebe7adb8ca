"""Images through the cache."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from gallery.domain.access import GALLERY_ITSELF, Viewer, may_see
from gallery.domain.ids import AlbumId, ImageId, TagId
from gallery.domain.images import Image, Rendition
from gallery.domain.pages import GalleryStats, ImageFilter, ImageQuery, Page, PageRequest
from gallery.domain.ports import ImageReader
from gallery.platform.cache import keys
from gallery.platform.cache.cache import Cache
from gallery.platform.cache.kinds import COUNT, IMAGE, RENDITIONS, STATS
from gallery.platform.cache.reading import or_else, read_page, read_pages

_OF_STATS: Final = (keys.IMAGE_LISTS, keys.TAG_LISTS, keys.ALBUM_LISTS, keys.TAGGED_LISTS)
"""The last as which tags somebody sees depends on which images have them."""


class CachedImageReader:
    """An ImageReader before another one."""

    def __init__(self, reader: ImageReader, cache: Cache) -> None:
        self._reader = reader
        self._cache = cache

    async def get_many(self, viewer: Viewer, image_ids: Collection[ImageId]) -> dict[ImageId, Image]:
        """Those of the images that exist."""
        images = await self._whole(image_ids)
        hidden = [id_ for id_, image in images.items() if not may_see(viewer, image)]
        offered = await self.offered(viewer, hidden) if hidden else set()
        return {id_: image for id_, image in images.items() if id_ in offered or id_ not in hidden}

    async def offered(self, viewer: Viewer, image_ids: Collection[ImageId]) -> set[ImageId]:
        """Those of the images that their owners show to the viewer in an album."""
        slots = {id_: keys.image_offered(viewer, id_) for id_ in image_ids}

        async def load(ids: list[ImageId]) -> dict[ImageId, int]:
            found = await self._reader.offered(viewer, ids)
            return {id_: int(id_ in found) for id_ in ids}

        return {id_ for id_, is_offered in (await self._cache.get_many(COUNT, slots, load)).items() if is_offered}

    async def list_page(self, viewer: Viewer, query: ImageQuery) -> Page[Image]:
        """One page of the images."""
        return await read_page(
            self._cache,
            keys.seen_by(viewer, keys.image_page(query)),
            lambda: self._reader.list_page(viewer, query),
            self._whole,
            keys.image,
        )

    async def count(self, viewer: Viewer, image_filter: ImageFilter) -> int:
        """How many images a filter leaves."""
        slot = keys.seen_by(viewer, keys.image_count(image_filter))
        return await self._cache.get(COUNT, slot, lambda: self._reader.count(viewer, image_filter))

    async def known_checksums(self, viewer: Viewer, checksums: Collection[str]) -> dict[str, ImageId]:
        """Those of the checksums that the viewer's own images have. Not cached: asked once before an upload."""
        return await self._reader.known_checksums(viewer, checksums)

    async def renditions(self, viewer: Viewer, image_ids: Collection[ImageId]) -> dict[ImageId, tuple[Rendition, ...]]:
        """The renditions of each image, smallest first; images without any are left out."""
        slots = {id_: keys.image_renditions(id_) for id_ in image_ids}
        found = await self._cache.get_many(
            RENDITIONS, slots, or_else(lambda ids: self._reader.renditions(viewer, ids), ())
        )
        return {id_: renditions for id_, renditions in found.items() if renditions}

    async def pages_by_album(
        self, viewer: Viewer, album_ids: Collection[AlbumId], page: PageRequest
    ) -> dict[AlbumId, Page[Image]]:
        """The same part of each album, in the order of the album; positions hold the place in the album."""
        return await read_pages(
            self._cache,
            {id_: keys.seen_by(viewer, keys.album_images_page(id_, page)) for id_ in album_ids},
            lambda ids: self._reader.pages_by_album(viewer, ids, page),
            self._whole,
            keys.image,
        )

    async def pages_by_tag(
        self, viewer: Viewer, tag_ids: Collection[TagId], page: PageRequest
    ) -> dict[TagId, Page[Image]]:
        """The same part of each tag's images, newest upload first; positions hold the time of upload."""
        return await read_pages(
            self._cache,
            {id_: keys.seen_by(viewer, keys.tag_images_page(id_, page)) for id_ in tag_ids},
            lambda ids: self._reader.pages_by_tag(viewer, ids, page),
            self._whole,
            keys.image,
        )

    async def stats(self, viewer: Viewer) -> GalleryStats:
        """What the gallery holds."""
        slot = keys.seen_by(viewer, keys.stats(), *_OF_STATS)
        return await self._cache.get(STATS, slot, lambda: self._reader.stats(viewer))

    async def _whole(self, image_ids: Collection[ImageId]) -> dict[ImageId, Image]:
        """Those of the images that exist, whoever may see them: kept once for all."""
        slots = {id_: keys.image(id_) for id_ in image_ids}
        return await self._cache.get_many(IMAGE, slots, lambda ids: self._reader.get_many(GALLERY_ITSELF, ids))
