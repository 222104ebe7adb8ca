"""`gallery serve --workers 2`: two processes are as one for clients, and neither's end is the gallery's."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.api import Api
from tests.e2e.gallery_server import GalleryServer, run_gallery, serving
from tests.e2e.places import Place
from tests.e2e.processes import TWO, clients_of_each, is_under_way, refuses_connections, serving_pids
from tests.e2e.slow_uploads import LongFile, slow_upload
from tests.e2e.waiting import eventually
from tests.photographs import jpeg
from tests.scraped import Sample, sample, scraped

MEBIBYTE = 1024 * 1024
EVENTS = {"Accept": "text/event-stream"}
CREATE_ALBUM = "mutation ($input: CreateAlbumInput!) { createAlbum(input: $input) { album { id } errors { code } } }"
TAGS = "{ tags { nodes { name } } }"
LIVE = sample("gallery_http_request_duration_seconds_count", method="GET", route="/livez", status="2xx")
PROCESSES, RESTARTS = sample("gallery_server_processes"), sample("gallery_server_process_restarts_total")


async def told(api: Api) -> Mapping[Sample, float]:
    answer = await api.http.get("/metrics")
    assert answer.status_code == httpx.codes.OK, answer.text
    return scraped(answer.text)


def errors_in(server: GalleryServer) -> list[str]:
    lines = [json.loads(line) for line in server.log_text().splitlines()]
    return [line["event"] for line in lines if line["level"] == "error"]


async def test_what_one_process_writes_the_other_knows_at_once(place: Place, folder: Path) -> None:
    document = "query Names { images { nodes { title } } }"
    persisted = {"persistedQuery": {"version": 1, "sha256Hash": sha256(document.encode()).hexdigest()}}
    async with (
        serving(folder / "log", settings={**place.settings, **TWO}) as (server, _),
        clients_of_each(server) as [[here], [there]],
    ):
        whole = await here.http.post("/graphql", json={"query": document, "extensions": persisted})
        by_hash = await there.http.post("/graphql", json={"extensions": persisted})
        image = (await here.upload("harbour.jpg", jpeg(), title="Harbour", tags=["sea"]))["image"]
        seen = [await there.image(image["id"]), await there.ask(TAGS)]
        await there.change("updateImage", "UpdateImageInput", "image { id }", id=image["id"], title="Boats")
        named = await here.http.post("/graphql", json={"extensions": persisted})

    assert whole.json() == by_hash.json() == {"data": {"images": {"nodes": []}}}
    assert seen[0]["title"] == "Harbour"
    assert seen[1] == {"tags": {"nodes": [{"name": "sea"}]}}
    assert named.json() == {"data": {"images": {"nodes": [{"title": "Boats"}]}}}


async def test_a_request_that_is_repeated_at_both_is_done_once(place: Place, folder: Path) -> None:
    async with (
        serving(folder / "log", settings={**place.settings, **TWO}) as (server, _),
        clients_of_each(server, count=10) as [here, there],
    ):

        async def ask(api: Api) -> bytes:
            sent = {"query": CREATE_ALBUM, "variables": {"input": {"title": "Summer"}}}
            answer = await api.http.post("/graphql", json=sent, headers={"Idempotency-Key": "summer"})
            assert answer.status_code == httpx.codes.OK
            return answer.content

        answers = await asyncio.gather(*(ask(api) for api in (*here, *there) for _ in range(5)))

    assert len(answers) == 100
    assert len(set(answers)) == 1
    assert json.loads(answers[0])["data"]["createAlbum"]["errors"] == []
    assert await place.count("albums") == [1]


async def test_whoever_watches_at_either_hears_of_an_upload_to_one(place: Place, folder: Path) -> None:
    progress = {"query": 'subscription { uploadProgress(id: "holiday") { receivedBytes done } }'}
    processed = {"query": "subscription { imageProcessed { title } }"}
    photo = jpeg()
    async with (
        serving(folder / "log", settings={**place.settings, **TWO}) as (server, _),
        clients_of_each(server, count=3) as [here, there],
        here[0].http.stream("POST", "/graphql", json=processed, headers=EVENTS) as news_here,
        there[0].http.stream("POST", "/graphql", json=processed, headers=EVENTS) as news_there,
        there[1].http.stream("POST", "/graphql", json=progress, headers=EVENTS) as moments,
    ):
        hearing = [asyncio.create_task(_next_event(stream)) for stream in (news_here, news_there)]
        watching = asyncio.create_task(_last_event(moments))
        await asyncio.sleep(0)  # all three read before anything is sent
        await here[2].upload("harbour.jpg", photo, title="Harbour", progressId="holiday")

        assert await asyncio.gather(*hearing) == [{"data": {"imageProcessed": {"title": "Harbour"}}}] * 2
        assert await watching == {"data": {"uploadProgress": {"receivedBytes": len(photo), "done": True}}}


async def test_metrics_are_those_of_both_and_never_fall(place: Place, folder: Path) -> None:
    async with serving(folder / "log", settings={**place.settings, **TWO}) as (server, api):
        async with clients_of_each(server) as [[here], [there]]:
            before = (await told(here))[LIVE]
            for one in (here, there, here):
                await one.http.get("/livez")
            pages = [await told(one) for one in (here, there)]

            victim = max(serving_pids(server))
            os.kill(victim, signal.SIGKILL)
            await eventually(lambda: _is_replaced(server, victim))
        after = await told(api)
        await api.http.get("/livez")
        last = await told(api)

    assert [page[LIVE] - before for page in pages] == [3, 3]
    assert [page[PROCESSES] for page in pages] == [2, 2]
    assert all(sample("process_cpu_seconds_total", process=name) in pages[0] for name in ("1", "2"))
    assert pages[0][sample("gallery_database_pool_size")] == 20
    assert after[RESTARTS] == pages[0][RESTARTS] + 1 == 1
    assert last[LIVE] == after[LIVE] + 1 >= pages[1][LIVE] + 1
    fallen = [name for name, value in pages[1].items() if _only_grows(name) and after.get(name, 0) < value]
    assert fallen == []


async def test_one_that_is_killed_takes_nothing_with_it_that_was_acknowledged(place: Place, folder: Path) -> None:
    async with serving(folder / "log", settings={**place.settings, **TWO}) as (server, api):
        victim, survivor = sorted(serving_pids(server))
        acknowledged: list[str] = []

        async def keep_uploading(first_width: int) -> None:
            for width in range(first_width, first_width + 15):
                async with Api(server.url) as client:
                    try:
                        payload = await client.upload("a.jpg", jpeg(width, 100))
                    except httpx.TransportError:
                        continue  # the one that was killed had it
                    acknowledged.append(payload["image"]["id"])

        uploading = [asyncio.create_task(keep_uploading(width)) for width in (200, 300, 400)]
        await eventually(lambda: _has(acknowledged, 5))
        os.kill(victim, signal.SIGKILL)
        await asyncio.gather(*uploading)
        await eventually(lambda: _is_replaced(server, victim))

        assert survivor in serving_pids(server)
        assert len(acknowledged) >= 45 - 3
        async with clients_of_each(server) as [[here], [there]]:
            for client in (here, there):
                found = await client.ask("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=acknowledged)
                assert [node["id"] for node in found["nodes"]] == acknowledged
        for image_id in acknowledged:
            assert (await api.until_processed(image_id))["processing"] == "READY"
        assert len(errors_in(server)) == 1


async def test_told_to_stop_they_finish_even_if_everybody_is_told(place: Place, folder: Path) -> None:
    file = LongFile(jpeg(), 60 * MEBIBYTE)
    async with serving(folder / "log", settings={**place.settings, **TWO}) as (server, _):
        async with slow_upload(server.url, file) as upload:
            await upload.send(20)
            await eventually(lambda: is_under_way(place))

            for pid in serving_pids(server):  # as a terminal or a service manager may
                os.kill(pid, signal.SIGTERM)
                os.kill(pid, signal.SIGINT)
            server.terminate()

            await eventually(lambda: refuses_connections(server))
            reply = await upload.send_rest()
        assert await server.ended() == 0
        assert errors_in(server) == []
        assert "Traceback" not in server.log_text()

    assert reply.json["data"]["uploadImage"]["image"]["checksum"] == file.checksum
    assert await place.count("images") == [1]


async def test_told_twice_they_do_not_wait(place: Place, folder: Path) -> None:
    settings = {**place.settings, **TWO, "GALLERY_SERVER__SHUTDOWN_TIMEOUT_SECONDS": "3600"}
    async with (
        serving(folder / "log", settings=settings) as (server, _),
        slow_upload(server.url, LongFile(jpeg(), 60 * MEBIBYTE)) as upload,
    ):
        await upload.send(20)
        await eventually(lambda: is_under_way(place))
        server.terminate()
        await eventually(lambda: refuses_connections(server))

        assert await server.stop() == 0

    assert await place.objects.open_uploads() == []
    assert await place.count("images") == [0]


async def test_when_the_first_process_is_killed_the_others_end_by_themselves(place: Place, folder: Path) -> None:
    file = LongFile(jpeg(), 30 * MEBIBYTE)
    server = await GalleryServer.start(folder / "log", settings={**place.settings, **TWO})
    try:
        family = server.process.children(recursive=True)
        async with slow_upload(server.url, file) as upload:
            await upload.send(10)
            await eventually(lambda: is_under_way(place))
            await server.kill()
            reply = await upload.send_rest()

        async def are_gone() -> bool:
            return not any(child.is_running() for child in family)

        await eventually(are_gone)
    finally:
        await server.kill()
    assert len(family) == 2
    assert reply.json["data"]["uploadImage"]["image"]["checksum"] == file.checksum
    assert await place.count("images") == [1]


async def test_asked_by_sighup_all_are_replaced_while_the_gallery_goes_on(place: Place, folder: Path) -> None:
    async with serving(folder / "log", settings={**place.settings, **TWO}) as (server, api):
        image = (await api.upload("a.jpg", jpeg()))["image"]
        before = serving_pids(server)

        async def are_left(count: int) -> bool:
            async with Api(server.url) as client:  # a connection of its own each time
                assert (await client.image(image["id"]))["id"] == image["id"]
            return len(serving_pids(server) & before) == count

        os.kill(server.pid, signal.SIGHUP)
        await eventually(lambda: are_left(1))
        await eventually(lambda: are_left(0))
        assert len(serving_pids(server)) == 2

        async with Api(server.url) as client:
            assert (await told(client))[RESTARTS] == 0
        assert errors_in(server) == []


async def test_processes_that_keep_dying_end_the_gallery_with_a_word(place: Place, folder: Path) -> None:
    server = await GalleryServer.start(folder / "log", settings={**place.settings, **TWO})
    try:
        while server.running:
            for pid in serving_pids(server):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            await asyncio.sleep(0.05)
        assert await server.ended() == 1
    finally:
        await server.kill()
    words = [line for line in server.log_text().splitlines() if line.startswith("gallery: ")]
    assert len(words) == 1, server.log_text()
    assert "fails again and again (it ended with exit code -9) and is not started any more" in words[0]


async def test_pools_are_made_to_fit_into_what_the_database_takes(place: Place, folder: Path) -> None:
    settings = {**place.settings, **TWO, "GALLERY_DATABASE__POOL_SIZE": "90"}
    async with serving(folder / "log", settings=settings) as (server, api):
        size = (await told(api))[sample("gallery_database_pool_size")]
        warning, *_ = server.log_text().splitlines()

    assert 2 <= size < 90
    assert warning == (
        "gallery: WARNING: PostgreSQL does not take 3 times GALLERY_DATABASE__POOL_SIZE=90 connections; "
        f"each process keeps {size / 2:.0f} at most."
    )


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody tells what is open")
async def test_nothing_is_left_open_of_what_a_process_was_told_at_its_start(place: Place, folder: Path) -> None:
    async with serving(folder / "log", settings={**place.settings, **TWO}) as (server, _):
        inputs = {(Path("/proc") / str(pid) / "fd" / "0").readlink() for pid in serving_pids(server)}

    assert inputs == {Path(os.devnull)}


async def test_several_processes_without_a_cache_are_refused(place: Place) -> None:
    settings = {**place.settings, "GALLERY_CACHE__ENABLED": "false"}
    ended = await run_gallery("serve", "--port", "0", "--workers", "2", settings=settings)

    assert (ended.exit_code, ended.output) == (2, "")
    assert "GALLERY_SERVER__WORKERS is more than 1 and GALLERY_CACHE__ENABLED is false" in ended.complaints


async def _has(things: list[str], count: int) -> bool:
    return len(things) >= count


async def _is_replaced(server: GalleryServer, victim: int) -> bool:
    """Whether another process answers in its place."""
    async with Api(server.url) as api:
        pids = serving_pids(server)
        return victim not in pids and len(pids) == 2 and (await told(api))[PROCESSES] == 2


def _only_grows(series: Sample) -> bool:
    name, _ = series
    return name.startswith("gallery_") and name.endswith(("_total", "_count", "_sum", "_bucket"))


async def _next_event(stream: httpx.Response) -> Any:  # noqa: ANN401  # any JSON
    async for line in stream.aiter_lines():
        if line.startswith("data: "):
            return json.loads(line.removeprefix("data: "))
    return None


async def _last_event(stream: httpx.Response) -> Any:  # noqa: ANN401  # any JSON
    lines = [line async for line in stream.aiter_lines()]
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")][-1]
