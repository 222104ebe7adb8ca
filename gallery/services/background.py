"""What jobs ask for, gathered from the services that do it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from gallery.domain.ids import ImageId
from gallery.services.renditions import RenditionService
from gallery.services.sweep import SweepService


class BackgroundWork:
    """The work of the gallery's jobs. Each may be done twice."""

    def __init__(
        self, renditions: RenditionService, sweep: SweepService, *, grace: timedelta, repair: bool = False
    ) -> None:
        self._renditions = renditions
        self._sweep = sweep
        self._grace = grace
        self._repair = repair

    async def render(self, image_id: ImageId) -> None:
        """As `RenditionService.render`."""
        await self._renditions.render(image_id)

    async def give_up(self, image_id: ImageId, reason: str) -> None:
        """As `RenditionService.give_up`."""
        await self._renditions.give_up(image_id, reason)

    async def delete_objects(self, storage_paths: Collection[str]) -> None:
        """As `RenditionService.delete_objects`."""
        await self._renditions.delete_objects(storage_paths)

    async def sweep(self) -> None:
        """As `SweepService.tidy`."""
        await self._sweep.tidy(self._grace, repair=self._repair)
