"""The server is killed or stopped at the worst moment: nothing that it has acknowledged is lost."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import psutil

from tests.e2e.api import Api
from tests.e2e.gallery_server import GalleryServer, serving
from tests.e2e.places import Place
from tests.e2e.processes import is_under_way, refuses_connections
from tests.e2e.slow_uploads import LongFile, slow_upload
from tests.e2e.waiting import eventually
from tests.integration.embedded_support import processes_in, recorded
from tests.photographs import jpeg

MEBIBYTE = 1024 * 1024
NO_WORKER = {"GALLERY_WORKER__EMBEDDED": "false"}


async def test_killed_during_an_upload_it_comes_back_with_all_that_it_acknowledged(folder: Path) -> None:
    data, log = folder / "data", folder / "log"
    photographs = [jpeg(700 + index, 500) for index in range(4)]
    killed = await GalleryServer.start(log, "--data-dir", data, settings=NO_WORKER)
    try:
        async with Api(killed.url) as api:
            images = [(await api.upload("kept.jpg", photograph))["image"] for photograph in photographs]
        async with slow_upload(killed.url, LongFile(jpeg(), 100 * MEBIBYTE)) as upload:
            await upload.send(20)
            embedded = recorded(data)
            await killed.kill()
        assert all(map(psutil.pid_exists, embedded.values()))

        async with serving(log, "--data-dir", data) as (_, api):
            assert recorded(data) == embedded  # taken over, not started again
            assert (await api.stats())["imageCount"] == len(photographs)
            for image, photograph in zip(images, photographs, strict=True):
                processed = await api.until_processed(image["id"])
                assert processed["processing"] == "READY"
                path = httpx.URL(processed["url"]).path
                assert (await api.http.get(path)).content == photograph
    finally:
        await killed.kill()
        left = processes_in(folder)
        for process in left:
            process.kill()
    assert left == []


async def test_killed_while_it_makes_thumbnails_it_makes_them_later(place: Place, folder: Path) -> None:
    photographs = [(f"{index}.jpg", jpeg(3000 + index, 2000)) for index in range(8)]
    killed = await GalleryServer.start(folder / "log", settings=place.settings)
    try:
        async with Api(killed.url) as api:
            results = await api.upload_all(photographs)
    finally:
        await killed.kill()
    ids = [result["image"]["id"] for result in results]

    async with serving(folder / "log", settings=place.settings) as (_, api):
        processed = [await api.until_processed(image_id) for image_id in ids]

    assert {image["processing"] for image in processed} == {"READY"}
    assert len(await place.objects.keys()) == 4 * len(photographs)
    assert await place.count("images", "renditions") == [8, 24]


async def test_told_to_stop_it_answers_the_upload_in_flight_and_takes_no_other(place: Place, folder: Path) -> None:
    file = LongFile(jpeg(), 30 * MEBIBYTE)
    async with serving(folder / "log", settings={**place.settings, **NO_WORKER}) as (server, _):
        async with slow_upload(server.url, file) as upload:
            await upload.send(10)
            await eventually(lambda: is_under_way(place))

            server.terminate()

            await eventually(lambda: refuses_connections(server))
            assert server.running
            reply = await upload.send_rest()
        assert await server.ended() == 0

    assert reply.status == 200
    assert reply.json["data"]["uploadImage"]["image"]["checksum"] == file.checksum
    assert await place.count("images") == [1]
    assert len(await place.objects.keys()) == 1


async def test_told_twice_it_does_not_wait_and_leaves_nothing_half_stored(place: Place, folder: Path) -> None:
    settings = {**place.settings, **NO_WORKER, "GALLERY_SERVER__SHUTDOWN_TIMEOUT_SECONDS": "3600"}
    async with serving(folder / "log", settings=settings) as (server, _):
        async with slow_upload(server.url, LongFile(jpeg(), 100 * MEBIBYTE)) as upload:
            await upload.send(20)
            await eventually(lambda: is_under_way(place))
            server.terminate()
            await eventually(lambda: refuses_connections(server))
            assert server.running

            server.terminate()

            assert await server.ended() == 0
        lines = map(json.loads, server.log_text().splitlines())
        assert [line["event"] for line in lines if line["level"] == "error"] == []

    assert await place.objects.open_uploads() == []
    assert await place.objects.keys() == []
    assert await place.count("images") == [0]


async def test_told_to_stop_it_gives_up_an_upload_that_does_not_end_in_time(place: Place, folder: Path) -> None:
    settings = {**place.settings, **NO_WORKER, "GALLERY_SERVER__SHUTDOWN_TIMEOUT_SECONDS": "1"}
    async with (
        serving(folder / "log", settings=settings) as (server, _),
        slow_upload(server.url, LongFile(jpeg(), 100 * MEBIBYTE)) as upload,
    ):
        await upload.send(20)
        await eventually(lambda: is_under_way(place))

        assert await server.stop() == 0

    assert await place.objects.open_uploads() == []
    assert await place.objects.keys() == []
    assert await place.count("images") == [0]
