"""Compares objects with the rows that name them, in both directions, in memory of a fixed size.

Objects are listed first and the rows asked afterwards: what is stored meanwhile is younger than the grace period, and
an object always has its row, of an upload or of an image, before it is that old.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from itertools import groupby
from operator import attrgetter

from gallery.domain.access import GALLERY_ITSELF
from gallery.domain.errors import NotFoundError
from gallery.domain.events import Event, EventKind, JsonValue
from gallery.domain.ids import ImageId
from gallery.domain.images import Image, ProcessingState
from gallery.domain.jobs import RenderImage
from gallery.domain.ports import Clock, ObjectStorage, StoragePaths, UnitOfWorkFactory
from gallery.domain.upload_ports import ExpectedObject, NamedObjects, StorageInventory
from gallery.services.batches import batches
from gallery.services.clock import utc_now
from gallery.services.hashing import checksum_of
from gallery.services.seen_paths import SeenPaths
from gallery.services.storage_report import FindingKind, Findings

LOST = "The file of the image is gone from the storage. Whoever runs this gallery may have it in a backup."
DAMAGED = "The file of the image was damaged in the storage. Whoever runs this gallery may have it in a backup."

_BATCH = 500

_Fault = tuple[ExpectedObject, FindingKind]


class StorageComparison:
    """Finds objects that nothing names, and names without their object."""

    def __init__(
        self,
        *,
        unit_of_work: UnitOfWorkFactory,
        storage: ObjectStorage,
        inventory: StorageInventory,
        named_objects: NamedObjects,
        paths: StoragePaths,
        clock: Clock = utc_now,
    ) -> None:
        self._unit_of_work = unit_of_work
        self._storage = storage
        self._inventory = inventory
        self._named_objects = named_objects
        self._paths = paths
        self._clock = clock

    async def compare(self, before: datetime, findings: Findings, *, verify: bool, repair: bool) -> None:
        """Adds what is wrong with all that was stored before a time; repairs each at once if asked to.

        With `verify` every byte is read and compared with its checksum; without, objects of the right size are sound.
        """
        seen = await self._objects(before, findings, repair=repair)
        after: ImageId | None = None
        while page := await self._named_objects.expected(after=after, limit=_BATCH):
            after = page[-1].image_id
            for image_id, expected in groupby(page, attrgetter("image_id")):
                faults = await self._faults(list(expected), before, seen, verify=verify)
                for one, kind in faults:
                    findings.add(kind, one.storage_path, one.stored_at)
                if faults and repair:
                    await self._repair(image_id, faults)

    async def _objects(self, before: datetime, findings: Findings, *, repair: bool) -> SeenPaths:
        seen = SeenPaths()
        async for batch in batches(self._inventory.objects(), _BATCH):
            for stored in batch:
                seen.add(stored.storage_path, stored.size_bytes)
            findings.objects += len(batch)
            findings.objects_bytes += sum(stored.size_bytes for stored in batch)
            old = {stored.storage_path: stored.modified_at for stored in batch if stored.modified_at <= before}
            unnamed = await self._unnamed(old)
            for path in unnamed:
                findings.add(FindingKind.OBJECT_WITHOUT_ROW, path, old[path])
            if unnamed and repair:
                await self._storage.delete(await self._unnamed(unnamed))
        return seen

    async def _unnamed(self, storage_paths: Collection[str]) -> list[str]:
        """Those that nothing names, nor will: a rendition of a living image may be recorded at any moment."""
        named = await self._named_objects.named(storage_paths)
        unnamed = [path for path in storage_paths if path not in named]
        image_ids = {path: image_id for path in unnamed if (image_id := self._paths.image_id(path)) is not None}
        async with self._unit_of_work() as work:
            living = await work.images.get_many(set(image_ids.values()))
        return [path for path in unnamed if image_ids.get(path) not in living]

    async def _faults(
        self, expected: Sequence[ExpectedObject], before: datetime, seen: SeenPaths, *, verify: bool
    ) -> list[_Fault]:
        faults: list[_Fault] = []
        for one in expected:
            if one.stored_at > before or (not verify and (one.storage_path, one.size_bytes) in seen):
                continue
            if (kind := await self._fault(one, verify=verify)) is not None:
                faults.append((one, kind))
        return faults

    async def _fault(self, expected: ExpectedObject, *, verify: bool) -> FindingKind | None:
        original = expected.size_name is None
        try:
            if await self._is_sound(expected, verify=verify):
                return None
        except NotFoundError:
            if not await self._named_objects.named([expected.storage_path]):
                return None  # deleted since the rows were asked
            return FindingKind.ORIGINAL_LOST if original else FindingKind.RENDITION_LOST
        return FindingKind.ORIGINAL_DAMAGED if original else FindingKind.RENDITION_DAMAGED

    async def _is_sound(self, expected: ExpectedObject, *, verify: bool) -> bool:
        async with self._storage.open(expected.storage_path) as stored:
            if stored.total_bytes != expected.size_bytes:
                return False
            return not verify or await checksum_of(stored.body) == expected.checksum

    async def _repair(self, image_id: ImageId, faults: Sequence[_Fault]) -> None:
        kinds = {kind for _, kind in faults}
        if FindingKind.ORIGINAL_LOST in kinds:
            await self._mark(image_id, LOST)
        elif FindingKind.ORIGINAL_DAMAGED in kinds:
            await self._mark(image_id, DAMAGED)
        else:
            await self._render_again(image_id, [one.size_name for one, _ in faults])

    async def _mark(self, image_id: ImageId, reason: str) -> None:
        """Marks an image as failed. Does nothing if that was done before."""
        async with self._unit_of_work() as work:
            image = (await work.images.get_many([image_id])).get(image_id)
            if image is None or image.processing_error == reason:
                return
            failed = image.failed(reason, self._clock())
            await work.images.save(failed)
            await work.events.append(_event(EventKind.IMAGE_LOST, failed, {"reason": reason}))
            await work.commit()

    async def _render_again(self, image_id: ImageId, sizes: Sequence[str | None]) -> None:
        """Asks for new renditions. Does nothing while they are being made, or if that is known to fail."""
        async with self._unit_of_work() as work:
            image = (await work.images.get_many([image_id])).get(image_id)
            if image is None or image.processing is not ProcessingState.READY:
                return
            pending = image.to_render(self._clock())
            await work.images.save(pending)
            await work.events.append(_event(EventKind.IMAGE_RENDITION_LOST, pending, {"sizes": list(sizes)}))
            await work.jobs.enqueue(RenderImage(image_id))
            await work.commit()


def _event(kind: EventKind, image: Image, payload: dict[str, JsonValue]) -> Event:
    return Event(kind=kind, entity_id=image.id, actor=GALLERY_ITSELF.id, occurred_at=image.updated_at, payload=payload)
