"""Making and deleting tags, and giving them to images."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from gallery.domain.access import Right, Viewer, require
from gallery.domain.errors import ConflictError, ErrorCode, NotFoundError
from gallery.domain.events import EntityKind, Event, EventKind
from gallery.domain.idempotency import Claim, Snapshot
from gallery.domain.ids import ImageId, TagId, new_tag_id
from gallery.domain.ports import Clock, UnitOfWork, UnitOfWorkFactory
from gallery.domain.tags import Tag, clean_tag_name, tag_key
from gallery.services.bulk import BulkResult, check_count, distinct
from gallery.services.clock import utc_now
from gallery.services.idempotency import complete_change
from gallery.services.sight import images_to_change


class TagService:
    """Use cases of tags."""

    def __init__(self, unit_of_work: UnitOfWorkFactory, clock: Clock = utc_now) -> None:
        self._unit_of_work = unit_of_work
        self._clock = clock

    async def create(self, viewer: Viewer, name: str, claim: Claim | None = None) -> Tag:
        """Makes a tag. A claim is completed with it.

        Raises:
            InvalidInputError: if the name breaks its rule.
            ConflictError: TAG_EXISTS if there is a tag of that name, whatever its case; VERSION_CONFLICT if another
                request has taken over the claim.
        """
        require(viewer, Right.CONTRIBUTE)
        tag = _new_tag(viewer, clean_tag_name(name), self._clock())
        async with self._unit_of_work() as work:
            stored = (await work.tags.add_missing([tag]))[tag_key(tag.name)]
            if stored.id != tag.id:
                message = f"There is a tag “{stored.name}” already. Use it, or choose another name."
                raise ConflictError(ErrorCode.TAG_EXISTS, message, field=("name",))
            await work.events.append(_created(viewer, tag))
            if claim is not None:
                await work.claims.complete(claim.completed(tag.id))
            await work.commit()
        return tag

    async def tag_images(
        self, viewer: Viewer, image_ids: Sequence[ImageId], names: Sequence[str], claim: Claim | None = None
    ) -> BulkResult:
        """Gives every image every tag, making tags that do not exist. Tags that an image has already stay.

        Images that the viewer may not change are refused. A claim is completed with it.

        Raises:
            InvalidInputError: if a name breaks its rule, or more than 100 images or names are given.
            ConflictError: VERSION_CONFLICT if another request has taken over the claim.
        """
        require(viewer, Right.CONTRIBUTE)
        wanted = distinct(image_ids, field=("imageIds",))
        cleaned = clean_tag_names(names)
        async with self._unit_of_work() as work:
            seen = await images_to_change(work, viewer, wanted)
            images = seen.changed
            if images and cleaned:
                await attach_tags(work, viewer, list(images), cleaned, self._clock())
            await complete_change(work, claim, Snapshot(image_ids=tuple(images)))
            await work.commit()
        return BulkResult.of(wanted, images, refused=seen.refused)

    async def untag_images(
        self, viewer: Viewer, image_ids: Sequence[ImageId], names: Sequence[str], claim: Claim | None = None
    ) -> BulkResult:
        """Takes the tags from the images. Tags that do not exist, or that an image does not have, do not matter.

        Images that the viewer may not change are refused. A claim is completed with it.

        Raises:
            InvalidInputError: if a name breaks its rule, or more than 100 images or names are given.
            ConflictError: VERSION_CONFLICT if another request has taken over the claim.
        """
        require(viewer, Right.CONTRIBUTE)
        wanted = distinct(image_ids, field=("imageIds",))
        cleaned = clean_tag_names(names)
        async with self._unit_of_work() as work:
            seen = await images_to_change(work, viewer, wanted)
            images = seen.changed
            tags = {tag.id: tag for tag in (await work.tags.find_by_names(cleaned)).values()}
            pairs = await work.tags.detach(images, tags)
            if pairs:
                now = self._clock()
                await work.events.append(*_tagging_events(EventKind.IMAGE_UNTAGGED, viewer, pairs, tags, now))
            await complete_change(work, claim, Snapshot(image_ids=tuple(images)))
            await work.commit()
        return BulkResult.of(wanted, images, refused=seen.refused)

    async def delete(self, viewer: Viewer, tag_id: TagId, claim: Claim | None = None) -> Tag:
        """Takes a tag from all images and removes it. Answers with the tag as it was. A claim is completed with it.

        Raises:
            NotFoundError: if the viewer sees no such tag.
            ConflictError: VERSION_CONFLICT if another request has taken over the claim.
        """
        require(viewer, Right.EDIT)
        async with self._unit_of_work() as work:
            tag = await work.tags.get(tag_id)
            if not await work.tags.is_seen(viewer, tag_id):
                raise NotFoundError.of(EntityKind.TAG)
            images = await work.tags.delete(tag_id)
            await work.events.append(
                Event(
                    kind=EventKind.TAG_DELETED,
                    entity_id=tag_id,
                    actor=viewer.id,
                    occurred_at=self._clock(),
                    payload={"name": tag.name, "image_count": len(images)},
                )
            )
            await complete_change(work, claim, Snapshot(tag=tag))
            await work.commit()
        return tag


def clean_tag_names(names: Sequence[str], *, field: tuple[str, ...] = ("tags",)) -> list[str]:
    """Names of tags, trimmed, each once whatever its case: as it was spelt first.

    Raises:
        InvalidInputError: INVALID_NAME naming the place in the list, or TOO_MANY_ITEMS for more than 100.
    """
    check_count(names, field=field)
    by_key: dict[str, str] = {}
    for index, name in enumerate(names):
        cleaned = clean_tag_name(name, field=(*field, str(index)))
        by_key.setdefault(tag_key(cleaned), cleaned)
    return list(by_key.values())


async def attach_tags(
    work: UnitOfWork, viewer: Viewer, image_ids: Sequence[ImageId], names: Sequence[str], now: datetime
) -> None:
    """Gives every image every tag within a transaction, making tags that do not exist, and records it."""
    proposed = [_new_tag(viewer, name, now) for name in names]
    stored = {tag.id: tag for tag in (await work.tags.add_missing(proposed)).values()}
    pairs = await work.tags.attach(image_ids, stored)
    await work.events.append(
        *(_created(viewer, tag) for tag in proposed if tag.id in stored),
        *_tagging_events(EventKind.IMAGE_TAGGED, viewer, pairs, stored, now),
    )


def _new_tag(viewer: Viewer, name: str, now: datetime) -> Tag:
    return Tag(id=new_tag_id(), owner=viewer.id, name=name, created_at=now)


def _created(viewer: Viewer, tag: Tag) -> Event:
    return Event(
        kind=EventKind.TAG_CREATED,
        entity_id=tag.id,
        actor=viewer.id,
        occurred_at=tag.created_at,
        payload={"name": tag.name},
    )


def _tagging_events(
    kind: EventKind, viewer: Viewer, pairs: set[tuple[ImageId, TagId]], tags: dict[TagId, Tag], now: datetime
) -> list[Event]:
    """One event for each image that gained or lost tags."""
    by_image: dict[ImageId, list[TagId]] = {}
    for image_id, tag_id in sorted(pairs):
        by_image.setdefault(image_id, []).append(tag_id)
    return [
        Event(
            kind=kind,
            entity_id=image_id,
            actor=viewer.id,
            occurred_at=now,
            payload={"tag_ids": [id_.hex for id_ in tag_ids], "tags": [tags[id_].name for id_ in tag_ids]},
        )
        for image_id, tag_ids in by_image.items()
    ]
