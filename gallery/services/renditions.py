"""Making the renditions of images, and removing bytes that nothing names: what jobs do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence

from gallery.domain.access import GALLERY_ITSELF
from gallery.domain.events import Event, EventKind, JsonValue
from gallery.domain.ids import ImageId
from gallery.domain.images import Image, ProcessingState, Rendition
from gallery.domain.ports import (
    Clock,
    ImageRenderer,
    ObjectStorage,
    RenderedImage,
    StoragePaths,
    UnitOfWorkFactory,
)
from gallery.services.clock import utc_now


class RenditionService:
    """Makes and removes what the gallery itself stores beside an original."""

    def __init__(
        self,
        *,
        unit_of_work: UnitOfWorkFactory,
        storage: ObjectStorage,
        paths: StoragePaths,
        renderer: ImageRenderer,
        clock: Clock = utc_now,
    ) -> None:
        self._unit_of_work = unit_of_work
        self._storage = storage
        self._paths = paths
        self._renderer = renderer
        self._clock = clock

    async def render(self, image_id: ImageId) -> None:
        """Makes the renditions of an image. Does nothing if it is deleted or has them.

        Raises:
            CorruptImageError: if the pixels cannot be decoded; trying again will not help.
            NotFoundError: if the original is gone, because the image is being deleted at this moment.
            UnavailableError: if the storage or the database does not answer; trying again may help.
        """
        image = await self._find(image_id)
        if image is None or image.processing is ProcessingState.READY:
            return
        async with self._storage.open(image.storage_path) as original:
            rendered = await self._renderer.render(original.body)
        renditions = await self._store(image_id, rendered)
        if not await self._record(image_id, renditions):
            await self.delete_objects([rendition.storage_path for rendition in renditions])

    async def give_up(self, image_id: ImageId, reason: str) -> None:
        """Marks an image as failed, with a sentence that says why. Does nothing if it is deleted or ready."""
        async with self._unit_of_work() as work:
            image = (await work.images.get_many([image_id])).get(image_id)
            if image is None or image.processing is ProcessingState.READY:
                return
            failed = image.failed(reason, self._clock())
            await work.images.save(failed)
            await work.events.append(_event(EventKind.IMAGE_RENDERING_FAILED, failed, {"reason": reason}))
            await work.commit()

    async def delete_objects(self, storage_paths: Collection[str]) -> None:
        """Removes objects that no row names any more."""
        await self._storage.delete(storage_paths)

    async def _find(self, image_id: ImageId) -> Image | None:
        async with self._unit_of_work() as work:
            return (await work.images.get_many([image_id])).get(image_id)

    async def _store(self, image_id: ImageId, rendered: Sequence[RenderedImage]) -> list[Rendition]:
        return list(await asyncio.gather(*(self._store_one(image_id, one) for one in rendered)))

    async def _store_one(self, image_id: ImageId, rendered: RenderedImage) -> Rendition:
        path = self._paths.rendition(image_id, rendered.size)
        stored = await self._storage.put(path, _one_chunk(rendered.data), content_type=rendered.content_type)
        return Rendition(
            image_id=image_id,
            size=rendered.size,
            content_type=rendered.content_type,
            width_px=rendered.width_px,
            height_px=rendered.height_px,
            file_size_bytes=stored.size_bytes,
            checksum=stored.checksum,
            storage_path=path,
        )

    async def _record(self, image_id: ImageId, renditions: Sequence[Rendition]) -> bool:
        """Stores the rows; False if the image was deleted meanwhile."""
        async with self._unit_of_work() as work:
            image = (await work.images.get_many([image_id])).get(image_id)
            if image is None:
                return False
            ready = image.rendered(self._clock())
            await work.images.replace_renditions(image_id, renditions)
            await work.images.save(ready)
            sizes: list[JsonValue] = [rendition.size.value for rendition in renditions]
            await work.events.append(_event(EventKind.IMAGE_RENDERED, ready, {"sizes": sizes}))
            await work.commit()
        return True


def _event(kind: EventKind, image: Image, payload: dict[str, JsonValue]) -> Event:
    return Event(
        kind=kind,
        entity_id=image.id,
        actor=GALLERY_ITSELF.id,
        occurred_at=image.updated_at,
        payload=payload,
    )


async def _one_chunk(data: bytes) -> AsyncIterator[bytes]:
    yield data
