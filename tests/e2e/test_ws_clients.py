"""Subscriptions through the reference client of graphql-transport-ws, under Node; the worker is another process."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from tests.e2e.gallery_server import serving, working
from tests.e2e.node_clients import run_script
from tests.e2e.places import Place, fresh_place
from tests.photographs import jpeg
from tests.services import Services

FOLLOWING_BYTES = 3_000_000
SOCKETS = 10
"""How many the script opens."""
SETTINGS = {
    "GALLERY_WORKER__EMBEDDED": "false",
    "GALLERY_GRAPHQL__CONNECTION_INIT_TIMEOUT_SECONDS": "1",
}


@pytest.fixture(scope="module")
async def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("photo") / "harbour.jpg"
    file.write_bytes(jpeg(1303, 900) + bytes(FOLLOWING_BYTES))
    return file


@pytest.fixture(scope="module")
async def facts(services: Services, migrated_template: str, photo: Path) -> AsyncIterator[dict[str, Any]]:
    async with fresh_place(services, migrated_template, cache_database=2) as place:
        settings = {**place.settings, **SETTINGS}
        with TemporaryDirectory(prefix="gallery-e2e-") as name:
            folder = Path(name)
            async with (
                serving(folder / "server", settings=settings) as (server, _),
                working(folder / "worker", settings),
            ):
                yield await run_script("graphql-ws.mjs", server.graphql_url, photo, str(uuid.uuid4()))
            lines = [json.loads(line) for line in (folder / "server").read_text().splitlines()]
            assert [line for line in lines if line["level"] != "info"] == []
            assert len([line for line in lines if line.get("method") == "WEBSOCKET"]) == SOCKETS
            assert [line for line in lines if line["event"].startswith("connection ")] == []


def test_the_progress_of_an_upload_is_heard_to_its_end(facts: dict[str, Any], photo: Path) -> None:
    size_bytes = photo.stat().st_size
    moments = [result["data"]["uploadProgress"] for result in facts["progress"]]

    assert facts["uploaded"]["errors"] == []
    assert moments[-1] == {"receivedBytes": size_bytes, "totalBytes": size_bytes, "done": True}
    received = [moment["receivedBytes"] for moment in moments]
    assert received == sorted(received)
    assert any(0 < received_bytes < size_bytes for received_bytes in received)
    assert [moment["done"] for moment in moments[:-1]] == [False] * (len(moments) - 1)


def test_an_image_that_another_process_has_processed_is_told_once_to_who_asked_for_it(facts: dict[str, Any]) -> None:
    (result,) = facts["processed"]
    image = result["data"]["imageProcessed"]

    assert image == {
        "id": facts["uploaded"]["image"]["id"],
        "processing": "READY",
        "thumbnails": {"small": {"width": 320}},
    }


def test_it_is_told_as_well_to_who_asked_for_all(facts: dict[str, Any]) -> None:
    assert facts["amongAll"] == facts["processed"][0]["data"]["imageProcessed"]


def test_a_query_has_one_result(facts: dict[str, Any]) -> None:
    assert facts["query"] == [{"data": {"__typename": "Query"}}]


def test_an_invalid_subscription_is_told_by_an_error(facts: dict[str, Any]) -> None:
    (error,) = facts["invalid"]

    assert error["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"


def test_connections_are_closed_by_the_codes_that_the_client_publishes(facts: dict[str, Any]) -> None:
    assert len(facts["closings"]) == 6
    assert facts["closings"] == {name: facts["published"][name] for name in facts["closings"]}


def test_the_older_subprotocol_is_not_spoken(facts: dict[str, Any]) -> None:
    assert facts["older"] == 1006  # the client ends a handshake in which its protocol is not chosen


def test_the_gallerys_own_page_may_connect_and_no_other(facts: dict[str, Any]) -> None:
    assert facts["handshakes"] == [101, 403]


async def test_a_server_that_stops_closes_its_sockets_and_waits_for_none(place: Place, folder: Path) -> None:
    async with serving(folder / "log", settings=place.settings) as (server, _):
        url = server.graphql_url.replace("http", "ws", 1)
        async with connect(url, subprotocols=[Subprotocol("graphql-transport-ws")]) as socket:
            for message in (
                {"type": "connection_init"},
                {"type": "subscribe", "id": "1", "payload": {"query": "subscription { imageProcessed { id } }"}},
                {"type": "ping"},
            ):
                await socket.send(json.dumps(message))
            assert [json.loads(await socket.recv())["type"] for _ in range(2)] == ["connection_ack", "pong"]

            assert await server.stop() == 0
            await socket.wait_closed()
            assert socket.close_code == 1001
    assert [line for line in server.log_text().splitlines() if '"level": "error"' in line] == []
