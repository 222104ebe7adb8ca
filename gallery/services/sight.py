"""What a viewer finds within a transaction, and may change of it. What they are not shown is not there for them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from gallery.domain.access import NOT_YOURS, Viewer, has, may_change, may_see, require_change, require_show
from gallery.domain.albums import Album
from gallery.domain.errors import ForbiddenError, NotFoundError
from gallery.domain.events import EntityKind
from gallery.domain.ids import AlbumId, ImageId
from gallery.domain.images import Image
from gallery.domain.ports import UnitOfWork
from gallery.domain.shares import ShareLevel


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenAlbum:
    """An album that the viewer sees, and how it is shared with them."""

    album: Album
    level: ShareLevel | None

    def is_changed_by(self, viewer: Viewer) -> bool:
        """Whether the viewer may change the album."""
        return may_change(viewer, self.album, is_shared=self.level is not None)

    def check_fill(self, viewer: Viewer, images: Collection[Image]) -> None:
        """Passes if the viewer may put these images, which they see, into the album.

        Raises:
            ForbiddenError: if not: with whom it is shared for that may put their own there.
        """
        if self.is_changed_by(viewer):
            return
        if self.level is not ShareLevel.CONTRIBUTE:
            raise ForbiddenError(NOT_YOURS)
        self._check_own(viewer, images)

    def check_empty(self, viewer: Viewer, images: Collection[Image]) -> None:
        """Passes if the viewer may take these images, which they see, out of the album.

        Raises:
            ForbiddenError: if not: whoever sees the album may take their own out of it.
        """
        if not self.is_changed_by(viewer):
            self._check_own(viewer, images)

    @staticmethod
    def _check_own(viewer: Viewer, images: Collection[Image]) -> None:
        if any(image.owner != viewer.id for image in images):
            message = "The album belongs to somebody else: put your own images into it, or take them out; no others."
            raise ForbiddenError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenImages:
    """Images that the viewer sees: those that they may change, and those that they may not."""

    changed: dict[ImageId, Image]
    refused: tuple[ImageId, ...]


async def see_images(work: UnitOfWork, viewer: Viewer, image_ids: Collection[ImageId]) -> dict[ImageId, Image]:
    """Those of the images that the viewer sees, locked until the transaction ends."""
    found, offered = await _found(work, viewer, image_ids)
    return {id_: image for id_, image in found.items() if may_see(viewer, image, is_shared=id_ in offered)}


async def images_to_change(work: UnitOfWork, viewer: Viewer, image_ids: Collection[ImageId]) -> SeenImages:
    """The same, told apart by whether the viewer may change them."""
    found, offered = await _found(work, viewer, image_ids)
    seen = {id_: image for id_, image in found.items() if may_see(viewer, image, is_shared=id_ in offered)}
    changed = {id_: image for id_, image in seen.items() if may_change(viewer, image, is_shared=id_ in offered)}
    return SeenImages(changed=changed, refused=tuple(id_ for id_ in seen if id_ not in changed))


async def image_to_change(work: UnitOfWork, viewer: Viewer, image_id: ImageId) -> Image:
    """An image that the viewer may change, locked until the transaction ends.

    Raises:
        NotFoundError: if the viewer sees none.
        ForbiddenError: if the viewer sees it and may not change it.
    """
    seen = await images_to_change(work, viewer, [image_id])
    if seen.refused:
        raise ForbiddenError(NOT_YOURS)
    if image_id not in seen.changed:
        raise NotFoundError.of(EntityKind.IMAGE)
    return seen.changed[image_id]


async def see_album(work: UnitOfWork, viewer: Viewer, album_id: AlbumId) -> SeenAlbum:
    """The album, locked until the transaction ends.

    Raises:
        NotFoundError: if the viewer sees none.
    """
    album = await work.albums.get(album_id)
    level = None if has(viewer, album) else await work.shares.level(album_id, viewer.id)
    if not may_see(viewer, album, is_shared=level is not None):
        raise NotFoundError.of(EntityKind.ALBUM)
    return SeenAlbum(album=album, level=level)


async def image_to_show(work: UnitOfWork, viewer: Viewer, image_id: ImageId) -> Image:
    """An image of which the viewer says to whom it is shown, locked until the transaction ends.

    Raises:
        NotFoundError: if the viewer sees none.
        ForbiddenError: if the viewer sees it and does not have it.
    """
    seen = await see_images(work, viewer, [image_id])
    if image_id not in seen:
        raise NotFoundError.of(EntityKind.IMAGE)
    require_show(viewer, seen[image_id])
    return seen[image_id]


async def album_to_show(work: UnitOfWork, viewer: Viewer, album_id: AlbumId) -> Album:
    """The same of an album.

    Raises:
        NotFoundError: if the viewer sees none.
        ForbiddenError: if the viewer sees it and does not have it.
    """
    album = (await see_album(work, viewer, album_id)).album
    require_show(viewer, album)
    return album


async def album_to_change(work: UnitOfWork, viewer: Viewer, album_id: AlbumId) -> Album:
    """The same, for who may change it.

    Raises:
        NotFoundError: if the viewer sees none.
        ForbiddenError: if the viewer sees it and may not change it.
    """
    seen = await see_album(work, viewer, album_id)
    require_change(viewer, seen.album, is_shared=seen.level is not None)
    return seen.album


async def album_to_fill(work: UnitOfWork, viewer: Viewer, album_id: AlbumId) -> Album:
    """The same, for who may put images of their own into it.

    Raises:
        NotFoundError: if the viewer sees none.
        ForbiddenError: if the viewer sees it and may not.
    """
    seen = await see_album(work, viewer, album_id)
    seen.check_fill(viewer, ())
    return seen.album


async def _found(
    work: UnitOfWork, viewer: Viewer, image_ids: Collection[ImageId]
) -> tuple[dict[ImageId, Image], set[ImageId]]:
    """The images that exist, and those that nothing but an album shows to the viewer."""
    found = await work.images.get_many(image_ids)
    hidden = [id_ for id_, image in found.items() if not may_see(viewer, image)]
    return found, await work.shares.offered(viewer.id, hidden) if hidden else set()
