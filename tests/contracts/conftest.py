"""Every implementation of a port: the fakes in memory, and the adapters over real servers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest
from aiobotocore.session import get_session
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from types_aiobotocore_s3 import S3Client

from gallery.domain.events import Event, EventKind
from gallery.domain.ids import EventId, UserId
from gallery.domain.jobs import Job
from gallery.platform.database.accounts import SqlAccountReader
from gallery.platform.database.albums import SqlAlbumReader
from gallery.platform.database.claims import SqlAnswerStore
from gallery.platform.database.engine import create_engine
from gallery.platform.database.images import SqlImageReader
from gallery.platform.database.linked_images import SqlLinkedImageReader
from gallery.platform.database.named_objects import SqlNamedObjects
from gallery.platform.database.sessions import SqlSessionReader
from gallery.platform.database.share_links import SqlShareLinkReader
from gallery.platform.database.storage_reports import SqlLastReports
from gallery.platform.database.tags import SqlTagReader
from gallery.platform.database.unit_of_work import sql_units_of_work
from gallery.platform.jobs.messages import decode
from gallery.platform.jobs.queue import PgJobQueue
from gallery.platform.storage.s3 import connect_storages
from gallery.settings import DatabaseSettings
from tests.contracts.under_test import Database, Storage, Told
from tests.fakes.accounts import MemoryAccountReader
from tests.fakes.albums import MemoryAlbumReader
from tests.fakes.claims import MemoryAnswerStore
from tests.fakes.database import MemoryDatabase
from tests.fakes.images import MemoryImageReader
from tests.fakes.named_objects import MemoryNamedObjects
from tests.fakes.sessions import MemorySessionReader
from tests.fakes.share_links import MemoryLinkedImageReader, MemoryShareLinkReader
from tests.fakes.storage import MemoryObjectStorage, MemoryStorageInventory
from tests.fakes.storage_reports import MemoryLastReports
from tests.fakes.tags import MemoryTagReader
from tests.fakes.unit_of_work import memory_units_of_work
from tests.services import S3Access

PART_SIZE_BYTES = 5 * 1024 * 1024  # the least that S3 takes


@pytest.fixture(params=["memory", "sql"])
def database(request: pytest.FixtureRequest) -> Database:
    found = request.getfixturevalue(f"{request.param}_database")
    assert isinstance(found, Database)
    return found


@pytest.fixture(params=["memory", "s3"])
def under_test(request: pytest.FixtureRequest) -> Storage:
    found = request.getfixturevalue(f"{request.param}_storage")
    assert isinstance(found, Storage)
    return found


@pytest.fixture
def memory_database() -> Database:
    told = Told()
    memory = MemoryDatabase()

    async def events() -> list[Event]:
        return memory.committed.events

    async def jobs() -> list[Job]:
        return memory.committed.jobs

    return Database(
        unit_of_work=memory_units_of_work(memory, on_commit=told.listener),
        images=MemoryImageReader(memory),
        tags=MemoryTagReader(memory),
        albums=MemoryAlbumReader(memory),
        accounts=MemoryAccountReader(memory),
        sessions=MemorySessionReader(memory),
        share_links=MemoryShareLinkReader(memory),
        linked=MemoryLinkedImageReader(memory),
        answers=MemoryAnswerStore(memory),
        named_objects=MemoryNamedObjects(memory),
        last_reports=MemoryLastReports(),
        events=events,
        jobs=jobs,
        told=told.commits,
    )


@pytest.fixture
async def sql_database(database_url: str) -> AsyncIterator[Database]:
    engine = create_engine(database_url, DatabaseSettings(pool_size=4))
    told = Told()
    yield Database(
        unit_of_work=sql_units_of_work(engine, jobs=PgJobQueue, on_commit=told.listener),
        images=SqlImageReader(engine),
        tags=SqlTagReader(engine),
        albums=SqlAlbumReader(engine),
        accounts=SqlAccountReader(engine),
        sessions=SqlSessionReader(engine),
        share_links=SqlShareLinkReader(engine),
        linked=SqlLinkedImageReader(engine),
        answers=SqlAnswerStore(engine),
        named_objects=SqlNamedObjects(engine),
        last_reports=SqlLastReports(engine),
        events=lambda: _committed_events(engine),
        jobs=lambda: _committed_jobs(engine),
        told=told.commits,
    )
    await engine.dispose()


@pytest.fixture
def memory_storage() -> Storage:
    memory = MemoryObjectStorage()

    async def leftovers() -> set[str]:
        return set(memory.objects) | {upload.storage_path for upload in memory.multipart_uploads.values()}

    async def send_part(_path: str, multipart_id: str, number: int, content: bytes) -> bool:
        if multipart_id not in memory.multipart_uploads:
            return False
        memory.client_puts(multipart_id, number, content)
        return True

    return Storage(
        storage=memory,
        part_size_bytes=PART_SIZE_BYTES,
        staging=memory,
        inventory=MemoryStorageInventory(memory),
        send_part=send_part,
        leftovers=leftovers,
    )


@pytest.fixture(scope="session")
async def s3_client(s3: S3Access) -> AsyncIterator[S3Client]:
    creating = get_session().create_client(
        "s3",
        endpoint_url=s3.endpoint_url,
        aws_access_key_id=s3.access_key_id,
        aws_secret_access_key=s3.secret_access_key,
        region_name=s3.region,
    )
    async with creating as client:
        yield client


@pytest.fixture(scope="session")
async def shared_bucket(s3_client: S3Client) -> AsyncIterator[str]:
    """One bucket for all tests of the contract: making one takes a store longer than any of them."""
    name = f"gallery-contract-{uuid4().hex[:12]}"
    await s3_client.create_bucket(Bucket=name)
    yield name
    await s3_client.delete_bucket(Bucket=name)


@pytest.fixture
async def s3_storage(s3: S3Access, s3_client: S3Client, shared_bucket: str) -> AsyncIterator[Storage]:
    settings = s3.settings(shared_bucket, part_size_bytes=PART_SIZE_BYTES, parts_in_flight=2)

    async with connect_storages(settings) as storages, httpx.AsyncClient() as http:

        async def leftovers() -> set[str]:
            await storages.objects.settle()
            return {path for path, _ in await _contents(s3_client, shared_bucket)}

        async def send_part(path: str, multipart_id: str, number: int, content: bytes) -> bool:
            url = await storages.staging.part_url(
                path, multipart_id, number, size_bytes=len(content), expires_in_seconds=60
            )
            return (await http.put(url, content=content)).is_success

        yield Storage(
            storage=storages.objects,
            part_size_bytes=PART_SIZE_BYTES,
            staging=storages.staging,
            inventory=storages.inventory,
            send_part=send_part,
            leftovers=leftovers,
        )

    await _empty(s3_client, shared_bucket)


async def _committed_events(engine: AsyncEngine) -> list[Event]:
    async with engine.connect() as connection:
        rows = await connection.execute(text("SELECT * FROM events ORDER BY sequence"))
        return [
            Event(
                id=EventId(row.id),
                kind=EventKind(row.kind),
                entity_id=row.entity_id,
                actor=UserId(row.actor),
                occurred_at=row.occurred_at,
                payload=row.payload,
            )
            for row in rows
        ]


async def _committed_jobs(engine: AsyncEngine) -> list[Job]:
    async with engine.connect() as connection:
        rows = await connection.execute(text("SELECT entrypoint, payload FROM pgqueuer ORDER BY id"))
        return [decode(row.entrypoint, row.payload) for row in rows]


async def _contents(client: S3Client, bucket: str) -> list[tuple[str, str | None]]:
    """The path of every object, and of every multipart upload with its id."""
    objects = await client.list_objects_v2(Bucket=bucket)
    uploads = await client.list_multipart_uploads(Bucket=bucket)
    return [
        *((item["Key"], None) for item in objects.get("Contents", [])),
        *((item["Key"], item["UploadId"]) for item in uploads.get("Uploads", [])),
    ]


async def _empty(client: S3Client, bucket: str) -> None:
    for path, upload_id in await _contents(client, bucket):
        if upload_id is None:
            await client.delete_object(Bucket=bucket, Key=path)
        else:
            await client.abort_multipart_upload(Bucket=bucket, Key=path, UploadId=upload_id)
