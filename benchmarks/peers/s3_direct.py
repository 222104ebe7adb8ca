"""Bytes from memory to S3 by aiobotocore, with nothing around it: what no server can be faster than.

Reads orders, a line of JSON each (`files`, `size_bytes`, `clients`), and answers with a line once all is stored: with
`put_object`, or in parts of the gallery's size, as many in flight as the gallery has. Settings: `GALLERY_STORAGE__…`.
"""

from __future__ import annotations

import asyncio
import io
import random
import sys
from typing import TYPE_CHECKING
from uuid import uuid4

import orjson
import uvloop
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

from gallery.settings import Settings, StorageSettings

if TYPE_CHECKING:
    from types_aiobotocore_s3.client import S3Client
    from types_aiobotocore_s3.type_defs import CompletedPartTypeDef


class Store:
    """A bucket."""

    def __init__(self, client: S3Client, settings: StorageSettings) -> None:
        self._client = client
        self._bucket = settings.bucket or ""
        self._part_size_bytes = settings.part_size_bytes
        self._parts_in_flight = settings.parts_in_flight
        self._block = random.Random(4).randbytes(settings.part_size_bytes)  # noqa: S311  # no secret

    async def store(self, files: int, size_bytes: int, clients: int) -> None:
        """Stores files, so many at a time."""
        numbers = iter(range(files))

        async def client() -> None:
            for _ in numbers:
                await self._store_one(f"images/{uuid4().hex}", size_bytes)

        await asyncio.gather(*(client() for _ in range(clients)))

    async def _store_one(self, key: str, size_bytes: int) -> None:
        if size_bytes < self._part_size_bytes:
            await self._client.put_object(Bucket=self._bucket, Key=key, Body=io.BytesIO(self._block[:size_bytes]))
            return
        upload_id = (await self._client.create_multipart_upload(Bucket=self._bucket, Key=key))["UploadId"]
        in_flight = asyncio.Semaphore(self._parts_in_flight)

        async def send(number: int, start: int) -> CompletedPartTypeDef:
            body = self._block[: min(self._part_size_bytes, size_bytes - start)]
            async with in_flight:
                answer = await self._client.upload_part(
                    Bucket=self._bucket, Key=key, UploadId=upload_id, PartNumber=number, Body=io.BytesIO(body)
                )
            return {"PartNumber": number, "ETag": answer["ETag"]}

        starts = range(0, size_bytes, self._part_size_bytes)
        parts = await asyncio.gather(*(send(number, start) for number, start in enumerate(starts, 1)))
        await self._client.complete_multipart_upload(
            Bucket=self._bucket, Key=key, UploadId=upload_id, MultipartUpload={"Parts": parts}
        )


async def main() -> None:
    """Takes orders until there are no more."""
    settings = Settings().storage
    keys = settings.access_key_id, settings.secret_access_key
    access_key_id, secret_access_key = (key.get_secret_value() if key else None for key in keys)
    async with get_session().create_client(
        "s3",
        endpoint_url=str(settings.endpoint_url),
        region_name=settings.region,
        aws_access_key_id=access_key_id,
        aws_secret_access_key=secret_access_key,
        config=AioConfig(s3={"addressing_style": "path", "payload_signing_enabled": False}, max_pool_connections=50),
    ) as client:
        store = Store(client, settings)
        while line := await asyncio.to_thread(sys.stdin.readline):
            await store.store(**orjson.loads(line))
            print("stored", flush=True)


if __name__ == "__main__":
    uvloop.run(main())
