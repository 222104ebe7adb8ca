"""What a fault of the gallery looks like on every way into it: an id, and under it in the log what happened."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, cast

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from gallery.logs import configure_logging
from gallery.settings import LogFormat, LogLevel, LogSettings
from gallery.web.app import create_web_app
from tests.entities import an_image
from tests.fakes.gallery import MemoryGallery
from tests.graphql_server import listening
from tests.unit.test_app import parts_of

SECRET = "postgresql: the password is hunter2"
STATS = "{ stats { imageCount } }"
TAG = 'mutation { createTag(input: {name: "a"}) { tag { id } errors { code } } }'
UPLOAD = "mutation ($file: Upload!) { uploadImage(input: {file: $file}) { image { id } errors { code } } }"
IMAGE = an_image(file_size_bytes=16)
PROGRESS = 'subscription { uploadProgress(id: "a") { receivedBytes } }'
MEDIA = f"/media/img_{IMAGE.id.hex}/original"
EVENTS = {"Accept": "text/event-stream"}
CSRF = {"X-GraphQL-CSRF": "1"}


class Broken:
    """Fails whatever is asked of it, with what nobody may be told."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # stands for anything
        raise RuntimeError(SECRET)


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What is logged, as JSON."""
    root, stream = logging.getLogger(), io.StringIO()
    levels = {name: logging.getLogger(name).level for name in (None, "gallery")}
    before = list(root.handlers)
    configure_logging(LogSettings(level=LogLevel.INFO, format=LogFormat.JSON), stream)
    yield stream
    for handler in [handler for handler in root.handlers if handler not in before]:
        root.removeHandler(handler)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@asynccontextmanager
async def broken_gallery() -> AsyncIterator[int]:
    """The port of a gallery of which nothing works."""
    gallery, broken = MemoryGallery(), Broken()
    parts = parts_of(gallery)
    names = ("records", "image_reader", "tags", "uploads", "staged_uploads", "progress", "processed", "idempotency")
    stand_ins: dict[str, Any] = dict.fromkeys(names, broken)
    use_cases = replace(parts.use_cases, **stand_ins)
    async with listening() as listener:
        web = create_web_app(replace(parts, use_cases=use_cases, storage=cast("Any", broken)))
        listener.app = web
        async with web.router.lifespan_context(web):
            yield listener.port


def logged_under(lines: io.StringIO, request_id: str) -> list[dict[str, Any]]:
    """The failures that the log has under an id."""
    records = [json.loads(line) for line in lines.getvalue().splitlines()]
    return [line for line in records if line.get("request_id") == request_id and line["level"] == "error"]


def assert_is_masked(told: str, lines: io.StringIO) -> None:
    """Whoever is told this learns an id, and nothing but an id; whoever looks it up finds what happened."""
    assert "hunter2" not in told
    assert "RuntimeError" not in told
    assert "Traceback" not in told
    (error, *_) = json.loads(told)["errors"]
    assert error["extensions"]["code"] == "INTERNAL_ERROR"
    request_id = error["extensions"]["requestId"]
    assert request_id in error["message"]
    found = logged_under(lines, request_id)
    assert len(found) == 1, "once, where it is handled"
    assert SECRET in json.dumps(found)


REQUESTS = {
    "post": {"method": "POST", "url": "/graphql", "json": {"query": STATS}},
    "get": {"method": "GET", "url": "/graphql", "params": {"query": STATS}, "headers": CSRF},
    "mutation": {"method": "POST", "url": "/graphql", "json": {"query": TAG}},
    "upload": {
        "method": "POST",
        "url": "/graphql",
        "data": {
            "operations": json.dumps({"query": UPLOAD, "variables": {"file": None}}),
            "map": '{"0": ["variables.file"]}',
        },
        "files": {"0": ("a.jpg", b"abc")},
        "headers": CSRF,
    },
    "media": {"method": "GET", "url": MEDIA},
}


@pytest.mark.parametrize("name", REQUESTS)
async def test_a_fault_is_masked_in_every_answer_by_http(name: str, lines: io.StringIO) -> None:
    async with broken_gallery() as port, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        answer = await client.request(**REQUESTS[name])  # type: ignore[arg-type]  # of httpx, by name
    assert_is_masked(answer.text, lines)
    assert json.loads(answer.text)["errors"][0]["extensions"]["requestId"] == answer.headers["x-request-id"]


@pytest.mark.parametrize("document", [STATS, PROGRESS], ids=["query", "subscription"])
async def test_a_fault_is_masked_in_events(document: str, lines: io.StringIO) -> None:
    async with broken_gallery() as port, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        answer = await client.post("/graphql", json={"query": document}, headers=EVENTS)
    assert answer.headers["content-type"].startswith("text/event-stream")
    (data, *_) = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: {")]
    assert_is_masked(data, lines)


@pytest.mark.parametrize("document", [STATS, TAG, PROGRESS], ids=["query", "mutation", "subscription"])
async def test_a_fault_is_masked_in_messages_of_a_websocket(document: str, lines: io.StringIO) -> None:
    protocol = Subprotocol("graphql-transport-ws")
    async with (
        broken_gallery() as port,
        connect(f"ws://127.0.0.1:{port}/graphql", subprotocols=[protocol], compression=None) as websocket,
    ):
        await websocket.send('{"type": "connection_init"}')
        assert json.loads(await websocket.recv())["type"] == "connection_ack"
        await websocket.send(json.dumps({"type": "subscribe", "id": "1", "payload": {"query": document}}))
        message = json.loads(await websocket.recv())
    errors = message["payload"] if message["type"] == "error" else message["payload"]["errors"]
    assert_is_masked(json.dumps({"errors": errors}), lines)


async def test_whoever_names_the_id_of_a_request_finds_the_failure_under_it(lines: io.StringIO) -> None:
    async with broken_gallery() as port, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        answer = await client.post(
            "/graphql", json={"query": STATS}, headers={"X-Request-ID": "0123456789abcdef0123456789abcdef"}
        )
    assert answer.json()["errors"][0]["extensions"]["requestId"] == "0123456789abcdef0123456789abcdef"
    assert_is_masked(answer.text, lines)
