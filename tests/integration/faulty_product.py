"""A whole gallery with a proxy before each of its services, to be broken: what the tests of faults share.

At the end of each test the sweep shows that nothing is left that nobody knows of. `pytest --log-cli-level=INFO` prints
a row for each fault: what the client was told, what was left, and what the sweep found.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from typing import Any

import asyncpg
import httpx
import uvicorn
from pydantic import HttpUrl, SecretStr

from gallery.cli.http import Http
from gallery.container import open_container
from gallery.domain.access import GALLERY_ITSELF
from gallery.main import GalleryApp
from gallery.platform.database.engine import driver_dsn
from gallery.settings import (
    CacheSettings,
    DatabaseSettings,
    Settings,
    WorkerSettings,
)
from tests.e2e.api import UPLOAD_IMAGE, Api, data_of
from tests.e2e.places import Place
from tests.fault_proxy import FaultProxy
from tests.integration.faulty_s3 import FaultyS3, faulty_s3
from tests.photographs import jpeg

log = logging.getLogger(__name__)

PART_BYTES = 5 * 1024 * 1024
SMALL = jpeg()
LARGE = SMALL + bytes(PART_BYTES + 1024 * 1024)
"""Of two parts: what follows the end of a JPEG is no fault."""
CONTENTS = {"small": SMALL, "large": LARGE}

CREATED = (200, "CREATED")
UNAVAILABLE = (200, "SERVICE_UNAVAILABLE")

_CREATE_UPLOAD = """mutation ($input: CreateUploadInput!) {
  createUpload(input: $input) { upload { id } errors { code } }
}"""
_PART_URLS = "query ($id: ID!) { upload(id: $id) { partUrls { url firstByte size } } }"
_COMPLETE = """mutation ($input: CompleteUploadInput!) {
  completeUpload(input: $input) { outcome errors { code } }
}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What is in the storage and in the tables. `intents` are uploads that have not become images."""

    objects: int = 0
    open_uploads: int = 0
    images: int = 0
    jobs: int = 0
    intents: int = 0


NOTHING = Left()
IMAGE = Left(objects=1, images=1, jobs=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A gallery on a socket, with a proxy before each service."""

    api: Api
    place: Place
    s3: FaultProxy
    store: FaultyS3
    database: FaultProxy
    cache: FaultProxy
    told: list[str] = field(default_factory=list)

    async def upload(self, content: bytes = SMALL) -> tuple[int, str]:
        """Streams a file; the status of the answer, and the outcome or the code of the error."""
        files = {"0": (["variables.input.file"], "harbour.jpg", content)}
        return self._told(await self.api.send_files(UPLOAD_IMAGE, {"input": {"file": None}}, files))

    async def begin(self, content: bytes = SMALL, *, key: str | None = None) -> tuple[int, str]:
        """Begins a staged upload; the status of the answer, and the id of the upload or the code of the error."""
        announced = {
            "filename": "harbour.jpg",
            "fileSize": len(content),
            "contentType": "image/jpeg",
            "checksum": sha256(content).hexdigest(),
            "idempotencyKey": key,
        }
        return self._told(await self.api.post(_CREATE_UPLOAD, {"input": announced}))

    async def staged(self, content: bytes = SMALL) -> str:
        """The id of a staged upload all parts of which are there."""
        _, upload_id = await self.begin(content)
        await self.put(upload_id, content)
        return upload_id

    async def put(self, upload_id: str, content: bytes) -> None:
        """Sends the parts of a file to the storage."""
        upload = data_of(await self.api.post(_PART_URLS, {"id": upload_id}))["upload"]
        async with httpx.AsyncClient() as client:
            for part in upload["partUrls"]:
                piece = content[part["firstByte"] : part["firstByte"] + part["size"]]
                (await client.put(part["url"], content=piece)).raise_for_status()

    async def complete(self, upload_id: str) -> tuple[int, str]:
        """Completes a staged upload; the status of the answer, and the outcome or the code of the error."""
        return self._told(await self.api.post(_COMPLETE, {"input": {"id": upload_id}}))

    async def left(self) -> Left:
        images, jobs, intents = await self.place.count("images", "pgqueuer", "uploads WHERE state = 'OPEN'")
        return Left(
            objects=len(await self.place.objects.keys()),
            open_uploads=len(await self.place.objects.open_uploads()),
            images=images,
            jobs=jobs,
            intents=intents,
        )

    def _told(self, response: httpx.Response) -> tuple[int, str]:
        told = _outcome(response.json())
        self.told.append("an upload" if told.startswith("upl_") else told)
        return response.status_code, told


def _outcome(answer: dict[str, Any]) -> str:
    if "errors" in answer:
        return str(answer["errors"][0]["extensions"]["code"])
    [payload] = answer["data"].values()
    if payload["errors"]:
        return str(payload["errors"][0]["code"])
    return str(payload.get("outcome") or payload["upload"]["id"])


@asynccontextmanager
async def faulty_product(place: Place, name: str) -> AsyncIterator[Product]:
    """A gallery at a place that is empty again afterwards; the name of the test is for the log."""
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(faulty_s3(place.objects.access.endpoint_url))
        s3 = await stack.enter_async_context(FaultProxy.to(store.url))
        database = await stack.enter_async_context(FaultProxy.to(place.database_url))
        cache = await stack.enter_async_context(FaultProxy.to(place.cache_url))
        url = await stack.enter_async_context(_serving(_settings(place, s3, database, cache)))
        api = await stack.enter_async_context(Api(url))
        product = Product(api=api, place=place, s3=s3, store=store, database=database, cache=cache)
        yield product
        for proxy in (s3, database, cache):
            await proxy.heal()
    try:
        left = await product.left()
        found = await _swept(place)
        log.info("| %s | %s | %s | %s |", name, ", then ".join(product.told), left, found or "nothing")
        after = await product.left()
        assert after == Left(objects=left.images, images=left.images, jobs=after.jobs)
        assert await _swept(place) == {}
    finally:
        await _clear(place)


async def _swept(place: Place) -> Mapping[str, int]:
    """What the sweep finds and repairs a day later, when uploads that nobody completes have expired."""
    await _sql(place, "UPDATE uploads SET expires_at = now() WHERE transport = 'STAGED'")
    async with open_container(_straight(place)) as container:
        report = await container.use_cases.sweep.repair(GALLERY_ITSELF, timedelta(0))
    return {kind.value: count for kind, count in report.counts.items()}


async def _clear(place: Place) -> None:
    await place.objects.remove_contents()
    await _sql(place, "TRUNCATE images, events, pgqueuer, uploads, idempotency_keys CASCADE")


async def _sql(place: Place, statement: str) -> None:
    connection = await asyncpg.connect(driver_dsn(place.database_url))
    await connection.execute(statement)
    await connection.close()


def _straight(place: Place) -> Settings:
    """The settings that lead to the services themselves."""
    access = place.objects.access
    return Settings(
        storage=access.settings(place.objects.bucket, part_size_bytes=PART_BYTES, timeout_seconds=3),
        database=DatabaseSettings(
            url=SecretStr(place.database_url), pool_timeout_seconds=2, statement_timeout_seconds=2
        ),
        cache=CacheSettings(url=SecretStr(place.cache_url)),
        worker=WorkerSettings(embedded=False),
    )


def _settings(place: Place, s3: FaultProxy, database: FaultProxy, cache: FaultProxy) -> Settings:
    """The same by way of the proxies."""
    straight = _straight(place)
    endpoint, url = HttpUrl(s3.url_of(place.objects.access.endpoint_url)), database.url_of(place.database_url)
    return straight.model_copy(
        update={
            "storage": straight.storage.model_copy(update={"endpoint_url": endpoint}),
            "database": straight.database.model_copy(update={"url": SecretStr(url)}),
            "cache": CacheSettings(url=SecretStr(cache.url_of(place.cache_url))),
        }
    )


@asynccontextmanager
async def _serving(settings: Settings) -> AsyncIterator[str]:
    """The address of a gallery on a socket of this process."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(
            GalleryApp(settings),
            http=Http,  # type: ignore[arg-type]  # of another base class: see there
            ws="none",
            lifespan="on",
            log_config=None,
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started and not serving.done():  # noqa: ASYNC110  # uvicorn sets a flag and tells nobody
            await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        await serving
