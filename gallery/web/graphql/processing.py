"""When images are processed: told to those who listen, so that nobody has to ask again and again."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from typing import Annotated, Final

import strawberry

from gallery.domain import images
from gallery.domain.access import may_list
from gallery.domain.errors import NotFoundError
from gallery.domain.events import EntityKind
from gallery.domain.ids import ImageId
from gallery.domain.images import ProcessingState
from gallery.domain.processing_ports import ProcessedImagesWatch
from gallery.web.graphql.context import Info
from gallery.web.graphql.ids import parse_image_id
from gallery.web.graphql.types import Image

LOOK_SECONDS: Final = 5.0
"""How often a single image is looked at while nothing is heard of it: what is told may be lost."""


@strawberry.type
class ProcessingSubscriptions:
    """Root fields that tell of processed images."""

    @strawberry.subscription(
        description="Images whose `processing` became READY or FAILED, as it happens: all you see, or a single one. "
        "A single one is told at once if it is processed already, and nothing follows; NOT_FOUND if there is none. "
        "What happens while the gallery's connection to Valkey is broken is told for single ones alone."
    )
    async def image_processed(
        self,
        info: Info,
        id: Annotated[
            strawberry.ID | None, strawberry.argument(description="The id of an image; without it, all images.")
        ] = None,
    ) -> AsyncGenerator[Image]:
        """What is told is only a hint: each image is read before it is passed on."""
        image_id = None if id is None else parse_image_id(id)
        async with info.context.use_cases.processed.watching() as watch:
            if image_id is not None:
                yield Image.of(await _until_processed(info, watch, image_id))
                return
            while True:
                heard = await watch.next()
                image = None if heard is None else await _find(info, heard)
                is_processed = image is not None and image.processing is not ProcessingState.PENDING
                if image is not None and is_processed and await _is_listed(info, image):
                    yield Image.of(image)


async def _until_processed(info: Info, watch: ProcessedImagesWatch, image_id: ImageId) -> images.Image:
    """The image, once it is processed.

    Raises:
        NotFoundError: if there is none, or it is deleted meanwhile.
    """
    while True:
        image = await _find(info, image_id)
        if image is None:
            raise NotFoundError.of(EntityKind.IMAGE, field=("id",))
        if image.processing is not ProcessingState.PENDING:
            return image
        until = time.monotonic() + LOOK_SECONDS  # however much is heard of others
        while (left := until - time.monotonic()) > 0 and await watch.next(left) not in {None, image_id}:
            pass


async def _find(info: Info, image_id: ImageId) -> images.Image | None:
    found = await info.context.use_cases.image_reader.get_many(info.context.viewer, [image_id])
    return found.get(image_id)


async def _is_listed(info: Info, image: images.Image) -> bool:
    """Whether lists have the image: who listens to all hears of no others."""
    viewer, reader = info.context.viewer, info.context.use_cases.image_reader
    return may_list(viewer, image) or image.id in await reader.offered(viewer, [image.id])
