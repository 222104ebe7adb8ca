"""Clients that dawdle over an upload under way: the server of `gallery serve` ends them, and nothing is left."""

from __future__ import annotations

import asyncio
import gc
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

import asyncpg
import pytest
from pydantic import SecretStr
from types_aiobotocore_s3.client import S3Client

from gallery.cli.http_server import HttpServer
from gallery.main import GalleryApp
from gallery.platform.database.engine import driver_dsn
from gallery.settings import CacheSettings, DatabaseSettings, Settings, UploadSettings, WorkerSettings
from gallery.settings_connections import ConnectionSettings
from tests.graphql_server import RawConnection
from tests.integration.stored_uploads import (
    MEBIBYTE,
    MULTIPART_BYTES,
    PATIENCE_SECONDS,
    StoredUploads,
    long_jpeg,
)
from tests.multipart_bodies import file_map, operations, part
from tests.services import S3Access

CONNECTIONS = ConnectionSettings(pace_window_seconds=1, min_bytes_per_second=1000)
SILENCE_SECONDS = 3
"""Longer than the window in which bytes must move."""
TRICKLE_SECONDS = 0.1
BEGUN = operations() + file_map() + part("0", long_jpeg(MULTIPART_BYTES))[: -MEBIBYTE // 2]
ANNOUNCED = str(len(BEGUN) + MEBIBYTE)


@pytest.fixture(autouse=True)
def untuned() -> Iterator[None]:
    """Takes back what the server changes for its process."""
    thresholds, switch_seconds = gc.get_threshold(), sys.getswitchinterval()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)
    sys.setswitchinterval(switch_seconds)


@pytest.fixture
async def gallery(database_url: str, s3: S3Access, s3_client: S3Client, bucket: str) -> AsyncIterator[StoredUploads]:
    settings = Settings(
        connections=CONNECTIONS,
        database=DatabaseSettings(url=SecretStr(database_url)),
        storage=s3.settings(bucket),
        cache=CacheSettings(enabled=False),
        worker=WorkerSettings(embedded=False),
        uploads=UploadSettings(progress_timeout_seconds=SILENCE_SECONDS),
    )
    started = asyncio.Event()
    server = HttpServer(GalleryApp(settings), settings, on_start=started.set)
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        serving = asyncio.create_task(server.serve([bound]))
        waiting = asyncio.create_task(started.wait())
        await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        yield StoredUploads(bound.getsockname()[1], database_url, s3_client, bucket)
        server.stop()
        await serving


async def rows_of_uploads(database_url: str) -> int:
    connection = await asyncpg.connect(driver_dsn(database_url))
    try:
        count: int = await connection.fetchval("SELECT count(*) FROM uploads")
    finally:
        await connection.close()
    return count


async def trickle(connection: RawConnection) -> None:
    with suppress(ConnectionError):
        while True:
            await connection.send(b"x")
            await asyncio.sleep(TRICKLE_SECONDS)


async def test_an_upload_that_trickles_is_cut_off_and_leaves_nothing(gallery: StoredUploads, database_url: str) -> None:
    async with gallery.connection(Content_Length=ANNOUNCED) as connection:
        await connection.send(BEGUN)
        await gallery.have_begun()
        trickling = asyncio.create_task(trickle(connection))
        reply = await connection.reply()
        trickling.cancel()

    assert (reply.status, reply.codes, reply.headers["connection"]) == (408, ["REQUEST_TIMEOUT"], "close")
    assert await gallery.come_to_hold_nothing()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await rows_of_uploads(database_url):  # noqa: ASYNC110  # the upload's own row goes last, and tells nobody
            await asyncio.sleep(0.05)


async def test_an_upload_that_stops_is_told_so_though_bytes_must_move_in_a_shorter_time(
    gallery: StoredUploads, database_url: str
) -> None:
    async with gallery.connection(Content_Length=ANNOUNCED) as connection:
        await connection.send(BEGUN)
        reply = await connection.reply()

    assert (reply.status, reply.codes) == (408, ["REQUEST_STALLED"])
    assert reply.json["data"]["uploadImage"]["errors"] == [{"code": "UPLOAD_STALLED"}]
    assert await gallery.hold()
    assert await rows_of_uploads(database_url) == 0
