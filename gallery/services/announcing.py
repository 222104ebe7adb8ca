"""What is told after a commit beside what the cache drops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gallery.domain.events import Event, EventKind
from gallery.domain.ids import ImageId
from gallery.domain.ports import CommitListener
from gallery.domain.processing_ports import ProcessedImages

_PROCESSED: Final = frozenset({EventKind.IMAGE_RENDERED, EventKind.IMAGE_RENDERING_FAILED})


def announcing(processed: ProcessedImages, listener: CommitListener) -> CommitListener:
    """A listener that tells which images were processed, after the other one: who hears of it reads nothing stale."""

    async def listen(events: Sequence[Event]) -> None:
        await listener(events)
        image_ids = [ImageId(event.entity_id) for event in events if event.kind in _PROCESSED]
        if image_ids:
            await processed.tell(image_ids)

    return listen
