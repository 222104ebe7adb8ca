"""A place for a gallery on the servers of the tests: a migrated database, an empty bucket, and a look behind both."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
from aiobotocore.session import get_session

from gallery.platform.database.engine import driver_dsn
from tests.services import S3Access, Services

if TYPE_CHECKING:
    from types_aiobotocore_s3.client import S3Client


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObjects:
    """A bucket, seen from outside the gallery."""

    access: S3Access
    bucket: str

    async def keys(self) -> list[str]:
        """The names of all objects, sorted."""
        async with self.client() as client:
            pages = client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
            return sorted([item["Key"] async for page in pages for item in page.get("Contents", [])])

    async def open_uploads(self) -> list[str]:
        """The names of objects whose multipart upload is neither completed nor aborted."""
        async with self.client() as client:
            pages = client.get_paginator("list_multipart_uploads").paginate(Bucket=self.bucket)
            return sorted([item["Key"] async for page in pages for item in page.get("Uploads", [])])

    async def read(self, key: str) -> bytes:
        async with self.client() as client:
            body: bytes = await (await client.get_object(Bucket=self.bucket, Key=key))["Body"].read()
            return body

    async def etag(self, key: str) -> str:
        """The ETag without quotes; that of an object stored in parts ends with a hyphen and their number."""
        async with self.client() as client:
            return (await client.head_object(Bucket=self.bucket, Key=key))["ETag"].strip('"')

    @asynccontextmanager
    async def client(self) -> AsyncIterator[S3Client]:
        async with get_session().create_client(
            "s3",
            endpoint_url=self.access.endpoint_url,
            aws_access_key_id=self.access.access_key_id,
            aws_secret_access_key=self.access.secret_access_key,
            region_name=self.access.region,
        ) as client:
            yield client


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a gallery keeps everything, with the settings that lead there."""

    database_url: str
    cache_url: str
    objects: StoredObjects

    @property
    def settings(self) -> Mapping[str, str]:
        access = self.objects.access
        return {
            "GALLERY_DATABASE__URL": self.database_url,
            "GALLERY_CACHE__URL": self.cache_url,
            "GALLERY_STORAGE__ENDPOINT_URL": access.endpoint_url,
            "GALLERY_STORAGE__BUCKET": self.objects.bucket,
            "GALLERY_STORAGE__REGION": access.region,
            "GALLERY_STORAGE__ADDRESSING_STYLE": "path",
            "GALLERY_STORAGE__ACCESS_KEY_ID": access.access_key_id,
            "GALLERY_STORAGE__SECRET_ACCESS_KEY": access.secret_access_key,
        }

    async def count(self, table: str) -> int:
        """How many rows a table has."""
        connection = await asyncpg.connect(driver_dsn(self.database_url))
        try:
            found = await connection.fetchval(f"SELECT count(*) FROM {table}")  # noqa: S608  # a name from a test
        finally:
            await connection.close()
        assert isinstance(found, int)
        return found


@asynccontextmanager
async def fresh_place(services: Services, template: str, *, cache_database: int = 0) -> AsyncIterator[Place]:
    """A database cloned from the template and a bucket of its own, both gone afterwards, and one of Valkey's databases.

    Number 0 is emptied by each test that asks for `cache_url`; what lives longer takes another.
    """
    database = f"gallery_e2e_{uuid4().hex}"
    place = Place(
        database_url=urlsplit(services.database_url)._replace(path=f"/{database}").geturl(),
        cache_url=f"{services.cache_url}{'&' if '?' in services.cache_url else '?'}db={cache_database}",
        objects=StoredObjects(access=services.s3, bucket=f"gallery-e2e-{uuid4().hex[:12]}"),
    )
    await _administrate(services, f"CREATE DATABASE {database} TEMPLATE {template}")
    try:
        async with place.objects.client() as client:
            await client.create_bucket(Bucket=place.objects.bucket)
            yield place
            await _remove_bucket(place.objects, client)
    finally:
        await _administrate(services, f"DROP DATABASE {database} WITH (FORCE)")


async def _remove_bucket(objects: StoredObjects, client: S3Client) -> None:
    async for page in client.get_paginator("list_multipart_uploads").paginate(Bucket=objects.bucket):
        for upload in page.get("Uploads", []):
            await client.abort_multipart_upload(Bucket=objects.bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    for key in await objects.keys():
        await client.delete_object(Bucket=objects.bucket, Key=key)
    await client.delete_bucket(Bucket=objects.bucket)


async def _administrate(services: Services, statement: str) -> None:
    connection = await asyncpg.connect(driver_dsn(services.database_url))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
