"""A place for a gallery on the servers of the tests: a migrated database, an empty bucket, and a look behind both."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
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

    client: S3Client
    access: S3Access
    bucket: str

    async def keys(self) -> list[str]:
        """The names of all objects, sorted."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        return sorted([item["Key"] async for page in pages for item in page.get("Contents", [])])

    async def open_uploads(self) -> list[str]:
        """The names of objects whose multipart upload is neither completed nor aborted."""
        pages = self.client.get_paginator("list_multipart_uploads").paginate(Bucket=self.bucket)
        return sorted([item["Key"] async for page in pages for item in page.get("Uploads", [])])

    async def read(self, key: str) -> bytes:
        body: bytes = await (await self.client.get_object(Bucket=self.bucket, Key=key))["Body"].read()
        return body

    async def etag(self, key: str) -> str:
        """The ETag without quotes; that of an object stored in parts ends with a hyphen and their number."""
        return (await self.client.head_object(Bucket=self.bucket, Key=key))["ETag"].strip('"')

    async def remove_contents(self) -> None:
        """Removes everything in the bucket."""
        async for page in self.client.get_paginator("list_multipart_uploads").paginate(Bucket=self.bucket):
            for upload in page.get("Uploads", []):
                await self.client.abort_multipart_upload(
                    Bucket=self.bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                )
        for key in await self.keys():
            await self.client.delete_object(Bucket=self.bucket, Key=key)

    async def remove_all(self) -> None:
        """Removes the bucket with everything in it."""
        await self.remove_contents()
        await self.client.delete_bucket(Bucket=self.bucket)


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

    async def count(self, *tables: str) -> list[int]:
        """How many rows each of the tables has."""
        connection = await asyncpg.connect(driver_dsn(self.database_url))
        try:
            return [await connection.fetchval(f"SELECT count(*) FROM {table}") for table in tables]  # noqa: S608  # ours
        finally:
            await connection.close()


@asynccontextmanager
async def fresh_place(services: Services, template: str, *, cache_database: int = 0) -> AsyncIterator[Place]:
    """A database cloned from the template and a bucket of its own, both gone afterwards, and one of Valkey's databases.

    Number 0 is emptied by each test that asks for `cache_url`; what lives longer takes another.
    """
    database, bucket = f"gallery_e2e_{uuid4().hex}", f"gallery-e2e-{uuid4().hex[:12]}"
    await _administrate(services, f"CREATE DATABASE {database} TEMPLATE {template}")
    try:
        async with s3_client(services.s3) as client:
            await client.create_bucket(Bucket=bucket)
            place = Place(
                database_url=urlsplit(services.database_url)._replace(path=f"/{database}").geturl(),
                cache_url=f"{services.cache_url}{'&' if '?' in services.cache_url else '?'}db={cache_database}",
                objects=StoredObjects(client=client, access=services.s3, bucket=bucket),
            )
            yield place
            await place.objects.remove_all()
    finally:
        await _administrate(services, f"DROP DATABASE {database} WITH (FORCE)")


def s3_client(access: S3Access) -> AbstractAsyncContextManager[S3Client]:
    """A client of the store."""
    creating: AbstractAsyncContextManager[S3Client] = get_session().create_client(
        "s3",
        endpoint_url=access.endpoint_url,
        aws_access_key_id=access.access_key_id,
        aws_secret_access_key=access.secret_access_key,
        region_name=access.region,
    )
    return creating


async def _administrate(services: Services, statement: str) -> None:
    connection = await asyncpg.connect(driver_dsn(services.database_url))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
