"""Uploads over a real socket to a gallery on real services, and what is left of them in PostgreSQL and S3."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256

import asyncpg
from types_aiobotocore_s3.client import S3Client

from gallery.platform.database.engine import driver_dsn
from tests import photographs
from tests.graphql_server import RawConnection, Reply
from tests.multipart_bodies import CONTENT_TYPE

MEBIBYTE = 1024 * 1024
HEAD_BYTES = 64 * 1024
"""How much of a file is looked at before the rest is stored."""
MULTIPART_BYTES = 9 * MEBIBYTE
"""More than goes to S3 in one call."""
PATIENCE_SECONDS = 20
JPEG = photographs.jpeg()


class StoredUploads:
    """A gallery on real services behind a real socket, and what it has stored."""

    def __init__(self, port: int, database_url: str, s3_client: S3Client, bucket: str) -> None:
        self._port = port
        self._database_url = database_url
        self._s3 = s3_client
        self._bucket = bucket

    @asynccontextmanager
    async def connection(self, **headers: str) -> AsyncIterator[RawConnection]:
        """A connection over which a request has begun."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        connection = RawConnection(reader, writer)
        try:
            await connection.send_head(Host="127.0.0.1", Content_Type=CONTENT_TYPE, **headers)
            yield connection
        finally:
            writer.close()

    async def post(self, body: bytes, **headers: str) -> Reply:
        async with self.connection(Content_Length=str(len(body)), **headers) as connection:
            await connection.send(body)
            return await connection.reply()

    async def contents(self) -> list[str]:
        """The SHA-256 of each object, in order."""
        checksums = []
        for item in (await self._s3.list_objects_v2(Bucket=self._bucket)).get("Contents", []):
            response = await self._s3.get_object(Bucket=self._bucket, Key=item["Key"])
            checksums.append(sha256(await response["Body"].read()).hexdigest())
        return sorted(checksums)

    async def open_multipart_uploads(self) -> int:
        return len((await self._s3.list_multipart_uploads(Bucket=self._bucket)).get("Uploads", []))

    async def rows(self) -> list[str]:
        """The checksum of each image, in order."""
        connection = await asyncpg.connect(driver_dsn(self._database_url))
        try:
            return sorted(row["checksum"] for row in await connection.fetch("SELECT checksum FROM images"))
        finally:
            await connection.close()

    async def hold(self, *files: bytes) -> bool:
        """Whether these files are stored and are images, and nothing else is anywhere."""
        checksums = sorted(sha256(file).hexdigest() for file in files)
        stored = (await self.contents(), await self.rows(), await self.open_multipart_uploads())
        return stored == (checksums, checksums, 0)

    async def have_begun(self) -> None:
        """Waits until parts of a file go to S3."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await self.open_multipart_uploads():  # noqa: ASYNC110 - S3 tells nobody
                await asyncio.sleep(0.01)

    async def come_to_hold_nothing(self) -> bool:
        """Whether in some seconds nothing is left."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await self.hold():  # noqa: ASYNC110 - S3 tells nobody
                await asyncio.sleep(0.05)
        return True


def long_jpeg(size: int = 2 * HEAD_BYTES) -> bytes:
    """With more coded data than its picture needs, which decoders pass over."""
    return JPEG[:-2] + b"\x12" * (size - len(JPEG)) + b"\xff\xd9"
