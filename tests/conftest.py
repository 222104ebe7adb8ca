"""Fixtures for every test: servers that start once and only if needed, and a fresh place on them for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest
from aiobotocore.session import get_session
from redis.asyncio import Redis
from types_aiobotocore_s3.client import S3Client

from gallery.platform.database.engine import driver_dsn
from gallery.platform.database.migrate import upgrade
from tests.services import S3Access, Services, running_cache, running_database, running_s3

_TESTS = Path(__file__).parent
_SLOW_FIRST = ("e2e", "integration", "contracts", "unit")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begins with the slow folders: processes that share the tests end at about the same time."""
    items.sort(key=lambda item: _SLOW_FIRST.index(item.path.relative_to(_TESTS).parts[0]))


@pytest.hookimpl(optionalhook=True)
def pytest_handlecrashitem(crashitem: str) -> None:
    """Ends the run: nobody would miss the tests that the crashed process still had before it."""
    pytest.exit(f"The process that ran {crashitem} crashed.", returncode=3)


@pytest.fixture(scope="session")
def servers_folder() -> Iterator[Path]:
    """Where embedded servers keep their files: short, since addresses of Unix sockets are."""
    with TemporaryDirectory(prefix="gallery-test-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
async def database_server(servers_folder: Path) -> AsyncIterator[str]:
    async with running_database(servers_folder) as url:
        yield url


@pytest.fixture(scope="session")
async def cache_server(servers_folder: Path) -> AsyncIterator[str]:
    async with running_cache(servers_folder) as url:
        yield url


@pytest.fixture(scope="session")
async def s3(servers_folder: Path) -> AsyncIterator[S3Access]:
    async with running_s3(servers_folder) as access:
        yield access


@pytest.fixture(scope="session")
def services(database_server: str, cache_server: str, s3: S3Access) -> Services:
    """All three servers. Ask for `database_url`, `cache_url` or `bucket` if one is enough."""
    return Services(database_url=database_server, cache_url=cache_server, s3=s3)


@pytest.fixture(scope="session")
async def migrated_template(database_server: str) -> AsyncIterator[str]:
    """The name of a migrated database without rows, to be cloned."""
    name = f"gallery_template_{uuid4().hex}"
    await _administrate(database_server, f"CREATE DATABASE {name} TEMPLATE template0")
    await upgrade(_with_database(database_server, name))
    yield name
    await _administrate(database_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def empty_database_url(database_server: str) -> AsyncIterator[str]:
    """A fresh database without any tables."""
    async for url in _fresh_database(database_server, "template0"):
        yield url


@pytest.fixture
async def database_url(database_server: str, migrated_template: str) -> AsyncIterator[str]:
    """A fresh database with all tables and no rows."""
    async for url in _fresh_database(database_server, migrated_template):
        yield url


@pytest.fixture(scope="module")
async def shared_database_url(database_server: str, migrated_template: str) -> AsyncIterator[str]:
    """A database with all tables, for tests of one module that only read what was put there once."""
    async for url in _fresh_database(database_server, migrated_template):
        yield url


@pytest.fixture
async def cache_url(cache_server: str) -> str:
    """An empty cache."""
    async with Redis.from_url(cache_server) as client:
        await client.flushdb()
    return cache_server


@pytest.fixture(scope="session")
async def s3_client(s3: S3Access) -> AsyncIterator[S3Client]:
    """A plain client of the store, made once: making one takes longer than most tests."""
    async with get_session().create_client(
        "s3",
        endpoint_url=s3.endpoint_url,
        aws_access_key_id=s3.access_key_id,
        aws_secret_access_key=s3.secret_access_key,
        region_name=s3.region,
    ) as client:
        yield client


@pytest.fixture
async def bucket(s3_client: S3Client) -> AsyncIterator[str]:
    """The name of a fresh bucket."""
    name = f"gallery-test-{uuid4().hex[:12]}"
    await s3_client.create_bucket(Bucket=name)
    yield name
    async for uploads in s3_client.get_paginator("list_multipart_uploads").paginate(Bucket=name):
        for upload in uploads.get("Uploads", []):
            await s3_client.abort_multipart_upload(Bucket=name, Key=upload["Key"], UploadId=upload["UploadId"])
    async for objects in s3_client.get_paginator("list_objects_v2").paginate(Bucket=name):
        for item in objects.get("Contents", []):
            await s3_client.delete_object(Bucket=name, Key=item["Key"])
    await s3_client.delete_bucket(Bucket=name)


async def _fresh_database(server_url: str, template: str) -> AsyncIterator[str]:
    name = f"gallery_test_{uuid4().hex}"
    await _administrate(server_url, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield _with_database(server_url, name)
    await _administrate(server_url, f"DROP DATABASE {name} WITH (FORCE)")


async def _administrate(server_url: str, statement: str) -> None:
    connection = await asyncpg.connect(driver_dsn(server_url))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def _with_database(url: str, name: str) -> str:
    return urlsplit(url)._replace(path=f"/{name}").geturl()
