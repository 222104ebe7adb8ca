"""The calls of S3 that the gallery makes on its bucket: each bounded in time, its errors in the gallery's terms."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, TypedDict
from uuid import uuid4

from botocore.exceptions import ClientError

from gallery.domain.errors import ConflictError, ErrorCode, InvalidInputError, NotFoundError, UnavailableError
from gallery.platform.storage.errors import (
    SERVICE,
    STORAGE_ERRORS,
    diagnosis,
    error_code,
    http_status,
    translated_errors,
)
from gallery.platform.storage.keys import is_written_once
from gallery.platform.storage.parts import Part, PartBody
from gallery.platform.storage.silence import silence_limit

if TYPE_CHECKING:
    from types_aiobotocore_s3.client import S3Client
    from types_aiobotocore_s3.type_defs import CompletedPartTypeDef, GetObjectOutputTypeDef

DELETE_BATCH = 1000
"""How many objects one call may remove (Amazon S3, DeleteObjects)."""

_REGION_WITHOUT_CONSTRAINT = "us-east-1"
"""Amazon S3 takes any location but this one, which it means by default (CreateBucket)."""

_WRITER = "written-by"
"""Metadata that tells the object of one put from that of another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewObject:
    """An object that is about to be stored. `writer` is unique to this attempt of the gallery's to store it."""

    path: str
    content_type: str
    writer: str = field(default_factory=lambda: uuid4().hex)

    @property
    def written_once(self) -> bool:
        """Whether it must not take the place of another object."""
        return is_written_once(self.path)


class _Condition(TypedDict, total=False):
    IfNoneMatch: str


class _Range(TypedDict, total=False):
    Range: str


class Bucket:
    """One bucket. Every method raises UnavailableError if the storage does not do what it is asked for.

    A call fails after `silence_seconds` in which nothing moved, repetitions included; botocore repeats what is worth
    repeating.
    """

    def __init__(self, client: S3Client, name: str, *, silence_seconds: float) -> None:
        self._client = client
        self._name = name
        self._silence_seconds = silence_seconds
        self._takes_conditions = True

    async def check(self) -> None:
        """Passes if the bucket is there and may be used.

        Raises:
            UnavailableError: one of its kinds in `errors`, with a sentence that names what is wrong.
        """
        try:
            async with asyncio.timeout(self._silence_seconds):
                await self._client.head_bucket(Bucket=self._name)
        except STORAGE_ERRORS as error:
            where = self._client.meta
            raise diagnosis(error, self._name, where.endpoint_url, where.region_name) from error

    async def create(self) -> None:
        """Creates the bucket; that it is ours already does not matter."""
        region = self._client.meta.region_name
        with translated_errors():
            async with silence_limit(self._silence_seconds):
                try:
                    if region == _REGION_WITHOUT_CONSTRAINT:
                        await self._client.create_bucket(Bucket=self._name)
                    else:
                        await self._client.create_bucket(
                            Bucket=self._name,
                            CreateBucketConfiguration={"LocationConstraint": region},
                        )
                except ClientError as error:
                    if error_code(error) not in {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}:
                        raise

    async def put_object(self, new: NewObject, part: Part, crc32: str) -> None:
        """Stores an object in one call.

        Raises:
            ConflictError: if it is to be written once, and another one is there.
        """

        async def put(condition: _Condition) -> None:
            async with silence_limit(self._silence_seconds) as progress:
                await self._client.put_object(
                    Bucket=self._name,
                    Key=new.path,
                    Body=PartBody(part, progress) if part.size_bytes else b"",
                    ContentType=new.content_type,
                    ChecksumCRC32=crc32,
                    Metadata={_WRITER: new.writer},
                    **condition,
                )

        await self._store(new, put)

    async def create_upload(self, new: NewObject) -> str:
        """Begins a multipart upload; answers with its id."""
        with translated_errors():
            async with silence_limit(self._silence_seconds):
                answer = await self._client.create_multipart_upload(
                    Bucket=self._name,
                    Key=new.path,
                    ContentType=new.content_type,
                    ChecksumAlgorithm="CRC32",
                    Metadata={_WRITER: new.writer},
                )
        return answer["UploadId"]

    async def upload_part(self, path: str, upload_id: str, number: int, part: Part, crc32: str) -> CompletedPartTypeDef:
        """Sends a part of a multipart upload, numbered from 1; answers with what completing it takes."""
        with translated_errors():
            async with silence_limit(self._silence_seconds) as progress:
                answer = await self._client.upload_part(
                    Bucket=self._name,
                    Key=path,
                    UploadId=upload_id,
                    PartNumber=number,
                    Body=PartBody(part, progress),
                    ChecksumCRC32=crc32,
                )
        return {"PartNumber": number, "ETag": answer["ETag"], "ChecksumCRC32": crc32}

    async def complete_upload(self, new: NewObject, upload_id: str, parts: Sequence[CompletedPartTypeDef]) -> None:
        """Makes the parts an object. Takes minutes on some stores, which keep the line alive meanwhile.

        Raises:
            ConflictError: if it is to be written once, and another one is there.
        """

        async def complete(condition: _Condition) -> None:
            await self._client.complete_multipart_upload(
                Bucket=self._name,
                Key=new.path,
                UploadId=upload_id,
                MultipartUpload={"Parts": parts},
                **condition,
            )

        await self._store(new, complete)

    async def abort_upload(self, path: str, upload_id: str) -> None:
        """Throws the parts away. An upload that is not there any more does not matter."""
        with translated_errors():
            async with silence_limit(self._silence_seconds):
                try:
                    await self._client.abort_multipart_upload(Bucket=self._name, Key=path, UploadId=upload_id)
                except ClientError as error:
                    if http_status(error) != HTTPStatus.NOT_FOUND:
                        raise

    async def get_object(self, path: str, first_byte: int, last_byte: int | None) -> GetObjectOutputTypeDef:
        """Begins to read an object, or the bytes from `first_byte` to `last_byte` inclusive.

        Raises:
            NotFoundError: if there is no such object.
            InvalidInputError: if it ends before `first_byte`.
        """
        byte_range: _Range = {}
        if first_byte or last_byte is not None:
            byte_range["Range"] = f"bytes={first_byte}-{'' if last_byte is None else last_byte}"
        with translated_errors():
            async with silence_limit(self._silence_seconds):
                try:
                    return await self._client.get_object(Bucket=self._name, Key=path, **byte_range)
                except ClientError as error:
                    _raise_if_about_object(error)
                    raise

    async def delete_objects(self, paths: Sequence[str]) -> None:
        """Removes at most 1,000 objects; those that are not there do not matter."""
        with translated_errors():
            async with silence_limit(self._silence_seconds):
                answer = await self._client.delete_objects(
                    Bucket=self._name,
                    Delete={"Objects": [{"Key": path} for path in paths], "Quiet": True},
                )
        if any(error.get("Code") != "NoSuchKey" for error in answer.get("Errors", ())):
            raise UnavailableError(SERVICE)

    async def holds(self, new: NewObject) -> bool:
        """Whether the object that is there is this one and no other of its name."""
        with translated_errors():
            async with silence_limit(self._silence_seconds):
                try:
                    answer = await self._client.head_object(Bucket=self._name, Key=new.path)
                except ClientError as error:
                    if http_status(error) == HTTPStatus.NOT_FOUND:
                        return False
                    raise
        return answer["Metadata"].get(_WRITER) == new.writer

    async def _store(self, new: NewObject, call: Callable[[_Condition], Awaitable[None]]) -> None:
        """Makes a call that stores an object, on the condition that none is there if it is to be written once."""
        with translated_errors():
            if not (new.written_once and self._takes_conditions):
                await call({})
                return
            try:
                await call({"IfNoneMatch": "*"})
            except ClientError as error:
                if http_status(error) == HTTPStatus.NOT_IMPLEMENTED:
                    self._takes_conditions = False
                    await call({})
                elif http_status(error) != HTTPStatus.PRECONDITION_FAILED:
                    raise
                # Else the answer to an earlier attempt may have been lost, and what is there is what that one stored.
                elif not await self.holds(new):
                    message = "There is an object of this name already. Send the file again."
                    raise ConflictError(ErrorCode.VERSION_CONFLICT, message) from error


def _raise_if_about_object(error: ClientError) -> None:
    if error_code(error) == "NoSuchKey":
        message = "There is no such object."
        raise NotFoundError(message) from error
    if http_status(error) == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        message = "The object ends before the first byte that was asked for."
        raise InvalidInputError(ErrorCode.INVALID_INPUT, message) from error
