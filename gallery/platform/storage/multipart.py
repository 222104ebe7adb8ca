"""A multipart upload: parts go out while the next ones arrive; all of them become an object, or nothing is left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gallery.platform.storage.bucket import Bucket, NewObject
from gallery.platform.storage.parts import Digests, Part

if TYPE_CHECKING:
    from types_aiobotocore_s3.type_defs import CompletedPartTypeDef


class PartSlots(asyncio.Semaphore):
    """Places for parts in flight, which tell how many are taken."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self._count = count

    @property
    def taken(self) -> int:
        """How many parts are in flight."""
        return self._count - self._value


class MultipartUpload:
    """One upload. It begins when this is made, before any part is there.

    Holds `parts_in_flight` parts in memory and the one that waits to become the next. All uploads together have no
    more in flight than `room` has places.
    """

    def __init__(
        self, bucket: Bucket, new: NewObject, digests: Digests, *, parts_in_flight: int, room: asyncio.Semaphore
    ) -> None:
        self._bucket = bucket
        self._new = new
        self._digests = digests
        self._slots = asyncio.Semaphore(parts_in_flight)
        self._room = room
        self._completed: dict[int, CompletedPartTypeDef] = {}
        self._creating = asyncio.create_task(bucket.create_upload(new))

    async def send(self, parts: AsyncIterator[Part]) -> None:
        """Sends parts as they come. The first failure, of a part or of its source, ends everything and is raised."""
        with _first_error():
            async with asyncio.TaskGroup() as sending:
                number = 0
                async for part in parts:
                    number += 1
                    await self._slots.acquire()
                    await self._room.acquire()
                    task = sending.create_task(self._send_part(number, part))
                    task.add_done_callback(self._make_room)  # also if it is cancelled before it sets out
                    await asyncio.sleep(0)  # it sets out even if the source never waits

    async def complete(self) -> None:
        """Makes the parts that were sent an object.

        Raises:
            ConflictError: if it is to be written once, and another one is there.
        """
        parts = [self._completed[number] for number in sorted(self._completed)]
        await self._bucket.complete_upload(self._new, await self._creating, parts)

    async def abort(self) -> None:
        """Throws away what was sent. Waits for the answer to the first call, which alone tells what to throw away."""
        await asyncio.wait([self._creating])
        if self._creating.exception() is None:
            await self._bucket.abort_upload(self._new.path, self._creating.result())

    async def _send_part(self, number: int, part: Part) -> None:
        crc32 = await self._digests.add(part)
        upload_id = await asyncio.shield(self._creating)
        self._completed[number] = await self._bucket.upload_part(self._new.path, upload_id, number, part, crc32)
        part.sent()

    def _make_room(self, _sent: asyncio.Task[None]) -> None:
        self._slots.release()
        self._room.release()


@contextmanager
def _first_error() -> Iterator[None]:
    """Raises what failed first in place of the group of everything that failed because of it."""
    try:
        yield
    except BaseExceptionGroup as group:
        first = group.exceptions[0]
    else:
        return
    raise first
