"""Subscriptions of a server that runs as people run it: across processes, and when it stops."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from tests.e2e.gallery_server import serving
from tests.e2e.places import Place
from tests.photographs import jpeg

WATCH = {
    "query": "subscription ($id: ID!) { uploadProgress(id: $id) { receivedBytes done } }",
    "variables": {"id": "holiday"},
}
EVENTS = {"Accept": "text/event-stream"}


async def test_an_upload_to_one_process_is_watched_in_another(place: Place, folder: Path) -> None:
    photo = jpeg() + bytes(2_000_000)
    async with (
        serving(folder / "one.log", settings=place.settings) as (_, here),
        serving(folder / "other.log", settings=place.settings) as (_, there),
        there.http.stream("POST", "/graphql", json=WATCH, headers=EVENTS) as stream,
    ):
        uploading = asyncio.create_task(here.upload("harbour.jpg", photo, progressId="holiday"))
        lines = [line async for line in stream.aiter_lines()]
        assert (await uploading)["errors"] == []

    moments = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    assert moments[-1] == {"data": {"uploadProgress": {"receivedBytes": len(photo), "done": True}}}
    assert lines[-3:] == ["event: complete", "data:", ""]


async def test_a_server_that_stops_completes_its_subscriptions_and_ends_in_order(place: Place, folder: Path) -> None:
    async with serving(folder / "log", settings=place.settings) as (server, api):
        async with api.http.stream("POST", "/graphql", json=WATCH, headers=EVENTS) as stream:
            server.terminate()
            assert (await stream.aread()).decode() == "event: complete\ndata:\n\n"
        assert await server.ended() == 0
