"""The storage is damaged by hand, in each way that there is: the doctor says so, and puts right what can be."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from gallery.cli.doctor import SHORTEST_GRACE_SECONDS
from gallery.platform.database.engine import driver_dsn
from tests.e2e.api import Api
from tests.e2e.comparison import NOTHING_AMISS, BytesRead, compare, read_all
from tests.e2e.gallery_server import Ended, run_gallery, serving
from tests.e2e.places import Place
from tests.e2e.waiting import eventually
from tests.photographs import jpeg

MATCH = "ok  Rows and objects match"
GRACE = ("--grace", str(SHORTEST_GRACE_SECONDS))
ORIGINAL_LOST = (
    "original lost: 1. The image is marked as failed, with the reason. Only a backup can bring the file back."
)
ORIGINAL_DAMAGED = (
    "original damaged: 1. The image is marked as failed, with the reason. Only a backup has the right bytes."
)


@pytest.fixture
async def api(place: Place, folder: Path) -> AsyncIterator[Api]:
    """A gallery of the test's own, with a worker."""
    async with serving(folder / "log", settings=place.settings) as (_, api):
        yield api


async def doctor(place: Place, *arguments: str) -> Ended:
    ended = await run_gallery("doctor", *arguments, settings=place.settings)
    print(ended.output)
    assert ended.complaints == ""
    return ended


@asynccontextmanager
async def kept_young(place: Place, key: str) -> AsyncIterator[None]:
    """An object that is stored again and again: never older than a moment, however long the doctor takes."""

    async def store() -> None:
        await place.objects.client.put_object(Bucket=place.objects.bucket, Key=key, Body=b"stored a moment ago")

    async def keep() -> None:
        while True:
            await asyncio.sleep(1)
            await store()

    await store()
    keeping = asyncio.create_task(keep())
    try:
        yield
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping


async def sql(place: Place, statement: str, *values: object) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(driver_dsn(place.database_url))
    try:
        return await connection.fetch(statement, *values)
    finally:
        await connection.close()


async def uploaded(place: Place, api: Api, count: int) -> list[dict[str, str]]:
    """Images with their renditions, uploaded long ago; each with the paths of its objects."""
    made = [(await api.upload("kept.jpg", jpeg(400 + index, 300)))["image"] for index in range(count)]
    for image in made:
        assert (await api.until_processed(image["id"]))["processing"] == "READY"
    await grow_old(place)
    return [
        {"id": image["id"], "original": f"images/{image['uploadedAt'][:7].replace('-', '/')}/{image['filename']}"}
        | {size: f"thumbnails/{size}/{image['id'].removeprefix('img_')}.webp" for size in ("small", "medium", "large")}
        for image in made
    ]


async def grow_old(place: Place) -> None:
    """Lets the images be older than any grace period."""
    await sql(place, "UPDATE images SET uploaded_at = now() - interval '1 day', updated_at = now() - interval '1 day'")


async def damage(place: Place, key: str) -> None:
    """Other bytes, as many as before."""
    content = await place.objects.read(key)
    await place.objects.client.put_object(Bucket=place.objects.bucket, Key=key, Body=bytes(len(content)))


async def remove(place: Place, key: str) -> None:
    await place.objects.client.delete_object(Bucket=place.objects.bucket, Key=key)


async def test_what_nobody_names_is_told_and_then_removed_and_nothing_else(place: Place, folder: Path) -> None:
    async with serving(folder / "log", settings=place.settings) as (_, api):
        await uploaded(place, api, 2)
    # Without a server, since its worker would put right what it finds.
    kept = await place.objects.keys()
    orphan, stuck, parts, young = (f"images/2026/05/{uuid4().hex}.jpg" for _ in range(4))
    foreign = "notes/of somebody else.txt"
    bucket, client = place.objects.bucket, place.objects.client
    for key in (orphan, stuck, foreign):
        await client.put_object(Bucket=bucket, Key=key, Body=b"left over")
    await client.create_multipart_upload(Bucket=bucket, Key=parts)
    await sql(
        place,
        """
        INSERT INTO uploads (id, owner, transport, state, image_id, storage_path, draft, created_at, touched_at)
        VALUES ($1, $1, 'STREAMED', 'OPEN', $1, $2, $3, now() - interval '1 day', now() - interval '1 day')
        """,
        uuid4(),
        stuck,
        json.dumps({"on_duplicate": "RETURN_EXISTING"}),
    )
    [held] = await sql(
        place,
        """
        INSERT INTO pgqueuer (priority, status, entrypoint, payload)
        VALUES (0, 'failed', 'delete_objects', '{"storage_paths": []}')
        RETURNING id
        """,
    )
    damaged = await compare(place)

    assert MATCH not in (await doctor(place)).output.splitlines()  # the intent is old enough for any grace
    await asyncio.sleep(SHORTEST_GRACE_SECONDS + 1)
    async with kept_young(place, young):
        told = await doctor(place, *GRACE)

    assert told.exit_code == 1
    lines = told.output.splitlines()
    assert "!!  object without row: 1. The object is removed." in lines
    assert "!!  multipart upload without intent: 1. Its parts are thrown away." in lines
    assert "!!  stuck upload: 1. The upload is given up and its bytes are removed." in lines
    assert any(line.startswith(f"!!  Job {held['id']} (delete_objects ") for line in lines)
    assert {line.strip().partition(",")[0] for line in lines} >= {orphan, parts, stuck}
    assert young not in told.output
    assert foreign not in told.output
    changed = await compare(place)
    assert changed.counts == {**damaged.counts, "orphans": 4}
    assert (changed.open_uploads, changed.intents, changed.held_jobs) == ((parts,), 1, 1)

    async with kept_young(place, young):
        repaired = await doctor(place, "--repair", *GRACE)

    assert repaired.exit_code == 0
    lines = repaired.output.splitlines()
    assert "ok  1 jobs that were given up are queued again" in lines
    assert "ok  multipart upload without intent: 1, repaired. Its parts are thrown away." in lines
    assert "ok  stuck upload: 1, repaired. The upload is given up and its bytes are removed." in lines
    async with serving(folder / "log", settings=place.settings):
        await eventually(lambda: _no_job_waits(place))
    after = await compare(place)
    assert after.orphans == {young, foreign}
    assert after.counts == {**NOTHING_AMISS, "orphans": 2}
    assert await place.objects.keys() == sorted([*kept, young, foreign])

    await client.delete_object(Bucket=bucket, Key=young)  # on a busy machine it is not young any more
    again = await doctor(place, *GRACE)
    assert again.exit_code == 0
    assert {MATCH, "ok  No job was given up"} <= set(again.output.splitlines())


async def test_lost_and_damaged_thumbnails_are_made_again(place: Place, api: Api) -> None:
    sound, lost, damaged = await uploaded(place, api, 3)
    before = {key: await place.objects.etag(key) for key in await place.objects.keys()}
    await remove(place, lost["small"])
    await damage(place, damaged["large"])

    told = await doctor(place)
    assert told.exit_code == 1
    assert "!!  rendition lost: 1. It is made again from the original." in told.output.splitlines()
    assert "rendition damaged" not in told.output
    verified = await doctor(place, "--verify")
    assert verified.exit_code == 1
    assert "!!  rendition lost: 1. It is made again from the original." in verified.output.splitlines()
    assert "!!  rendition damaged: 1. It is made again from the original." in verified.output.splitlines()
    assert f"    {damaged['large']}, " in verified.output
    assert lost["small"] not in await place.objects.keys()

    repaired = await doctor(place, "--repair", "--verify")

    assert repaired.exit_code == 0
    lines = repaired.output.splitlines()
    assert "ok  rendition lost: 1, repaired. It is made again from the original." in lines
    assert "ok  rendition damaged: 1, repaired. It is made again from the original." in lines
    await eventually(lambda: _no_job_waits(place))
    for image in (sound, lost, damaged):
        assert (await api.image(image["id"]))["processing"] == "READY"
    assert {key: await place.objects.etag(key) for key in await place.objects.keys()} == before
    await grow_old(place)
    again = await doctor(place, "--verify")
    assert again.exit_code == 0
    assert MATCH in again.output.splitlines()


async def test_lost_and_damaged_originals_are_beyond_repair_until_somebody_deletes_them(place: Place, api: Api) -> None:
    sound, lost, damaged = await uploaded(place, api, 3)
    await remove(place, lost["original"])
    await damage(place, damaged["original"])
    keys = await place.objects.keys()
    assert await read_all(place) == BytesRead(len(keys), frozenset({damaged["original"]}))

    told = await doctor(place, "--verify")
    assert told.exit_code == 1
    assert {f"!!  {ORIGINAL_LOST}", f"!!  {ORIGINAL_DAMAGED}"} <= set(told.output.splitlines())
    assert [(await api.image(image["id"]))["processing"] for image in (sound, lost, damaged)] == ["READY"] * 3

    repaired = await doctor(place, "--repair", "--verify")

    assert repaired.exit_code == 1
    assert {f"!!  {ORIGINAL_LOST}", f"!!  {ORIGINAL_DAMAGED}"} <= set(repaired.output.splitlines())
    shown = [await api.image(image["id"]) for image in (sound, lost, damaged)]
    assert [image["processing"] for image in shown] == ["READY", "FAILED", "FAILED"]
    assert "is gone from the storage" in shown[1]["processingError"]
    assert "was damaged in the storage" in shown[2]["processingError"]
    assert await place.objects.keys() == keys
    assert (await doctor(place, "--verify")).exit_code == 1

    for image in (lost, damaged):
        assert (await api.change("deleteImage", "DeleteImageInput", "image { id }", id=image["id"]))["errors"] == []
    await eventually(lambda: _no_job_waits(place))
    again = await doctor(place, "--verify", *GRACE)
    assert again.exit_code == 0
    assert MATCH in again.output.splitlines()
    assert await place.objects.keys() == sorted(sound[name] for name in ("original", "small", "medium", "large"))


async def test_with_the_bucket_of_another_gallery_nothing_is_removed(place: Place) -> None:
    keys = sorted(f"images/2026/05/{uuid4().hex}.jpg" for _ in range(101))
    for key in keys:
        await place.objects.client.put_object(Bucket=place.objects.bucket, Key=key, Body=b"of another gallery")
    await asyncio.sleep(SHORTEST_GRACE_SECONDS + 1)

    ended = await doctor(place, "--repair", *GRACE)

    assert ended.exit_code == 1
    lines = ended.output.splitlines()
    assert "!!  object without row: 101. The object is removed." in lines
    assert lines[-1].startswith("!!  101 objects have no row and only 0 have one.")
    assert [line.partition(",")[0].strip() for line in lines if line.startswith("    images/")] == keys[:5]
    assert await place.objects.keys() == keys


async def test_a_grace_period_in_which_an_upload_gives_no_sign_of_life_is_refused(place: Place) -> None:
    ended = await run_gallery("doctor", "--repair", "--grace", str(SHORTEST_GRACE_SECONDS - 1), settings=place.settings)

    assert ended.exit_code == 2
    assert f"Input should be greater than or equal to {SHORTEST_GRACE_SECONDS}" in ended.complaints


async def _no_job_waits(place: Place) -> bool:
    return (await compare(place)).waiting_jobs == 0
