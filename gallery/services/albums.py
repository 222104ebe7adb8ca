"""Making, changing and deleting albums, and what is in them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from gallery.domain.access import Right, Viewer, Visibility, offering, require, require_any, require_show
from gallery.domain.albums import Album, clean_album_title
from gallery.domain.errors import ErrorCode, InvalidInputError, NotFoundError
from gallery.domain.events import EntityKind, Event, EventKind, JsonValue
from gallery.domain.idempotency import Claim, Snapshot
from gallery.domain.ids import AlbumId, ImageId, new_album_id
from gallery.domain.names import clean_description
from gallery.domain.ports import Clock, UnitOfWork, UnitOfWorkFactory
from gallery.services.bulk import BulkResult, distinct
from gallery.services.changes import KEEP, Keep, differences, kept
from gallery.services.clock import utc_now
from gallery.services.idempotency import complete_change
from gallery.services.sight import album_to_change, see_album, see_images


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAlbum:
    """An album to make, and the images to put in it, in this order. A visibility of None is the default."""

    title: str
    description: str | None = None
    image_ids: Sequence[ImageId] = ()
    visibility: Visibility | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlbumChange:
    """What to change of an album. A cover of None means: the first image."""

    album_id: AlbumId
    title: str | Literal[Keep.KEEP] = KEEP
    description: str | Literal[Keep.KEEP] | None = KEEP
    cover_id: ImageId | Literal[Keep.KEEP] | None = KEEP
    visibility: Visibility | Literal[Keep.KEEP] = KEEP


class AlbumService:
    """Use cases of albums."""

    def __init__(
        self,
        unit_of_work: UnitOfWorkFactory,
        clock: Clock = utc_now,
        *,
        default_visibility: Visibility = Visibility.PRIVATE,
    ) -> None:
        self._unit_of_work = unit_of_work
        self._clock = clock
        self._default_visibility = default_visibility

    async def create(self, viewer: Viewer, new: NewAlbum, claim: Claim | None = None) -> Album:
        """Makes an album. A claim is completed with it.

        Raises:
            InvalidInputError: if a value breaks its rule, or more than 100 images are given.
            NotFoundError: if the viewer sees no such image as one of these; then there is no album either.
            ConflictError: VERSION_CONFLICT if another request has taken over the claim.
        """
        require(viewer, Right.CONTRIBUTE)
        now = self._clock()
        wanted = distinct(new.image_ids, field=("imageIds",))
        album = Album(
            id=new_album_id(),
            owner=viewer.id,
            title=clean_album_title(new.title),
            description=clean_description(new.description),
            cover_id=None,
            created_at=now,
            updated_at=now,
            visibility=new.visibility or self._default_visibility,
        )
        async with self._unit_of_work() as work:
            found = await see_images(work, viewer, wanted)
            if len(found) < len(wanted):
                index = next(index for index, id_ in enumerate(new.image_ids) if id_ not in found)
                raise NotFoundError.of(EntityKind.IMAGE, field=("imageIds", str(index)))
            await work.albums.add(album)
            await work.events.append(_event(EventKind.ALBUM_CREATED, viewer, album.id, now, {"title": album.title}))
            await append_images(work, viewer, album, wanted, now)
            if claim is not None:
                await work.claims.complete(claim.completed(album.id))
            await work.commit()
        return album

    async def update(self, viewer: Viewer, change: AlbumChange, claim: Claim | None = None) -> Album:
        """Changes title, description, cover and visibility. A change that changes nothing is not recorded.

        A claim is completed with it.

        Raises:
            NotFoundError: if the viewer sees no such album.
            ForbiddenError: if the viewer may not change it, or not say to whom it is shown.
            InvalidInputError: if a value breaks its rule, or the cover is not in the album.
            ConflictError: VERSION_CONFLICT if another request has taken over the claim.
        """
        require_any(viewer, Right.CONTRIBUTE, Right.EDIT)
        async with self._unit_of_work() as work:
            # the cover is locked, so that it is not deleted meanwhile; images before albums
            covers = await see_images(work, viewer, [change.cover_id] if isinstance(change.cover_id, UUID) else [])
            before = await album_to_change(work, viewer, change.album_id)
            if kept(change.visibility, before.visibility) is not before.visibility:
                require_show(viewer, before)
            now = self._clock()
            after = before.with_details(
                title=kept(change.title, before.title),
                description=kept(change.description, before.description),
                cover_id=kept(change.cover_id, before.cover_id),
                visibility=kept(change.visibility, before.visibility),
                now=now,
            )
            if after.cover_id not in {None, before.cover_id}:
                await _check_cover(work, before.id, covers)
            album = await _changed(work, viewer, before, after, now)
            await complete_change(work, claim, Snapshot(album=album))
            await work.commit()
        return album

    async def delete(self, viewer: Viewer, album_id: AlbumId, claim: Claim | None = None) -> Album:
        """Deletes an album, never its images. Answers with the album as it was. A claim is completed with it.

        Raises:
            NotFoundError: if the viewer sees no such album.
            ForbiddenError: if the viewer may not delete it.
            ConflictError: VERSION_CONFLICT if another request has taken over the claim.
        """
        require_any(viewer, Right.CONTRIBUTE, Right.EDIT)
        async with self._unit_of_work() as work:
            album = await album_to_change(work, viewer, album_id)
            image_ids = await work.albums.delete(album_id)
            payload: dict[str, JsonValue] = {"title": album.title, "image_count": len(image_ids)}
            await work.events.append(_event(EventKind.ALBUM_DELETED, viewer, album_id, self._clock(), payload))
            await complete_change(work, claim, Snapshot(album=album))
            await work.commit()
        return album

    async def add_images(
        self, viewer: Viewer, album_id: AlbumId, image_ids: Sequence[ImageId], claim: Claim | None = None
    ) -> tuple[Album, BulkResult]:
        """Puts images at the end of an album, in this order. Those that are in it already stay where they are.

        Images of the viewer, however private, are shown to whoever is shown the album; so are those of its owner, if
        an administrator puts them there.

        A claim is completed with it.

        Raises:
            NotFoundError: if the viewer sees no such album.
            ForbiddenError: if the viewer may not put these images into it.
            InvalidInputError: TOO_MANY_ITEMS for more than 100 images.
            ConflictError: VERSION_CONFLICT if another request has taken over the claim.
        """
        require(viewer, Right.CONTRIBUTE)
        wanted = distinct(image_ids, field=("imageIds",))
        async with self._unit_of_work() as work:
            images = await see_images(work, viewer, wanted)
            seen = await see_album(work, viewer, album_id)
            seen.check_fill(viewer, images.values())
            album, now = seen.album, self._clock()
            if await append_images(work, viewer, album, [id_ for id_ in wanted if id_ in images], now):
                album = album.touched(now)
                await work.albums.save(album)
            await complete_change(work, claim, Snapshot(album=album, image_ids=tuple(images)))
            await work.commit()
        return album, BulkResult.of(wanted, images)

    async def remove_images(
        self, viewer: Viewer, album_id: AlbumId, image_ids: Sequence[ImageId], claim: Claim | None = None
    ) -> tuple[Album, BulkResult]:
        """Takes images out of an album; they stay in the gallery. Those that are not in it do not matter.

        A claim is completed with it.

        Raises:
            NotFoundError: if the viewer sees no such album.
            ForbiddenError: if the viewer may not take these images out of it.
            InvalidInputError: TOO_MANY_ITEMS for more than 100 images.
            ConflictError: VERSION_CONFLICT if another request has taken over the claim.
        """
        require(viewer, Right.CONTRIBUTE)
        wanted = distinct(image_ids, field=("imageIds",))
        async with self._unit_of_work() as work:
            images = await see_images(work, viewer, wanted)
            seen = await see_album(work, viewer, album_id)
            seen.check_empty(viewer, images.values())
            album = seen.album
            removed = await work.albums.remove(album_id, list(images))
            if removed:
                now = self._clock()
                album = album.without_cover(removed).touched(now)
                await work.albums.save(album)
                payload: dict[str, JsonValue] = {"image_ids": [id_.hex for id_ in removed]}
                await work.events.append(_event(EventKind.ALBUM_IMAGES_REMOVED, viewer, album_id, now, payload))
            await complete_change(work, claim, Snapshot(album=album, image_ids=tuple(images)))
            await work.commit()
        return album, BulkResult.of(wanted, images)


async def append_images(
    work: UnitOfWork, viewer: Viewer, album: Album, image_ids: Sequence[ImageId], now: datetime
) -> bool:
    """Puts images at the end of an album within a transaction and records it; tells whether that changed anything."""
    if not image_ids:
        return False
    added = await work.albums.append(album.id, image_ids, offered_by=offering(viewer, album))
    if not added:
        return False
    payload: dict[str, JsonValue] = {"image_ids": [id_.hex for id_ in added]}
    await work.events.append(_event(EventKind.ALBUM_IMAGES_ADDED, viewer, album.id, now, payload))
    return True


async def _changed(work: UnitOfWork, viewer: Viewer, before: Album, after: Album, now: datetime) -> Album:
    """The album after a change, which is stored and recorded; as it was before if there is none."""
    shown = {"visibility": (before.visibility, after.visibility)}
    kinds = {EventKind.ALBUM_UPDATED: _details(before, after), EventKind.ALBUM_VISIBILITY_CHANGED: differences(shown)}
    events = [_event(kind, viewer, after.id, now, changes) for kind, changes in kinds.items() if changes]
    if not events:
        return before
    await work.albums.save(after)
    await work.events.append(*events)
    return after


async def _check_cover(work: UnitOfWork, album_id: AlbumId, covers: Collection[ImageId]) -> None:
    """Passes if the cover is an image that the viewer sees, and in the album.

    Raises:
        InvalidInputError: if not.
    """
    if not await work.albums.members(album_id, covers):
        message = "The cover must be an image of the album. Add the image to the album first."
        raise InvalidInputError(ErrorCode.INVALID_INPUT, message, field=("coverId",))


def _event(kind: EventKind, viewer: Viewer, album_id: AlbumId, now: datetime, payload: dict[str, JsonValue]) -> Event:
    return Event(kind=kind, entity_id=album_id, actor=viewer.id, occurred_at=now, payload=payload)


def _details(before: Album, after: Album) -> dict[str, JsonValue]:
    return differences(
        {
            "title": (before.title, after.title),
            "description": (before.description, after.description),
            "cover_id": (_hex(before.cover_id), _hex(after.cover_id)),
        }
    )


def _hex(image_id: ImageId | None) -> str | None:
    return None if image_id is None else image_id.hex
