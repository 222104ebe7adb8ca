"""What those need from outside who want to hear when images are processed."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from gallery.domain.ids import ImageId


class ProcessedImagesWatch(Protocol):
    """Somebody who hears of images, each once for all that is told of it between two calls."""

    async def next(self, patience_seconds: float | None = None) -> ImageId | None:
        """The image that has waited longest; None if there is none for so long."""
        ...


class ProcessedImages(Protocol):
    """Tells of images whose renditions were made, or cannot be made, in whichever process.

    What is told is a hint to look: some of it may be lost, and what it says may not have happened.
    """

    async def tell(self, image_ids: Collection[ImageId]) -> None:
        """Tells all who watch at this moment. Never raises."""
        ...

    def watching(self) -> AbstractAsyncContextManager[ProcessedImagesWatch]:
        """Hears of images until the context is left. Those who are slow miss the oldest of very many."""
        ...
