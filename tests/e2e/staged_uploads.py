"""Uploads past the gallery whose parts go to the storage when the test says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from tests.e2e.api import Api
from tests.e2e.slow_uploads import LongFile

_UPLOAD = "upload { id partUrls { url firstByte size } }"
_RESULT = "outcome image { checksum }"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A piece of a file, and the presigned URL that takes it."""

    file: LongFile
    url: str
    first_byte: int
    size_bytes: int

    async def put(self, storage: httpx.AsyncClient) -> None:
        """Sends it to the storage."""
        content = b"".join(self.file.blocks())[self.first_byte : self.first_byte + self.size_bytes]
        (await storage.put(self.url, content=content)).raise_for_status()


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedUpload:
    """One that was begun: its parts are still to be sent."""

    id: str
    parts: Sequence[Part]

    async def complete(self, api: Api) -> Any:  # noqa: ANN401  # any JSON
        """The payload of `completeUpload`."""
        return await api.change("completeUpload", "CompleteUploadInput", _RESULT, id=self.id)


async def staged_upload(api: Api, file: LongFile) -> StagedUpload:
    """Begins one for a file."""
    announced = {
        "filename": "long.jpg",
        "fileSize": file.size_bytes,
        "contentType": "image/jpeg",
        "checksum": file.checksum,
    }
    upload = (await api.change("createUpload", "CreateUploadInput", _UPLOAD, **announced))["upload"]
    parts = [
        Part(file=file, url=part["url"], first_byte=part["firstByte"], size_bytes=part["size"])
        for part in upload["partUrls"]
    ]
    return StagedUpload(id=upload["id"], parts=parts)
