"""What is told after a commit beside what the cache drops."""

from __future__ import annotations

from collections.abc import Sequence

from gallery.domain.events import Event, EventKind
from gallery.domain.ids import ImageId, new_image_id
from gallery.platform.processed import LocalProcessedImages
from gallery.services.announcing import announcing
from tests.entities import ADA, NOON


def an_event(kind: EventKind, image_id: ImageId) -> Event:
    return Event(kind=kind, entity_id=image_id, actor=ADA.id, occurred_at=NOON, payload={})


async def heard_after(*events: Event) -> list[ImageId]:
    """The images that are told of after a commit of these events."""
    processed, dropped = LocalProcessedImages(), list[Sequence[Event]]()

    async def drop(events: Sequence[Event]) -> None:
        assert await watch.next(0) is None, "told before the cache was right"
        dropped.append(events)

    async with processed.watching() as watch:
        await announcing(processed, drop)(events)
        assert dropped == [events]
        heard = []
        while image_id := await watch.next(0):
            heard.append(image_id)
        return heard


async def test_images_that_were_processed_for_better_or_worse_are_told_after_the_cache_has_dropped_them() -> None:
    ready, failed = new_image_id(), new_image_id()
    events = [an_event(EventKind.IMAGE_RENDERED, ready), an_event(EventKind.IMAGE_RENDERING_FAILED, failed)]

    assert await heard_after(*events) == [ready, failed]


async def test_who_watches_hears_of_an_image_once_it_is_processed() -> None:
    processed, image_id, event_lists = LocalProcessedImages(), new_image_id(), list[Sequence[Event]]()

    async def note(events: Sequence[Event]) -> None:
        event_lists.append(events)

    async with processed.watching() as watch:
        listen = announcing(processed, note)
        await listen([an_event(EventKind.IMAGE_UPLOADED, image_id)])
        await listen([an_event(EventKind.IMAGE_RENDERED, image_id)])
        heard = [await watch.next(0), await watch.next(0)]

    assert (heard, len(event_lists)) == ([image_id, None], 2)


async def test_nothing_else_is_told() -> None:
    others = set(EventKind) - {EventKind.IMAGE_RENDERED, EventKind.IMAGE_RENDERING_FAILED}

    assert await heard_after(*(an_event(kind, new_image_id()) for kind in others)) == []
