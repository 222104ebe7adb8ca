"""Data loaders: what many resolvers ask for one by one becomes one read (aiodataloader), made per request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from gallery.domain.access import Viewer, has
from gallery.domain.ids import AlbumId, ImageId, TagId
from gallery.domain.images import Image
from gallery.domain.pages import Page, PageRequest
from gallery.domain.ports import AlbumReader, ImageReader, TagReader
from gallery.domain.records import AlbumRecord, ImageRecord, Records, RenditionRecord, TagRecord
from gallery.domain.shares import AlbumShare
from gallery.web.graphql.lazily import made_once
from gallery.web.graphql.level_loader import LevelLoader

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
D = TypeVar("D")

Read = Callable[[Viewer, Collection[K]], Awaitable[Mapping[K, V]]]
"""A reader's method: what it knows of many ids, leaving out those that it knows nothing of."""

EMPTY_PAGE: Page[ImageRecord] = Page.of((), has_next=False, has_previous=False)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a list that belongs to something: the key of a loader of pages."""

    owner_id: AlbumId | TagId
    page: PageRequest


class Loaders:
    """The relations of the schema, each named after what it gives and what it is asked by."""

    def __init__(
        self, viewer: Viewer, records: Records, images: ImageReader, tags: TagReader, albums: AlbumReader
    ) -> None:
        self._viewer = viewer
        self._records = records
        self._images = images
        self._tags = tags
        self._albums = albums

    @made_once
    def image_by_id(self) -> LevelLoader[ImageId, ImageRecord | None]:
        """An image, or None if there is no such image."""
        return self._loader(self._records.images.get_many, None)

    @made_once
    def whole_image_by_id(self) -> LevelLoader[ImageId, Image | None]:
        """The same with all fields, for those who do more with it than to show it."""
        return self._loader(self._images.get_many, None)

    @made_once
    def tag_by_id(self) -> LevelLoader[TagId, TagRecord | None]:
        """A tag, or None if there is no such tag."""
        return self._loader(self._records.tags.get_many, None)

    @made_once
    def album_by_id(self) -> LevelLoader[AlbumId, AlbumRecord | None]:
        """An album, or None if there is no such album."""
        return self._loader(self._records.albums.get_many, None)

    @made_once
    def renditions_by_image_id(self) -> LevelLoader[ImageId, tuple[RenditionRecord, ...]]:
        """The renditions of an image, smallest first."""
        return self._loader(self._records.images.renditions, ())

    @made_once
    def tags_by_image_id(self) -> LevelLoader[ImageId, tuple[TagRecord, ...]]:
        """The tags of an image, by name."""
        return self._loader(self._records.tags.by_image, ())

    @made_once
    def albums_by_image_id(self) -> LevelLoader[ImageId, tuple[AlbumRecord, ...]]:
        """The albums that hold an image, oldest first."""
        return self._loader(self._records.albums.by_image, ())

    @made_once
    def image_count_by_tag_id(self) -> LevelLoader[TagId, int]:
        """How many images have a tag."""
        return self._loader(self._tags.image_counts, 0)

    @made_once
    def image_count_by_album_id(self) -> LevelLoader[AlbumId, int]:
        """How many images an album holds."""
        return self._loader(self._albums.image_counts, 0)

    @made_once
    def cover_by_album_id(self) -> LevelLoader[AlbumId, ImageRecord | None]:
        """The cover of an album, or None if the album is empty."""
        albums, images, viewer = self._albums, self._records.images, self._viewer

        async def read(album_ids: list[AlbumId]) -> dict[AlbumId, ImageRecord | None]:
            covers = await albums.cover_ids(viewer, album_ids)
            found = await images.get_many(viewer, set(covers.values()))
            return {album_id: found.get(image_id) for album_id, image_id in covers.items()}

        return LevelLoader(read, None)

    @made_once
    def shares_by_album_id(self) -> LevelLoader[AlbumId, tuple[AlbumShare, ...] | None]:
        """With whom an album is shared, or None if the viewer does not have it."""
        albums, viewer = self._albums, self._viewer

        async def read(album_ids: list[AlbumId]) -> dict[AlbumId, tuple[AlbumShare, ...] | None]:
            found = await albums.get_many(viewer, album_ids)
            own = [id_ for id_, album in found.items() if has(viewer, album)]
            shares = await albums.shares(viewer, own) if own else {}
            return {id_: shares.get(id_, ()) for id_ in own}

        return LevelLoader(read, None)

    @made_once
    def images_by_album(self) -> LevelLoader[Part, Page[ImageRecord]]:
        """A part of an album, in its order."""
        images, viewer = self._records.images, self._viewer
        return _page_loader(lambda ids, page: images.pages_by_album(viewer, [AlbumId(id_) for id_ in ids], page))

    @made_once
    def images_by_tag(self) -> LevelLoader[Part, Page[ImageRecord]]:
        """A part of the images of a tag, newest upload first."""
        images, viewer = self._records.images, self._viewer
        return _page_loader(lambda ids, page: images.pages_by_tag(viewer, [TagId(id_) for id_ in ids], page))

    def _loader(self, read: Read[K, V], missing: D) -> LevelLoader[K, V | D]:
        return LevelLoader(partial(read, self._viewer), missing)


def _page_loader(
    read: Callable[
        [list[AlbumId | TagId], PageRequest],
        Awaitable[Mapping[AlbumId, Page[ImageRecord]] | Mapping[TagId, Page[ImageRecord]]],
    ],
) -> LevelLoader[Part, Page[ImageRecord]]:
    """Asks once for all that want the same part of their lists."""

    async def load(parts: list[Part]) -> dict[Part, Page[ImageRecord]]:
        by_page: dict[PageRequest, list[AlbumId | TagId]] = {}
        for part in parts:
            by_page.setdefault(part.page, []).append(part.owner_id)
        found: dict[Part, Page[ImageRecord]] = {}
        for page, owners in by_page.items():
            pages = await read(owners, page)
            found.update({Part(owner, page): content for owner, content in pages.items()})
        return found

    return LevelLoader(load, EMPTY_PAGE)
