"""The whole product while a service is slow, silent, broken or gone: what the client is told, and what is left.

Whatever happens, an image that is a row has its bytes, and bytes without a row are named by an open intent, which the
sweep ends. The services are real; a proxy stands before each. `pytest --log-cli-level=INFO` shows a row for each fault:
what the client was told, and what was left.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import pytest
import uvicorn
from pydantic import HttpUrl, SecretStr

from gallery.main import GalleryApp
from gallery.platform.database.engine import driver_dsn
from gallery.settings import (
    AddressingStyle,
    CacheSettings,
    DatabaseSettings,
    Settings,
    StorageSettings,
    WorkerSettings,
)
from tests.e2e.api import UPLOAD_IMAGE, Api
from tests.e2e.places import Place, fresh_place
from tests.fault_proxy import FaultProxy
from tests.integration.faulty_s3 import FaultyS3, faulty_s3
from tests.integration.scripted_s3 import error
from tests.photographs import jpeg
from tests.services import Services

log = logging.getLogger(__name__)

PART_BYTES = 5 * 1024 * 1024
SMALL = jpeg()
LARGE = SMALL + bytes(PART_BYTES + 1024 * 1024)
"""Of two parts: what follows the end of a JPEG is no fault."""
CONTENTS = {"small": SMALL, "large": LARGE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What is in the storage and in the tables."""

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
        """The status of the answer, and the outcome or the code of the error."""
        files = {"0": (["variables.input.file"], "harbour.jpg", content)}
        response = await self.api.send_files(UPLOAD_IMAGE, {"input": {"file": None}}, files)
        self.told.append(_outcome(response.json()))
        return response.status_code, self.told[-1]

    async def left(self) -> Left:
        images, jobs, intents = await self.place.count("images", "pgqueuer", "uploads")
        return Left(
            objects=len(await self.place.objects.keys()),
            open_uploads=len(await self.place.objects.open_uploads()),
            images=images,
            jobs=jobs,
            intents=intents,
        )


def _outcome(answer: dict[str, Any]) -> str:
    if "errors" in answer:
        return str(answer["errors"][0]["extensions"]["code"])
    payload = answer["data"]["uploadImage"]
    return str(payload["outcome"] or payload["errors"][0]["code"])


@pytest.fixture(scope="module")
async def shared_place(services: Services, migrated_template: str) -> AsyncIterator[Place]:
    """One place for all: making a bucket takes longer than any of the tests."""
    async with fresh_place(services, migrated_template, cache_database=2) as place:
        yield place


@pytest.fixture
async def place(shared_place: Place) -> AsyncIterator[Place]:
    """An empty place."""
    yield shared_place
    await shared_place.objects.remove_contents()
    connection = await asyncpg.connect(driver_dsn(shared_place.database_url))
    await connection.execute("TRUNCATE images, events, pgqueuer, uploads CASCADE")
    await connection.close()


@pytest.fixture
async def product(place: Place, request: pytest.FixtureRequest) -> AsyncIterator[Product]:
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(faulty_s3(place.objects.access.endpoint_url))
        s3 = await stack.enter_async_context(FaultProxy.to(store.url))
        database = await stack.enter_async_context(FaultProxy.to(place.database_url))
        cache = await stack.enter_async_context(FaultProxy.to(place.cache_url))
        settings = _settings(place, s3, database, cache)
        url = await stack.enter_async_context(_serving(settings))
        api = await stack.enter_async_context(Api(url))
        product = Product(api=api, place=place, s3=s3, store=store, database=database, cache=cache)
        yield product
        log.info("| %s | %s | %s |", request.node.name, ", then ".join(product.told), await product.left())
        for proxy in (s3, database, cache):
            await proxy.heal()


def _settings(place: Place, s3: FaultProxy, database: FaultProxy, cache: FaultProxy) -> Settings:
    access = place.objects.access
    return Settings(
        storage=StorageSettings(
            endpoint_url=HttpUrl(s3.url_of(access.endpoint_url)),
            bucket=place.objects.bucket,
            region=access.region,
            addressing_style=AddressingStyle.PATH,
            access_key_id=SecretStr(access.access_key_id),
            secret_access_key=SecretStr(access.secret_access_key),
            part_size_bytes=PART_BYTES,
            timeout_seconds=3,
        ),
        database=DatabaseSettings(
            url=SecretStr(database.url_of(place.database_url)), pool_timeout_seconds=2, statement_timeout_seconds=2
        ),
        cache=CacheSettings(url=SecretStr(cache.url_of(place.cache_url))),
        worker=WorkerSettings(embedded=False),
    )


@asynccontextmanager
async def _serving(settings: Settings) -> AsyncIterator[str]:
    """The address of a gallery on a socket of this process."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(GalleryApp(settings), http="httptools", ws="none", lifespan="on", log_config=None)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started and not serving.done():  # noqa: ASYNC110  # uvicorn sets a flag and tells nobody
            await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        await serving


CREATED = (200, "CREATED")
UNAVAILABLE = (200, "SERVICE_UNAVAILABLE")


@pytest.mark.parametrize("size", CONTENTS)
async def test_without_faults_an_upload_leaves_an_image(product: Product, size: str) -> None:
    assert await product.upload(CONTENTS[size]) == CREATED
    assert await product.left() == IMAGE


# The storage


@pytest.mark.parametrize("size", CONTENTS)
async def test_a_slow_storage_takes_its_time(product: Product, size: str) -> None:
    product.s3.latency_seconds = 0.02

    assert await product.upload(CONTENTS[size]) == CREATED
    assert await product.left() == IMAGE


@pytest.mark.parametrize("size", CONTENTS)
async def test_a_storage_that_refuses_connections_is_unavailable(product: Product, size: str) -> None:
    await product.s3.refuse()

    assert await product.upload(CONTENTS[size]) == UNAVAILABLE
    await product.s3.heal()
    assert await product.left() == NOTHING


@pytest.mark.parametrize("size", CONTENTS)
async def test_a_storage_that_resets_connections_is_unavailable(product: Product, size: str) -> None:
    product.s3.resets = True

    assert await product.upload(CONTENTS[size]) == UNAVAILABLE
    assert product.s3.faults > 0
    assert await product.left() == NOTHING


@pytest.mark.parametrize("size", CONTENTS)
async def test_a_storage_that_says_nothing_is_unavailable(product: Product, size: str) -> None:
    product.s3.black_hole = True

    assert await product.upload(CONTENTS[size]) == UNAVAILABLE
    assert await product.left() == NOTHING


async def test_a_part_that_is_cut_off_every_time_leaves_nothing(product: Product) -> None:
    product.s3.cut(to_server_bytes=2 * 1024 * 1024)

    assert await product.upload(LARGE) == UNAVAILABLE
    assert product.s3.faults > 0
    assert await product.left() == NOTHING


async def test_a_part_that_is_cut_off_once_is_sent_again(product: Product) -> None:
    product.s3.lose_request(b"partNumber=1")

    assert await product.upload(LARGE) == CREATED
    assert product.s3.faults == 1
    assert await product.left() == IMAGE


@pytest.mark.parametrize(("size", "call"), [("small", b"PUT /"), ("large", b"<CompleteMultipartUpload")])
async def test_the_answer_of_the_storage_to_the_deciding_call_may_be_lost(
    product: Product, size: str, call: bytes
) -> None:
    product.s3.lose_answer(call)

    assert await product.upload(CONTENTS[size]) == CREATED
    assert product.s3.faults == 1
    assert await product.left() == IMAGE


CALLS = [
    ("small", "PutObject"),
    ("large", "CreateMultipartUpload"),
    ("large", "UploadPart"),
    ("large", "CompleteMultipartUpload"),
]
ERRORS = [(500, "InternalError"), (503, "SlowDown"), (507, "InsufficientStorage")]


@pytest.mark.parametrize(("status", "code"), ERRORS)
@pytest.mark.parametrize(("size", "operation"), CALLS)
async def test_a_storage_that_answers_with_errors_is_unavailable_and_keeps_nothing(
    product: Product, size: str, operation: str, status: int, code: str
) -> None:
    product.store.answers(operation, [error(status, code)] * 9)

    assert await product.upload(CONTENTS[size]) == UNAVAILABLE
    assert operation in product.store.operations
    assert await product.left() == NOTHING


@pytest.mark.parametrize(("status", "code"), ERRORS[:2])
@pytest.mark.parametrize(("size", "operation"), CALLS)
async def test_a_storage_that_is_busy_for_a_moment_is_asked_again(
    product: Product, size: str, operation: str, status: int, code: str
) -> None:
    product.store.answers(operation, [error(status, code)])

    assert await product.upload(CONTENTS[size]) == CREATED
    assert await product.left() == IMAGE


# The database

RECORDING = b"INSERT INTO images"


async def test_without_a_database_nothing_reaches_the_storage(product: Product) -> None:
    await product.database.refuse()

    assert await product.upload() == UNAVAILABLE
    assert "PutObject" not in product.store.operations
    assert await product.left() == NOTHING


async def test_a_connection_that_breaks_before_the_commit_leaves_nothing(product: Product) -> None:
    product.database.lose_request(RECORDING)

    assert await product.upload() == UNAVAILABLE
    assert product.database.faults == 1
    assert await product.left() == NOTHING


async def test_a_database_that_is_gone_once_the_bytes_are_stored_leaves_an_intent_that_names_them(
    product: Product,
) -> None:
    product.database.lose_request(RECORDING, then_resets=True)

    assert await product.upload() == UNAVAILABLE
    assert await product.left() == Left(objects=1, intents=1)

    await product.database.heal()
    assert await product.upload() == CREATED
    assert await product.left() == Left(objects=2, images=1, jobs=1, intents=1)


async def test_a_database_that_says_nothing_is_unavailable(product: Product) -> None:
    product.database.black_hole = True

    assert await product.upload() == UNAVAILABLE
    assert "PutObject" not in product.store.operations
    assert await product.left() == NOTHING


@pytest.mark.parametrize("then_resets", [False, True], ids=["for a moment", "for good"])
async def test_the_answer_to_the_commit_may_be_lost_and_the_image_keeps_its_bytes(
    product: Product, *, then_resets: bool
) -> None:
    product.database.lose_answer(RECORDING, b"COMMIT", then_resets=then_resets)

    assert await product.upload() in (CREATED, UNAVAILABLE)
    assert product.database.faults >= 1
    assert await product.left() == IMAGE

    await product.database.heal()
    assert await product.upload() == (200, "EXISTING")
    assert await product.left() == IMAGE


# The cache


@pytest.mark.parametrize("fault", ["refuses", "resets", "says nothing"])
async def test_without_a_cache_uploads_work_all_the_same(product: Product, fault: str) -> None:
    if fault == "refuses":
        await product.cache.refuse()
    product.cache.resets = fault == "resets"
    product.cache.black_hole = fault == "says nothing"
    product.cache.reset_all()

    assert await product.upload() == CREATED
    assert await product.left() == IMAGE
