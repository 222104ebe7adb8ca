"""A large file goes through the server without staying in it: not in memory, not on disk; nor does half of one."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.e2e.gallery_server import GalleryServer, serving
from tests.e2e.places import Place
from tests.e2e.slow_uploads import LongFile, slow_upload
from tests.e2e.waiting import eventually
from tests.photographs import jpeg

MEBIBYTE = 1024 * 1024
LARGE = 200 * MEBIBYTE
PART_BYTES = 8 * MEBIBYTE
MOST_MEMORY_BYTES = 80 * MEBIBYTE
"""More than the four parts that are held, each with what the HTTP client keeps of it; less than half of the file."""

_SAMPLE_SECONDS = 0.01


@dataclass(slots=True)
class Watch:
    """What was seen of a process: the most memory that it used, and the files that it had open or left behind."""

    most_memory_bytes: int = 0
    samples: int = 0
    files: set[str] = field(default_factory=set)

    def look(self, process: psutil.Process, temporary: Path) -> None:
        self.samples += 1
        self.most_memory_bytes = max(self.most_memory_bytes, process.memory_info().rss)
        self.files |= {str(path) for path in temporary.iterdir()} | open_temporary_files(process.pid)


def open_temporary_files(pid: int) -> set[str]:
    """Files without a name, or below a folder for temporary files, that a process has open."""
    targets = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            targets.add(os.readlink(descriptor))  # noqa: PTH115  # what it names may not be a path
        except FileNotFoundError:
            continue
    return {target for target in targets if target.endswith(" (deleted)")}


@asynccontextmanager
async def watching(server: GalleryServer, temporary: Path) -> AsyncIterator[Watch]:
    """Looks at the process a hundred times a second."""
    watch = Watch()

    async def look_again_and_again() -> None:
        while True:
            watch.look(server.process, temporary)
            await asyncio.sleep(_SAMPLE_SECONDS)

    looking = asyncio.create_task(look_again_and_again())
    try:
        yield watch
    finally:
        looking.cancel()
        await asyncio.wait({looking})


@asynccontextmanager
async def without_worker(place: Place, folder: Path) -> AsyncIterator[tuple[GalleryServer, Path]]:
    """A server that only takes uploads, and the folder for its temporary files."""
    temporary = folder / "tmp"
    temporary.mkdir()
    settings = {**place.settings, "GALLERY_WORKER__EMBEDDED": "false", "TMPDIR": str(temporary)}
    async with serving(folder / "log", settings=settings) as (server, _):
        yield server, temporary


async def test_large_file_passes_through_without_staying(place: Place, folder: Path) -> None:
    file = LongFile(jpeg(), LARGE)
    async with without_worker(place, folder) as (server, temporary):
        async with slow_upload(server.url, LongFile(jpeg(500, 400), 2 * PART_BYTES)) as warming:
            assert (await warming.send_rest()).status == 200
        before = server.process.memory_info().rss

        async with watching(server, temporary) as watch, slow_upload(server.url, file) as upload:
            reply = await upload.send_rest()

        payload = reply.json["data"]["uploadImage"]
        assert (payload["outcome"], payload["errors"]) == ("CREATED", [])
        assert payload["image"]["fileSize"] == LARGE
        assert payload["image"]["checksum"] == file.checksum
        assert watch.samples > 10
        assert watch.files == set()
        print(f"{(watch.most_memory_bytes - before) / MEBIBYTE:.1f} MiB more at the peak")
        assert watch.most_memory_bytes - before < MOST_MEMORY_BYTES

    keys = await place.objects.keys()
    assert len(keys) == 2
    etags = [await place.objects.etag(key) for key in keys]
    assert {etag.rpartition("-")[2] for etag in etags} == {"2", str(LARGE // PART_BYTES)}
    assert await place.objects.open_uploads() == []


async def test_nothing_is_left_of_a_client_that_goes_away(place: Place, folder: Path) -> None:
    async with without_worker(place, folder) as (server, temporary):
        async with slow_upload(server.url, LongFile(jpeg(), LARGE)) as upload:
            await upload.send(40)
            await eventually(lambda: _is_stored_in_parts(place))

            upload.go_away()

            await eventually(lambda: _nothing_is_stored(place))
        assert list(temporary.iterdir()) == []

        async with slow_upload(server.url, LongFile(jpeg(), PART_BYTES)) as again:
            assert (await again.send_rest()).json["data"]["uploadImage"]["outcome"] == "CREATED"
    assert await place.count("images", "events") == [1, 1]


async def _is_stored_in_parts(place: Place) -> bool:
    return len(await place.objects.open_uploads()) == 1


async def _nothing_is_stored(place: Place) -> bool:
    return [await place.objects.open_uploads(), await place.objects.keys(), await place.count("images")] == [
        [],
        [],
        [0],
    ]
