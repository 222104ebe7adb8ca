"""Downloads over a real socket: what ASGI alone cannot show."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp

from gallery.domain.errors import UnavailableError
from gallery.domain.images import Image
from gallery.domain.ports import ObjectStorage, ObjectStream
from gallery.platform.storage.s3 import connect_storage
from gallery.settings import ServerSettings
from gallery.web.authentication import OPEN
from gallery.web.media import Media
from gallery.web.media_urls import original_url
from gallery.web.middleware.stack import middleware
from gallery.web.paths import MEDIA_PATH
from gallery.web.responses import ERROR_HANDLERS
from tests.entities import an_image
from tests.fakes.gallery import MemoryGallery
from tests.fakes.images import MemoryImageReader
from tests.fakes.storage import MemoryObjectStorage
from tests.services import S3Access

CHUNK = b"x" * 65_536
ENDLESS_BYTES = 1 << 40
PATIENCE_SECONDS = 20
SOCKET_BUFFERS_BYTES = 64 * 1024 * 1024
"""More than both ends of a connection ever hold."""


class ScriptedStorage(MemoryObjectStorage):
    """Gives chunks until `fails_after_bytes`, and notes how many and when the stream was closed."""

    def __init__(self, *, fails_after_bytes: int = ENDLESS_BYTES) -> None:
        super().__init__()
        self.given_bytes = 0
        self.closed = asyncio.Event()
        self._fails_after_bytes = fails_after_bytes

    def open(
        self, storage_path: str, *, first_byte: int = 0, last_byte: int | None = None
    ) -> AbstractAsyncContextManager[ObjectStream]:
        return self._scripted(storage_path, first_byte, last_byte)

    @asynccontextmanager
    async def _scripted(self, _path: str, _first: int, _last: int | None) -> AsyncIterator[ObjectStream]:
        try:
            yield ObjectStream(
                size_bytes=ENDLESS_BYTES, total_bytes=ENDLESS_BYTES, content_type="", etag="", body=self._chunks()
            )
        finally:
            self.closed.set()

    async def _chunks(self) -> AsyncIterator[bytes]:
        while self.given_bytes < self._fails_after_bytes:
            yield CHUNK
            self.given_bytes += len(CHUNK)
            await asyncio.sleep(0)
        raise UnavailableError(type(self).__name__)


class Server(uvicorn.Server):
    """Tells when it is up."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", ws="none"))
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.up.set()


@asynccontextmanager
async def serving(image: Image, storage: ObjectStorage) -> AsyncIterator[int]:
    """The port of a server that has one image."""
    gallery = MemoryGallery()
    gallery.tables.images[image.id] = image
    app = Starlette(
        routes=[Route(MEDIA_PATH, Media(MemoryImageReader(gallery.database), storage, OPEN), methods=["GET"])],
        middleware=middleware(ServerSettings()),
        exception_handlers=ERROR_HANDLERS,
    )
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = Server(app)
        running = asyncio.create_task(server.serve(sockets=[listener]))
        await server.up.wait()
        try:
            yield int(listener.getsockname()[1])
        finally:
            server.should_exit = True
            await running


@asynccontextmanager
async def asking(port: int, image: Image) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection on which the image has been asked for."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {original_url('', image)} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    yield reader, writer
    writer.transport.abort()


@pytest.fixture
def endless() -> Image:
    return an_image(file_size_bytes=ENDLESS_BYTES)


async def test_stream_from_the_storage_ends_when_the_client_goes_away(
    endless: Image, caplog: pytest.LogCaptureFixture
) -> None:
    storage = ScriptedStorage()
    async with serving(endless, storage) as port:
        async with asking(port, endless) as (reader, _):
            assert await reader.readexactly(15) == b"HTTP/1.1 200 OK"
            await reader.readexactly(2 * len(CHUNK))
            assert not storage.closed.is_set()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await storage.closed.wait()
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_stream_waits_for_a_client_that_does_not_read(endless: Image) -> None:
    storage = ScriptedStorage()
    async with serving(endless, storage) as port, asking(port, endless) as (reader, _):
        await reader.readexactly(15)
        before = -1
        while before != storage.given_bytes:
            before = storage.given_bytes
            await asyncio.sleep(0.2)
        assert 0 < storage.given_bytes < SOCKET_BUFFERS_BYTES
        assert not storage.closed.is_set()


async def test_answer_is_cut_off_when_the_storage_fails_in_the_middle(
    endless: Image, caplog: pytest.LogCaptureFixture
) -> None:
    storage = ScriptedStorage(fails_after_bytes=4 * len(CHUNK))
    async with serving(endless, storage) as port, asking(port, endless) as (reader, _):
        async with asyncio.timeout(PATIENCE_SECONDS):
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert f"content-length: {ENDLESS_BYTES}".encode() in head.split(b"\r\n")
    assert len(body) == 4 * len(CHUNK)
    assert storage.closed.is_set()
    failures = [record for record in caplog.records if record.name == "gallery.web.middleware.failures"]
    assert [record.getMessage() for record in failures] == ["a request failed"]


async def test_storage_that_fails_at_once_is_a_503_and_the_connection_goes_on(endless: Image) -> None:
    storage = ScriptedStorage(fails_after_bytes=0)
    async with serving(endless, storage) as port, httpx.AsyncClient() as client:
        url = f"http://localhost:{port}{original_url('', endless)}"
        answers = [await client.get(url), await client.head(url), await client.get(url)]
    assert [answer.status_code for answer in answers] == [503, 200, 503]
    assert answers[1].headers["content-length"] == str(ENDLESS_BYTES)
    assert storage.closed.is_set()


async def test_bytes_come_from_a_real_storage_whole_and_in_parts(s3: S3Access, bucket: str) -> None:
    content = bytes(range(256)) * 4096
    image = an_image(file_size_bytes=len(content), checksum=hashlib.sha256(content).hexdigest())
    async with connect_storage(s3.settings(bucket)) as storage:
        await storage.put(image.storage_path, _one(content), content_type="image/jpeg")
        async with serving(image, storage) as port, httpx.AsyncClient() as client:
            url = f"http://localhost:{port}{original_url('', image)}"
            whole = await client.get(url)
            part = await client.get(url, headers={"Range": "bytes=1000-1999"})
            end = await client.get(url, headers={"Range": "bytes=-1"})
            async with client.stream("GET", url) as abandoned:
                assert abandoned.status_code == 200
            again = await client.get(url, headers={"If-None-Match": whole.headers["etag"]})
    assert (whole.status_code, whole.content) == (200, content)
    assert (part.status_code, part.content) == (206, content[1000:2000])
    assert (end.status_code, end.content) == (206, content[-1:])
    assert (again.status_code, again.content) == (304, b"")


async def _one(content: bytes) -> AsyncIterator[bytes]:
    yield content
