"""Answers of mutations that change many images: one result for each id."""

from __future__ import annotations

from collections.abc import Sequence

import strawberry

from gallery.domain.access import NOT_YOURS
from gallery.domain.errors import ForbiddenError, NotFoundError
from gallery.domain.events import EntityKind
from gallery.domain.idempotency import Snapshot
from gallery.services.bulk import BulkResult
from gallery.web.graphql.context import Info
from gallery.web.graphql.errors import UserError
from gallery.web.graphql.ids import parse_image_id
from gallery.web.graphql.types import Image


@strawberry.type(description="What became of one image of a mutation that changes many.")
class BulkImageResult:
    """One id's share of the answer."""

    id: strawberry.ID = strawberry.field(description="The id as it was given.")
    image: Image | None = strawberry.field(description="The image; null if `errors` is not empty.")
    errors: list[UserError] = strawberry.field(description="Why this image was left out; empty if it was not.")


async def changed_images(info: Info, then: Snapshot) -> BulkResult:
    """The images that were there when a change was made, as they are now; those deleted since are missing."""
    found = await info.context.loaders_of_own.whole_image_by_id.load_many(list(then.image_ids))
    return BulkResult.of(then.image_ids, {image.id: image for image in found if image is not None})


def bulk_results(global_ids: Sequence[strawberry.ID], done: BulkResult | None) -> list[BulkImageResult]:
    """One result for each id, in their order; none if nothing was done."""
    if done is None:
        return []
    return [_result(index, global_id, done) for index, global_id in enumerate(global_ids)]


def _result(index: int, global_id: strawberry.ID, done: BulkResult) -> BulkImageResult:
    image = done.images.get(parse_image_id(global_id))
    if image is not None:
        return BulkImageResult(id=global_id, image=Image.of(image), errors=[])
    if parse_image_id(global_id) in done.refused:
        refused = ForbiddenError(NOT_YOURS, field=("imageIds", str(index)))
        return BulkImageResult(id=global_id, image=None, errors=[UserError.of(refused)])
    missing = NotFoundError.of(EntityKind.IMAGE, field=("imageIds", str(index)))
    return BulkImageResult(id=global_id, image=None, errors=[UserError.of(missing)])
