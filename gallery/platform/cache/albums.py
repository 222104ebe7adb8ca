"""Albums through the cache."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from gallery.domain.access import GALLERY_ITSELF, Viewer, may_see
from gallery.domain.albums import Album
from gallery.domain.ids import AlbumId, ImageId
from gallery.domain.pages import AlbumQuery, Page
from gallery.domain.ports import AlbumReader
from gallery.domain.shares import AlbumShare
from gallery.platform.cache import keys
from gallery.platform.cache.cache import Cache
from gallery.platform.cache.kinds import ALBUM, COUNT, ID_OR_NONE, IDS
from gallery.platform.cache.reading import or_else, read_page, report_items


class CachedAlbumReader:
    """An AlbumReader before another one."""

    def __init__(self, reader: AlbumReader, cache: Cache) -> None:
        self._reader = reader
        self._cache = cache

    async def get_many(self, viewer: Viewer, album_ids: Collection[AlbumId]) -> dict[AlbumId, Album]:
        """Those of the albums that exist."""
        albums = await self._whole(album_ids)
        hidden = [id_ for id_, album in albums.items() if not may_see(viewer, album)]
        shared = await self.shared(viewer, hidden) if hidden else set()
        return {id_: album for id_, album in albums.items() if id_ in shared or id_ not in hidden}

    async def shared(self, viewer: Viewer, album_ids: Collection[AlbumId]) -> set[AlbumId]:
        """Those of the albums that are shared with the viewer."""
        slots = {id_: keys.album_shared(viewer, id_) for id_ in album_ids}

        async def load(ids: list[AlbumId]) -> dict[AlbumId, int]:
            found = await self._reader.shared(viewer, ids)
            return {id_: int(id_ in found) for id_ in ids}

        return {id_ for id_, is_shared in (await self._cache.get_many(COUNT, slots, load)).items() if is_shared}

    async def shares(self, viewer: Viewer, album_ids: Collection[AlbumId]) -> dict[AlbumId, tuple[AlbumShare, ...]]:
        """With whom each album is shared. Not cached: owners look at it when they change it."""
        return await self._reader.shares(viewer, album_ids)

    async def list_page(self, viewer: Viewer, query: AlbumQuery) -> Page[Album]:
        """One page of the albums."""
        return await read_page(
            self._cache,
            keys.seen_by(viewer, keys.album_page(query)),
            lambda: self._reader.list_page(viewer, query),
            self._whole,
            keys.album,
        )

    async def count(self, viewer: Viewer, text: str | None) -> int:
        """How many albums have the text in their title."""
        slot = keys.seen_by(viewer, keys.album_count(text))
        return await self._cache.get(COUNT, slot, lambda: self._reader.count(viewer, text))

    async def by_image(self, viewer: Viewer, image_ids: Collection[ImageId]) -> dict[ImageId, tuple[Album, ...]]:
        """The albums of each image, oldest first; images in none are left out."""
        fresh: dict[UUID, Album] = {}

        async def load(ids: list[ImageId]) -> dict[ImageId, tuple[UUID, ...]]:
            found = await self._reader.by_image(viewer, ids)
            fresh.update({album.id: album for albums in found.values() for album in albums})
            return {id_: tuple(album.id for album in found.get(id_, ())) for id_ in ids}

        slots = {id_: keys.seen_by(viewer, keys.image_albums(id_)) for id_ in image_ids}
        ids_by_image = await self._cache.get_many(IDS, slots, load)
        report_items(keys.album, (id_ for ids in ids_by_image.values() for id_ in ids))
        wanted = {AlbumId(id_): None for ids in ids_by_image.values() for id_ in ids if id_ not in fresh}
        albums = fresh | dict(await self._whole(wanted))
        by_image = {id_: tuple(albums[album] for album in ids if album in albums) for id_, ids in ids_by_image.items()}
        return {id_: albums_of_image for id_, albums_of_image in by_image.items() if albums_of_image}

    async def image_counts(self, viewer: Viewer, album_ids: Collection[AlbumId]) -> dict[AlbumId, int]:
        """How many images each album holds; empty albums are left out."""
        slots = {id_: keys.seen_by(viewer, keys.album_image_count(id_)) for id_ in album_ids}
        found = await self._cache.get_many(COUNT, slots, or_else(lambda ids: self._reader.image_counts(viewer, ids), 0))
        return {id_: count for id_, count in found.items() if count}

    async def cover_ids(self, viewer: Viewer, album_ids: Collection[AlbumId]) -> dict[AlbumId, ImageId]:
        """The cover of each album: the chosen image, else the first; empty albums are left out."""

        async def load(ids: list[AlbumId]) -> dict[AlbumId, UUID | None]:
            found = await self._reader.cover_ids(viewer, ids)
            return {id_: found.get(id_) for id_ in ids}

        slots = {id_: keys.seen_by(viewer, keys.album_cover(id_), keys.ALBUM_LISTS) for id_ in album_ids}
        found = await self._cache.get_many(ID_OR_NONE, slots, load)
        return {id_: ImageId(cover) for id_, cover in found.items() if cover is not None}

    async def _whole(self, album_ids: Collection[AlbumId]) -> dict[AlbumId, Album]:
        """Those of the albums that exist, whoever may see them: kept once for all."""
        slots = {id_: keys.album(id_) for id_ in album_ids}
        return await self._cache.get_many(ALBUM, slots, lambda ids: self._reader.get_many(GALLERY_ITSELF, ids))
