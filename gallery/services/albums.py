"""Making, changing and deleting albums, and what is in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from gallery.domain.access import Right, Viewer, require
from gallery.domain.albums import Album, clean_album_title
from gallery.domain.errors import ErrorCode, InvalidInputError, NotFoundError
from gallery.domain.events import EntityKind, Event, EventKind, JsonValue
from gallery.domain.idempotency import Claim, Snapshot
from gallery.domain.ids import AlbumId, ImageId, new_album_id
from gallery.domain.names import clean_description
from gallery.domain.ports import Clock, UnitOfWork, UnitOfWorkFactory
from gallery.services.bulk import BulkResult, distinct
from gallery.services.changes import KEEP, Keep, kept
from gallery.services.clock import utc_now
from gallery.services.idempotency import complete_change


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAlbum:
    """An album to make, and the images to put in it, in this order."""

    title: str
    description: str | None = None
    image_ids: Sequence[ImageId] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AlbumChange:
    """What to change of an album. A cover of None means: the first image."""

    album_id: AlbumId
    title: str | Literal[Keep.KEEP] = KEEP
    description: str | Literal[Keep.KEEP] | None = KEEP
    cover_id: ImageId | Literal[Keep.KEEP] | None = KEEP


class AlbumService:
    """Use cases of albums."""

    def __init__(self, unit_of_work: UnitOfWorkFactory, clock: Clock = utc_now) -> None:
        self._unit_of_work = unit_of_work
        self._clock = clock

    async def create(self, viewer: Viewer, new: NewAlbum, claim: Claim | None = None) -> Album:
        """Makes an album. A claim is completed with it.

        Raises:
            InvalidInputError: if a value breaks its rule, or more than 100 images are given.
            NotFoundError: if one of the images does not exist; then there is no album either.
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
        )
        async with self._unit_of_work() as work:
            found = await work.images.get_many(wanted)
            if len(found) < len(wanted):
                index = next(index for index, id_ in enumerate(new.image_ids) if id_ not in found)
                raise NotFoundError.of(EntityKind.IMAGE, field=("imageIds", str(index)))
            await work.albums.add(album)
            await work.events.append(_event(EventKind.ALBUM_CREATED, viewer, album.id, now, {"title": album.title}))
            await append_images(work, viewer, album.id, wanted, now)
            if claim is not None:
                await work.claims.complete(claim.completed(album.id))
            await work.commit()
        return album

    async def update(self, viewer: Viewer, change: AlbumChange, claim: Claim | None = None) -> Album:
        """Changes title, description and cover. A change that changes nothing is not recorded.

        A claim is completed with it.

        Raises:
            NotFoundError: if there is no such album.
            InvalidInputError: if a value breaks its rule, or the cover is not in the album.
            ConflictError: VERSION_CONFLICT if another request has taken over the claim.
        """
        require(viewer, Right.EDIT)
        async with self._unit_of_work() as work:
            if isinstance(change.cover_id, UUID):  # locked, so that it is not deleted meanwhile; images before albums
                await work.images.get_many([change.cover_id])
            before = await work.albums.get(change.album_id)
            now = self._clock()
            after = before.with_details(
                title=kept(change.title, before.title),
                description=kept(change.description, before.description),
                cover_id=kept(change.cover_id, before.cover_id),
                now=now,
            )
            album = await _changed(work, viewer, before, after, now)
            await complete_change(work, claim, Snapshot(album=album))
            await work.commit()
        return album

    async def delete(self, viewer: Viewer, album_id: AlbumId, claim: Claim | None = None) -> Album:
        """Deletes an album, never its images. Answers with the album as it was. A claim is completed with it.

        Raises:
            NotFoundError: if there is no such album.
            ConflictError: VERSION_CONFLICT if another request has taken over the claim.
        """
        require(viewer, Right.EDIT)
        async with self._unit_of_work() as work:
            album = await work.albums.get(album_id)
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

        A claim is completed with it.

        Raises:
            NotFoundError: if there is no such album.
            InvalidInputError: TOO_MANY_ITEMS for more than 100 images.
            ConflictError: VERSION_CONFLICT if another request has taken over the claim.
        """
        require(viewer, Right.CONTRIBUTE)
        wanted = distinct(image_ids, field=("imageIds",))
        async with self._unit_of_work() as work:
            images = await work.images.get_many(wanted)
            album = await work.albums.get(album_id)
            now = self._clock()
            if await append_images(work, viewer, album_id, [id_ for id_ in wanted if id_ in images], now):
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
            NotFoundError: if there is no such album.
            InvalidInputError: TOO_MANY_ITEMS for more than 100 images.
            ConflictError: VERSION_CONFLICT if another request has taken over the claim.
        """
        require(viewer, Right.CONTRIBUTE)
        wanted = distinct(image_ids, field=("imageIds",))
        async with self._unit_of_work() as work:
            images = await work.images.get_many(wanted)
            album = await work.albums.get(album_id)
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
    work: UnitOfWork, viewer: Viewer, album_id: AlbumId, image_ids: Sequence[ImageId], now: datetime
) -> bool:
    """Puts images at the end of an album within a transaction and records it; tells whether any was new to it."""
    if not image_ids:
        return False
    added = await work.albums.append(album_id, image_ids)
    if not added:
        return False
    payload: dict[str, JsonValue] = {"image_ids": [id_.hex for id_ in added]}
    await work.events.append(_event(EventKind.ALBUM_IMAGES_ADDED, viewer, album_id, now, payload))
    return True


async def _changed(work: UnitOfWork, viewer: Viewer, before: Album, after: Album, now: datetime) -> Album:
    """The album after a change, which is stored and recorded; as it was before if there is none.

    Raises:
        InvalidInputError: if the cover is not in the album.
    """
    changes = _changes(before, after)
    if not changes:
        return before
    if "cover_id" in changes and after.cover_id is not None:
        await _check_cover(work, before.id, after.cover_id)
    await work.albums.save(after)
    await work.events.append(_event(EventKind.ALBUM_UPDATED, viewer, after.id, now, changes))
    return after


async def _check_cover(work: UnitOfWork, album_id: AlbumId, cover_id: ImageId) -> None:
    if cover_id not in await work.albums.members(album_id, [cover_id]):
        message = "The cover must be an image of the album. Add the image to the album first."
        raise InvalidInputError(ErrorCode.INVALID_INPUT, message, field=("coverId",))


def _event(kind: EventKind, viewer: Viewer, album_id: AlbumId, now: datetime, payload: dict[str, JsonValue]) -> Event:
    return Event(kind=kind, entity_id=album_id, actor=viewer.id, occurred_at=now, payload=payload)


def _changes(before: Album, after: Album) -> dict[str, JsonValue]:
    pairs = {
        "title": (before.title, after.title),
        "description": (before.description, after.description),
        "cover_id": (_hex(before.cover_id), _hex(after.cover_id)),
    }
    return {name: {"from": old, "to": new} for name, (old, new) in pairs.items() if old != new}


def _hex(image_id: ImageId | None) -> str | None:
    return None if image_id is None else image_id.hex
