"""Random schedules of reads and writes in two processes: nobody reads what was older when the read began.

One of the two hears of the other now at once, now late, so that messages overtake each other.

Each schedule has images and an album of its own, so that many go on at the same time and meet each other's drops.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

import pytest

from gallery.domain.events import EventKind
from gallery.domain.ids import AlbumId, ImageId, new_album_id
from tests.fault_proxy import FaultProxy
from tests.integration.cache_support import MemoryGallery, an_event, an_image, cache_settings
from tests.integration.responses_support import Process, process_on

T = TypeVar("T")

SCHEDULES = int(os.environ.get("GALLERY_TEST_SCHEDULES", "300"))
"""How many there are of each kind of process; 10,000 take some minutes."""
AT_ONCE = 50
LONGEST_PAUSE_SECONDS = 0.004
LATENCY_SECONDS = 0.004


@dataclass
class SlowGallery(MemoryGallery):
    """Answers with what was there when it was asked, some time later."""

    random: Random = field(default_factory=lambda: Random(0))  # noqa: S311  # a schedule, no secret

    async def read(self, method: str, asked: object, answer: T) -> T:  # noqa: ARG002  # as the gallery does
        await pause(self.random)
        return answer


async def pause(random: Random) -> None:
    """Lets others go on: a few turns of the loop, or so long that messages arrive."""
    if random.random() < 0.5:
        for _ in range(random.randrange(6)):
            await asyncio.sleep(0)
    else:
        await asyncio.sleep(random.random() * LONGEST_PAUSE_SECONDS)


class Schedule:
    """One schedule. `acknowledged` is what every read that begins now must see at least."""

    def __init__(self, seed: int, gallery: SlowGallery, processes: list[Process], proxy: FaultProxy) -> None:
        self._random = Random(seed)  # noqa: S311  # as above
        self._gallery = gallery
        self._processes = processes
        self._proxy = proxy
        self._images = [an_image("0") for _ in range(2)]
        self._album: AlbumId = new_album_id()
        self._acknowledged: dict[ImageId, int] = {image.id: 0 for image in self._images}
        self._removed: set[ImageId] = set()
        gallery.add(*self._images)
        gallery.album_images[self._album] = [image.id for image in self._images]
        self.stale: list[str] = []

    async def run(self) -> list[str]:
        """What was read that was too old."""
        await asyncio.gather(*(self._step(Random(self._random.random())) for _ in range(4)))  # noqa: S311  # as above
        return self.stale

    async def _step(self, random: Random) -> None:
        for _ in range(2):
            await pause(random)
            self._proxy.latency_seconds = random.choice([0, LATENCY_SECONDS])
            process = random.choice(self._processes)
            image_id = random.choice(self._images).id
            step = random.choice([self._see, self._see, self._see_album, self._see_album, self._change, self._take_out])
            await step(process, image_id, random)

    async def _see(self, process: Process, image_id: ImageId, _: Random) -> None:
        least = self._acknowledged[image_id]
        (title,) = await process.title(image_id)
        self._check({image_id.hex: title}, {image_id: least}, set())

    async def _see_album(self, process: Process, _: ImageId, __: Random) -> None:
        least, removed = dict(self._acknowledged), set(self._removed)
        self._check(await process.album(self._album), least, removed)

    def _check(self, seen: dict[str, str], least: dict[ImageId, int], removed: set[ImageId]) -> None:
        for image_id, version in least.items():
            if int(seen.get(image_id.hex, version)) < version:
                self.stale.append(f"{image_id} is {seen[image_id.hex]}, not {version}")
        self.stale += [f"{image_id} was taken out" for image_id in removed if image_id.hex in seen]

    async def _change(self, process: Process, image_id: ImageId, random: Random) -> None:
        """Sometimes by an event that drops no list: only the image itself says that an album is wrong then.

        Everybody who has seen the image looks again at once, before anything else can happen.
        """
        for other in self._processes:
            await self._see(other, image_id, random)
        version = int(self._gallery.images[image_id].title) + 1
        self._gallery.retitle(image_id, str(version))
        await pause(random)
        kind = random.choice([EventKind.IMAGE_UPDATED, EventKind.IMAGE_RENDERED])
        await process.cache.drop([an_event(kind, image_id)])
        if process.cache.available:  # who cannot reach Valkey promises nothing to other processes
            self._acknowledged[image_id] = max(version, self._acknowledged[image_id])
        for other in self._processes:
            await self._see(other, image_id, random)

    async def _take_out(self, process: Process, image_id: ImageId, random: Random) -> None:
        if random.random() < 0.7:
            return
        held = self._gallery.album_images[self._album]
        self._gallery.album_images[self._album] = [id_ for id_ in held if id_ != image_id]
        event = an_event(EventKind.ALBUM_IMAGES_REMOVED, self._album, image_ids=[image_id.hex])
        await process.cache.drop([event])
        if process.cache.available:
            self._removed.add(image_id)


@pytest.fixture
async def gallery() -> SlowGallery:
    return SlowGallery()


@pytest.fixture
async def proxy(cache_url: str) -> AsyncIterator[FaultProxy]:
    async with FaultProxy.to(cache_url) as proxy:
        yield proxy


@pytest.fixture(params=["both layers", "valkey alone"])
async def two_processes(
    request: pytest.FixtureRequest, cache_url: str, gallery: SlowGallery, proxy: FaultProxy
) -> AsyncIterator[list[Process]]:
    max_bytes = 1_000_000 if request.param == "both layers" else 0
    places = [
        cache_settings(url, responses_max_bytes=max_bytes, timeout_seconds=5)
        for url in (cache_url, proxy.url_of(cache_url))
    ]
    async with AsyncExitStack() as stack:
        processes = [await stack.enter_async_context(process_on(settings, gallery)) for settings in places]
        for process in processes:
            await process.until_ready()
        yield processes


@pytest.mark.timeout(3600)  # for as many schedules as one likes
async def test_no_read_that_begins_after_a_write_was_acknowledged_sees_older_data(
    two_processes: list[Process], gallery: SlowGallery, proxy: FaultProxy
) -> None:
    stale: list[str] = []
    for start in range(0, SCHEDULES, AT_ONCE):
        schedules = [Schedule(seed, gallery, two_processes, proxy) for seed in range(start, start + AT_ONCE)]
        for found in await asyncio.gather(*(schedule.run() for schedule in schedules)):
            stale += found

    assert stale == []
    assert all(process.responses.metrics.hits.total() > 0 for process in two_processes)
