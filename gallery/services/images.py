"""Changing and deleting images. Adding them is in `uploads.py`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from gallery.domain.access import Right, Viewer, require
from gallery.domain.errors import ConflictError, ErrorCode
from gallery.domain.events import Event, EventKind, JsonValue
from gallery.domain.idempotency import Claim, Snapshot
from gallery.domain.ids import ImageId
from gallery.domain.images import Image
from gallery.domain.jobs import DeleteObjects
from gallery.domain.ports import Clock, UnitOfWork, UnitOfWorkFactory
from gallery.services.changes import KEEP, Keep, kept
from gallery.services.clock import utc_now
from gallery.services.idempotency import complete_change


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageChange:
    """What to change of an image.

    With `expected_version` the change is refused if somebody else changed the image meanwhile.
    """

    image_id: ImageId
    title: str | Literal[Keep.KEEP] = KEEP
    description: str | Literal[Keep.KEEP] | None = KEEP
    expected_version: int | None = None


class ImageService:
    """Use cases of images that exist."""

    def __init__(self, unit_of_work: UnitOfWorkFactory, clock: Clock = utc_now) -> None:
        self._unit_of_work = unit_of_work
        self._clock = clock

    async def update(self, viewer: Viewer, change: ImageChange, claim: Claim | None = None) -> Image:
        """Changes title and description. A change that changes nothing is not recorded. A claim is completed with it.

        Raises:
            NotFoundError: if there is no such image.
            InvalidInputError: if a value breaks its rule.
            ConflictError: VERSION_CONFLICT if the image is at another version than expected, or another request has
                taken over the claim.
        """
        require(viewer, Right.EDIT)
        async with self._unit_of_work() as work:
            before = await work.images.get(change.image_id)
            _check_version(before, change.expected_version)
            now = self._clock()
            after = before.with_details(
                title=kept(change.title, before.title),
                description=kept(change.description, before.description),
                now=now,
            )
            image = await _changed(work, viewer, before, after, now)
            await complete_change(work, claim, Snapshot(image=image))
            await work.commit()
        return image

    async def delete(self, viewer: Viewer, image_id: ImageId, claim: Claim | None = None) -> Image:
        """Deletes an image; a job removes its bytes afterwards. Answers with the image as it was.

        A claim is completed with it.

        Raises:
            NotFoundError: if there is no such image.
            ConflictError: VERSION_CONFLICT if another request has taken over the claim.
        """
        require(viewer, Right.EDIT)
        async with self._unit_of_work() as work:
            image = await work.images.get(image_id)
            renditions = await work.images.renditions(image_id)
            albums = await work.albums.holding([image_id])
            now = self._clock()
            await work.images.save(image.deleted(now))
            await work.events.append(
                Event(
                    kind=EventKind.IMAGE_DELETED,
                    entity_id=image_id,
                    actor=viewer.id,
                    occurred_at=now,
                    payload={
                        "original_filename": image.original_filename,
                        "checksum": image.checksum,
                        "album_ids": [album.hex for album in albums],
                    },
                )
            )
            await work.jobs.enqueue(
                DeleteObjects((image.storage_path, *(rendition.storage_path for rendition in renditions)))
            )
            await complete_change(work, claim, Snapshot(image=image))
            await work.commit()
        return image


def _check_version(image: Image, expected: int | None) -> None:
    if expected is not None and expected != image.version:
        message = (
            f"The image is at version {image.version}, not {expected}: somebody else changed it. "
            "Read it again and repeat your change."
        )
        raise ConflictError(ErrorCode.VERSION_CONFLICT, message, field=("expectedVersion",))


async def _changed(work: UnitOfWork, viewer: Viewer, before: Image, after: Image, now: datetime) -> Image:
    """The image after a change, which is stored and recorded; as it was before if there is none."""
    changes = _changes(before, after)
    if not changes:
        return before
    await work.images.save(after)
    await work.events.append(
        Event(kind=EventKind.IMAGE_UPDATED, entity_id=after.id, actor=viewer.id, occurred_at=now, payload=changes)
    )
    return after


def _changes(before: Image, after: Image) -> dict[str, JsonValue]:
    pairs = {"title": (before.title, after.title), "description": (before.description, after.description)}
    return {name: {"from": old, "to": new} for name, (old, new) in pairs.items() if old != new}
