"""Changing and deleting images, and who is shown them. Adding them is in `uploads.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from gallery.domain.access import Right, Viewer, Visibility, may_show, require, require_any, require_show
from gallery.domain.errors import ConflictError, ErrorCode
from gallery.domain.events import Event, EventKind
from gallery.domain.idempotency import Claim, Snapshot
from gallery.domain.ids import ImageId
from gallery.domain.images import Image
from gallery.domain.jobs import DeleteObjects
from gallery.domain.ports import Clock, UnitOfWork, UnitOfWorkFactory
from gallery.services.bulk import BulkResult, distinct
from gallery.services.changes import KEEP, Keep, differences, kept
from gallery.services.clock import utc_now
from gallery.services.idempotency import complete_change
from gallery.services.sight import image_to_change, see_images


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageChange:
    """What to change of an image.

    With `expected_version` the change is refused if somebody else changed the image meanwhile.
    """

    image_id: ImageId
    title: str | Literal[Keep.KEEP] = KEEP
    description: str | Literal[Keep.KEEP] | None = KEEP
    visibility: Visibility | Literal[Keep.KEEP] = KEEP
    expected_version: int | None = None


class ImageService:
    """Use cases of images that exist."""

    def __init__(self, unit_of_work: UnitOfWorkFactory, clock: Clock = utc_now) -> None:
        self._unit_of_work = unit_of_work
        self._clock = clock

    async def update(self, viewer: Viewer, change: ImageChange, claim: Claim | None = None) -> Image:
        """Changes title, description and visibility. A change that changes nothing is not recorded.

        A claim is completed with it.

        Raises:
            NotFoundError: if the viewer sees no such image.
            ForbiddenError: if the viewer may not change it, or not say to whom it is shown.
            InvalidInputError: if a value breaks its rule.
            ConflictError: VERSION_CONFLICT if the image is at another version than expected, or another request has
                taken over the claim.
        """
        require_any(viewer, Right.CONTRIBUTE, Right.EDIT)
        async with self._unit_of_work() as work:
            before = await image_to_change(work, viewer, change.image_id)
            if kept(change.visibility, before.visibility) is not before.visibility:
                require_show(viewer, before)
            _check_version(before, change.expected_version)
            now = self._clock()
            after = before.with_details(
                title=kept(change.title, before.title),
                description=kept(change.description, before.description),
                visibility=kept(change.visibility, before.visibility),
                now=now,
            )
            image = await _changed(work, viewer, before, after, now)
            await complete_change(work, claim, Snapshot(image=image))
            await work.commit()
        return image

    async def set_visibility(
        self, viewer: Viewer, image_ids: Sequence[ImageId], visibility: Visibility, claim: Claim | None = None
    ) -> BulkResult:
        """Says who is shown the images. Those of others are refused; a claim is completed with it.

        Raises:
            InvalidInputError: TOO_MANY_ITEMS for more than 100 images.
            ConflictError: VERSION_CONFLICT if another request has taken over the claim.
        """
        require(viewer, Right.CONTRIBUTE)
        wanted = distinct(image_ids, field=("imageIds",))
        async with self._unit_of_work() as work:
            seen = await see_images(work, viewer, wanted)
            own = {id_: image for id_, image in seen.items() if may_show(viewer, image)}
            now = self._clock()
            for id_, before in own.items():
                if before.visibility is not visibility:
                    own[id_] = await _changed(work, viewer, before, before.shown_to(visibility, now), now)
            await complete_change(work, claim, Snapshot(image_ids=tuple(own)))
            await work.commit()
        return BulkResult.of(wanted, own, refused=[id_ for id_ in seen if id_ not in own])

    async def delete(self, viewer: Viewer, image_id: ImageId, claim: Claim | None = None) -> Image:
        """Deletes an image; a job removes its bytes afterwards. Answers with the image as it was.

        A claim is completed with it.

        Raises:
            NotFoundError: if the viewer sees no such image.
            ForbiddenError: if the viewer may not delete it.
            ConflictError: VERSION_CONFLICT if another request has taken over the claim.
        """
        require_any(viewer, Right.CONTRIBUTE, Right.EDIT)
        async with self._unit_of_work() as work:
            image = await image_to_change(work, viewer, image_id)
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
    details = {"title": (before.title, after.title), "description": (before.description, after.description)}
    shown = differences({"visibility": (before.visibility, after.visibility)})
    kinds = {EventKind.IMAGE_UPDATED: differences(details), EventKind.IMAGE_VISIBILITY_CHANGED: shown}
    events = [
        Event(kind=kind, entity_id=after.id, actor=viewer.id, occurred_at=now, payload=changes)
        for kind, changes in kinds.items()
        if changes
    ]
    if not events:
        return before
    await work.images.save(after)
    await work.events.append(*events)
    return after
