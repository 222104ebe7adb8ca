"""What the bucket holds, for whoever compares it with the rows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, TypeVar

from gallery.domain.upload_ports import ListedObject, OpenMultipartUpload
from gallery.platform.storage.errors import translated_errors
from gallery.platform.storage.keys import PREFIXES
from gallery.platform.storage.silence import silence_limit

if TYPE_CHECKING:
    from types_aiobotocore_s3.client import S3Client
    from types_aiobotocore_s3.type_defs import PaginatorConfigTypeDef

T = TypeVar("T")


class S3Inventory:
    """As the port says. Lists what lies under the gallery's own prefixes: others may use the bucket as well.

    `page_size` is how many entries one call lists, by default as many as the store likes. Each page is waited for as
    long as any other call. Some stores (MinIO) list multipart uploads only to those who name the object, and so none
    here; they remove abandoned ones by themselves.
    """

    def __init__(self, client: S3Client, bucket: str, *, silence_seconds: float, page_size: int | None = None) -> None:
        self._client = client
        self._bucket = bucket
        self._silence_seconds = silence_seconds
        self._paging: PaginatorConfigTypeDef = {} if page_size is None else {"PageSize": page_size}

    async def objects(self) -> AsyncIterator[ListedObject]:
        """Every object of the gallery, by path."""
        for prefix in PREFIXES:
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=prefix, PaginationConfig=self._paging
            )
            async for page in self._answered(aiter(pages)):
                for entry in page.get("Contents", ()):
                    yield ListedObject(
                        storage_path=entry["Key"], size_bytes=entry["Size"], modified_at=entry["LastModified"]
                    )

    async def open_uploads(self) -> AsyncIterator[OpenMultipartUpload]:
        """Every multipart upload under way, in the order of the store."""
        for prefix in PREFIXES:
            pages = self._client.get_paginator("list_multipart_uploads").paginate(
                Bucket=self._bucket, Prefix=prefix, PaginationConfig=self._paging
            )
            async for page in self._answered(aiter(pages)):
                for entry in page.get("Uploads", ()):
                    yield OpenMultipartUpload(
                        storage_path=entry["Key"], multipart_id=entry["UploadId"], begun_at=entry["Initiated"]
                    )

    async def _answered(self, pages: AsyncIterator[T]) -> AsyncIterator[T]:
        """The pages. What is done with one while the next is not asked for yet takes what time it takes."""
        while True:
            with translated_errors():
                async with silence_limit(self._silence_seconds):
                    try:
                        page = await anext(pages)
                    except StopAsyncIteration:
                        return
            yield page
