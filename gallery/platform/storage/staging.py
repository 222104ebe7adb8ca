"""Multipart uploads that clients feed themselves, by presigned URLs.

botocore repeats every call here (`docs/adr/0007-object-storage.md`). All of them may be: a second `begin` leaves an
upload that nobody knows, which the sweep finds, and a second `finish` is what `finish` looks for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from gallery.domain.errors import ErrorCode, InvalidInputError, NotFoundError
from gallery.domain.upload_ports import StoredPart
from gallery.platform.storage.errors import error_code, http_status, translated_errors
from gallery.platform.storage.silence import silence_limit

if TYPE_CHECKING:
    from types_aiobotocore_s3.client import S3Client
    from types_aiobotocore_s3.type_defs import PaginatorConfigTypeDef, PartTypeDef

_WRONG_PARTS = frozenset({"InvalidPart", "InvalidPartOrder", "EntityTooSmall"})


class S3StagingStorage:
    """As the port says.

    `signer` is a client of the address under which clients of the gallery reach the storage: a signature holds for
    one host. `page_size` is how many parts one call lists, by default as many as the store likes.
    """

    def __init__(
        self, client: S3Client, signer: S3Client, bucket: str, *, silence_seconds: float, page_size: int | None = None
    ) -> None:
        self._client = client
        self._signer = signer
        self._bucket = bucket
        self._silence_seconds = silence_seconds
        self._paging: PaginatorConfigTypeDef = {} if page_size is None else {"PageSize": page_size}

    async def begin(self, storage_path: str, *, content_type: str) -> str:
        """Begins a multipart upload without a checksum of its own: Amazon would then ask each part for one."""
        with translated_errors():
            async with silence_limit(self._silence_seconds):
                answer = await self._client.create_multipart_upload(
                    Bucket=self._bucket, Key=storage_path, ContentType=content_type
                )
        return answer["UploadId"]

    async def part_url(
        self, storage_path: str, multipart_id: str, number: int, *, size_bytes: int, expires_in_seconds: int
    ) -> str:
        """A presigned URL to which a part is PUT, at the public endpoint. Nothing is sent to make it.

        `Content-Length` is signed with it, which every client sends by itself: a body of another size is refused.
        """
        with translated_errors():
            return await self._signer.generate_presigned_url(
                "upload_part",
                Params={
                    "Bucket": self._bucket,
                    "Key": storage_path,
                    "UploadId": multipart_id,
                    "PartNumber": number,
                    "ContentLength": size_bytes,
                },
                ExpiresIn=expires_in_seconds,
            )

    async def parts(self, storage_path: str, multipart_id: str) -> tuple[StoredPart, ...]:
        """The parts that have arrived, by number.

        Raises:
            NotFoundError: if there is no such upload.
        """
        found: list[PartTypeDef] = []
        with translated_errors(), _upload_missing():
            async with silence_limit(self._silence_seconds) as progress:
                async for page in self._client.get_paginator("list_parts").paginate(
                    Bucket=self._bucket, Key=storage_path, UploadId=multipart_id, PaginationConfig=self._paging
                ):
                    found += page.get("Parts", ())
                    progress()
        return tuple(_unambiguous(found))

    async def finish(self, storage_path: str, multipart_id: str, parts: Sequence[StoredPart]) -> None:
        """Makes the parts an object. Doing it again after success is no error.

        Raises:
            InvalidInputError: UPLOAD_INCOMPLETE if the store has other parts, or one but the last is too small.
            NotFoundError: if there is neither such an upload nor an object of that size.
        """
        if not parts:
            raise _incomplete()
        try:
            with translated_errors(), _upload_missing():
                await self._complete(storage_path, multipart_id, parts)
        except NotFoundError:
            # An earlier call may have succeeded, and its answer was lost.
            if await self._size_bytes(storage_path) != sum(part.size_bytes for part in parts):
                raise

    async def abort(self, storage_path: str, multipart_id: str) -> None:
        """Throws the parts away. An upload that is not there does not matter."""
        with translated_errors():
            async with silence_limit(self._silence_seconds):
                try:
                    await self._client.abort_multipart_upload(
                        Bucket=self._bucket, Key=storage_path, UploadId=multipart_id
                    )
                except ClientError as error:
                    if http_status(error) != HTTPStatus.NOT_FOUND:
                        raise

    async def _complete(self, storage_path: str, multipart_id: str, parts: Sequence[StoredPart]) -> None:
        """Takes minutes on some stores, which keep the line alive meanwhile; so it has no limit but the client's."""
        completed = sorted(parts, key=lambda part: part.number)
        try:
            await self._client.complete_multipart_upload(
                Bucket=self._bucket,
                Key=storage_path,
                UploadId=multipart_id,
                MultipartUpload={"Parts": [{"PartNumber": part.number, "ETag": part.etag} for part in completed]},
            )
        except ClientError as error:
            if error_code(error) in _WRONG_PARTS:
                raise _incomplete() from error
            raise

    async def _size_bytes(self, storage_path: str) -> int | None:
        """How large the object is; None if there is none."""
        with translated_errors():
            async with silence_limit(self._silence_seconds):
                try:
                    answer = await self._client.head_object(Bucket=self._bucket, Key=storage_path)
                except ClientError as error:
                    if http_status(error) == HTTPStatus.NOT_FOUND:
                        return None
                    raise
        return answer["ContentLength"]


def _unambiguous(found: Iterable[PartTypeDef]) -> Iterator[StoredPart]:
    """The parts by number, the newest of each.

    A store must forget a part that was replaced. SeaweedFS lists both, in any order, with times in whole seconds. Of
    two that differ within one second nobody can tell the newer one: it counts as not arrived, and is sent again.
    """
    for number, same in groupby(sorted(found, key=itemgetter("PartNumber")), key=itemgetter("PartNumber")):
        versions = list(same)
        newest = max(version["LastModified"] for version in versions)
        candidates = {version["ETag"]: version["Size"] for version in versions if version["LastModified"] == newest}
        if len(candidates) == 1:
            [(etag, size_bytes)] = candidates.items()
            yield StoredPart(number=number, size_bytes=size_bytes, etag=etag.strip('"'))


@contextmanager
def _upload_missing() -> Iterator[None]:
    """Raises NotFoundError in place of the error that says that the upload is not there, or not any more."""
    try:
        yield
    except ClientError as error:
        if error_code(error) != "NoSuchUpload":
            raise
        message = "There is no such upload. It may have been completed or aborted."
        raise NotFoundError(message) from error


def _incomplete() -> InvalidInputError:
    message = "The storage does not have all parts as they are listed, or one before the last is too small."
    return InvalidInputError(ErrorCode.UPLOAD_INCOMPLETE, message)
