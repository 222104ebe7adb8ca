"""The sweep while a hundred slow uploads are under way, all of them older than its grace period.

Some stream through the gallery; others are staged, and their parts arrive in the storage while the sweeps run.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from uuid import uuid4

import httpx

from gallery.cli.doctor import SHORTEST_GRACE_SECONDS
from tests.e2e.api import Api
from tests.e2e.comparison import NOTHING_AMISS, compare
from tests.e2e.gallery_server import run_gallery, serving
from tests.e2e.places import Place
from tests.e2e.slow_uploads import LongFile, SlowUpload, slow_upload
from tests.e2e.staged_uploads import StagedUpload, staged_upload
from tests.e2e.waiting import eventually
from tests.photographs import jpeg

KIBIBYTE = 1024
PIECE_BYTES = 4 * KIBIBYTE
WHOLE, IN_PARTS, STAGED = 70, 10, 20
"""How many files are stored in one call, how many as multipart uploads, of which a part is there already, and how many
are staged, of which nothing is there before the first sweep and all after the last."""
WHOLE_BYTES, WHOLE_BYTES_BEFORE = 1024 * KIBIBYTE, 128 * KIBIBYTE
IN_PARTS_BYTES, IN_PARTS_BYTES_BEFORE = 9 * 1024 * KIBIBYTE, 8320 * KIBIBYTE
STAGED_BYTES, STAGED_PARTS = IN_PARTS_BYTES, 2
SWEEPS = 4


class FileInPieces(LongFile):
    """The same in small pieces."""

    def blocks(self) -> Iterator[bytes]:
        for block in super().blocks():
            for start in range(0, len(block), PIECE_BYTES):
                yield block[start : start + PIECE_BYTES]


async def test_sweeps_take_nothing_of_a_hundred_uploads_under_way(place: Place, folder: Path) -> None:
    sizes = [WHOLE_BYTES] * WHOLE + [IN_PARTS_BYTES] * IN_PARTS + [STAGED_BYTES] * STAGED
    files = [FileInPieces(jpeg(200 + index, 150), size_bytes) for index, size_bytes in enumerate(sizes)]
    streamed, staged = files[:-STAGED], files[-STAGED:]
    orphan = f"images/2026/05/{uuid4().hex}.jpg"
    async with serving(folder / "log", settings=place.settings) as (server, api):
        async with _begun(server.url, streamed) as uploads:
            past = [await staged_upload(api, file) for file in staged]
            await eventually(lambda: _are_under_way(place))
            await place.objects.client.put_object(Bucket=place.objects.bucket, Key=orphan, Body=b"left over")
            before = await compare(place)
            assert before.orphans == {orphan}

            async with _going_on_slowly(uploads):
                outputs = await _swept_while_parts_arrive(place, past)

            after = await compare(place)
            replies = await asyncio.gather(*(upload.send_rest() for upload in uploads))
            completed = [await upload.complete(api) for upload in past]
        payloads = [reply.json["data"]["uploadImage"] for reply in replies] + completed
        served = await _served(api)
        await eventually(lambda: _no_job_waits(place))

    first, *others = outputs
    assert "ok  object without row: 1, repaired. The object is removed." in first
    assert all("ok  Rows and objects match" in output for output in others)
    assert [line for output in outputs for line in output if "upload" in line] == []
    assert (after.intents, after.open_uploads, after.orphans) == (len(files), before.open_uploads, frozenset())

    assert {(payload["outcome"], len(payload["errors"])) for payload in payloads} == {("CREATED", 0)}
    assert [payload["image"]["checksum"] for payload in payloads] == [file.checksum for file in files]
    assert served == {file.checksum for file in files}
    at_the_end = await compare(place)
    assert at_the_end.counts == NOTHING_AMISS
    assert await place.count("images", "uploads") == [len(files), STAGED]  # the staged ones answer repeats for a day
    print(f"{SWEEPS} sweeps beside {len(files)} uploads: {len(served)} whole, counts {at_the_end.counts}")


@asynccontextmanager
async def _begun(url: str, files: Sequence[FileInPieces]) -> AsyncIterator[list[SlowUpload]]:
    """Uploads of which so much was sent that the storage has some of it, or an intent says that it will."""
    async with AsyncExitStack() as stack:
        uploads = [await stack.enter_async_context(slow_upload(url, file)) for file in files]
        before = [WHOLE_BYTES_BEFORE] * WHOLE + [IN_PARTS_BYTES_BEFORE] * IN_PARTS
        await asyncio.gather(*(upload.send(sent // PIECE_BYTES) for upload, sent in zip(uploads, before, strict=True)))
        yield uploads


@asynccontextmanager
async def _going_on_slowly(uploads: Sequence[SlowUpload]) -> AsyncIterator[None]:
    """Sends a piece of each once a second."""

    async def go_on() -> None:
        while True:
            await asyncio.gather(*(upload.send(1) for upload in uploads))
            await asyncio.sleep(1)

    going_on = asyncio.create_task(go_on())
    try:
        await asyncio.sleep(SHORTEST_GRACE_SECONDS + 1)
        yield
        assert not going_on.done()
    finally:
        going_on.cancel()
        await asyncio.wait({going_on})


async def _swept_while_parts_arrive(place: Place, uploads: Sequence[StagedUpload]) -> list[list[str]]:
    """What the sweeps say. First parts arrive beside the first of them, last parts beside the last."""
    assert {len(upload.parts) for upload in uploads} == {STAGED_PARTS}
    parts = [upload.parts[number] for number in range(STAGED_PARTS) for upload in uploads]
    beside_each = len(parts) // SWEEPS
    outputs = []
    async with httpx.AsyncClient(timeout=60) as storage:
        for start in range(0, len(parts), beside_each):
            async with asyncio.TaskGroup() as meanwhile:
                sweep = meanwhile.create_task(_swept(place))
                for part in parts[start : start + beside_each]:
                    meanwhile.create_task(part.put(storage))
            outputs.append(sweep.result())
    return outputs


async def _swept(place: Place) -> list[str]:
    ended = await run_gallery("doctor", "--repair", "--grace", str(SHORTEST_GRACE_SECONDS), settings=place.settings)
    assert (ended.exit_code, ended.complaints) == (0, "")
    return ended.output.splitlines()


async def _served(api: Api) -> set[str]:
    """The SHA-256 of all originals as everybody gets them."""
    images = (await api.ask("{ images(first: 100) { nodes { url } } }"))["images"]["nodes"]
    answers = [await api.http.get(httpx.URL(image["url"]).path) for image in images]
    return {hashlib.sha256(answer.content).hexdigest() for answer in answers}


async def _are_under_way(place: Place) -> bool:
    comparison = await compare(place)
    return (comparison.intents, len(comparison.open_uploads)) == (
        WHOLE + IN_PARTS + STAGED,
        IN_PARTS + STAGED,
    )


async def _no_job_waits(place: Place) -> bool:
    return (await compare(place)).waiting_jobs == 0
