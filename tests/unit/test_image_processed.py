"""The subscription `imageProcessed`, over services in memory."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from gallery.domain.access import LOCAL_ADMINISTRATOR
from gallery.domain.ids import ImageId, new_image_id
from gallery.domain.images import Image, ProcessingState
from gallery.domain.processing_ports import ProcessedImages
from gallery.web.graphql.context import Context
from gallery.web.graphql.documents import Documents
from gallery.web.graphql.execution import format_result, run_subscription
from gallery.web.graphql.ids import image_global_id
from gallery.web.graphql.schema import schema
from tests.entities import NOON, an_image
from tests.fakes.gallery import MemoryGallery
from tests.unit.test_app import parts_of

ALL = "subscription { imageProcessed { id processing } }"
ONE = "subscription ($id: ID!) { imageProcessed(id: $id) { id processing } }"


@pytest.fixture
def gallery() -> MemoryGallery:
    return MemoryGallery()


@asynccontextmanager
async def listening(
    gallery: MemoryGallery, image_id: str | None = None, processed: ProcessedImages | None = None
) -> AsyncIterator[AsyncGenerator[dict[str, Any]]]:
    use_cases = parts_of(gallery).use_cases
    if processed is not None:
        use_cases = replace(use_cases, processed=processed)
    context = Context(viewer=LOCAL_ADMINISTRATOR, use_cases=use_cases, base_url="", request_id="1")
    operation = Documents(schema).prepare(ALL if image_id is None else ONE, None)

    async def answers() -> AsyncGenerator[dict[str, Any]]:
        async with aclosing(run_subscription(schema, operation, {"id": image_id}, context)) as results:
            async for result in results:
                yield format_result(result, "1")

    async with aclosing(answers()) as told:
        yield told


def told_of(image: Image, processing: str) -> dict[str, Any]:
    return {"data": {"imageProcessed": {"id": image_global_id(image.id), "processing": processing}}}


def pending(gallery: MemoryGallery) -> Image:
    image = an_image(processing=ProcessingState.PENDING)
    gallery.holds(image)
    return image


async def test_an_image_that_is_processed_already_is_told_at_once_and_nothing_follows(gallery: MemoryGallery) -> None:
    image = pending(gallery).rendered(NOON)
    gallery.holds(image)
    async with listening(gallery, image_global_id(image.id)) as told:
        assert [answer async for answer in told] == [told_of(image, "READY")]


@pytest.mark.parametrize("image_id", [image_global_id(new_image_id()), "img_7"], ids=["unknown", "malformed"])
async def test_an_image_that_is_not_there_is_told_as_such(gallery: MemoryGallery, image_id: str) -> None:
    async with listening(gallery, image_id) as told:
        (answer,) = [answer async for answer in told]

    assert answer["errors"][0]["extensions"]["code"] == ("INVALID_ID" if image_id == "img_7" else "NOT_FOUND")


class Told:
    """Tells one thing after the other, each after something has happened; then nothing is heard any more."""

    def __init__(self, *news: tuple[Callable[[], object], ImageId | None]) -> None:
        self._news = iter(news)

    async def tell(self, image_ids: Collection[ImageId]) -> None:
        raise AssertionError(image_ids)

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[Told]:
        yield self

    async def next(self, patience_seconds: float | None = None) -> ImageId | None:
        del patience_seconds
        happens, image_id = next(self._news)
        happens()
        return image_id


def nothing() -> None:
    """Happens."""


async def test_an_image_is_told_once_it_is_heard_of(gallery: MemoryGallery) -> None:
    image = pending(gallery)
    news = Told((nothing, new_image_id()), (lambda: gallery.holds(image.failed("broken", NOON)), image.id))
    async with listening(gallery, image_global_id(image.id), news) as told:
        assert [answer async for answer in told] == [told_of(image, "FAILED")]


async def test_an_image_that_is_heard_of_too_early_is_waited_for(gallery: MemoryGallery) -> None:
    image = pending(gallery)
    news = Told((nothing, image.id), (lambda: gallery.holds(image.rendered(NOON)), image.id))
    async with listening(gallery, image_global_id(image.id), news) as told:
        assert [answer async for answer in told] == [told_of(image, "READY")]


async def test_an_image_of_which_nothing_is_heard_is_looked_at_all_the_same(gallery: MemoryGallery) -> None:
    image = pending(gallery)
    news = Told((nothing, None), (lambda: gallery.holds(image.rendered(NOON)), None))
    async with listening(gallery, image_global_id(image.id), news) as told:
        assert [answer async for answer in told] == [told_of(image, "READY")]


async def test_all_images_are_told_as_they_are_processed(gallery: MemoryGallery) -> None:
    first, second, early = (pending(gallery) for _ in range(3))
    news = Told(
        (lambda: gallery.holds(first.rendered(NOON)), first.id),
        (nothing, early.id),
        (nothing, new_image_id()),
        (lambda: gallery.holds(second.failed("broken", NOON)), second.id),
    )
    async with listening(gallery, processed=news) as told:
        assert [await anext(told), await anext(told)] == [told_of(first, "READY"), told_of(second, "FAILED")]
