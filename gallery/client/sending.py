"""How one file gets into the gallery, so that a second attempt, of this run or of another, goes on where one ended."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from gallery.client.api import GalleryApi, StoredImage
from gallery.client.errors import GoneError, RefusedError
from gallery.client.files import FileRange, Meter, SourceFile, content_type_of
from gallery.client.parts import BegunUpload, Part
from gallery.client.tasks import for_each
from gallery.domain.errors import ErrorCode

STAGED_FROM_BYTES = 8 * 1024 * 1024
"""From which size on files are staged: below it there is nothing to resume, and one request is the fastest way."""

_PARTS_IN_FLIGHT = 3
_ROUNDS = 3
"""How often the parts are looked at again when the gallery says that some are missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidOfAll:
    """What every image of an import gets."""

    tags: tuple[str, ...] = ()
    album_id: str | None = None

    def as_input(self) -> dict[str, Any]:
        """As fields of an input."""
        return {"tags": list(self.tags), "albumId": self.album_id}


class Sender:
    """Sends files, small ones through the gallery and large ones to its storage in parts."""

    def __init__(self, api: GalleryApi, said: SaidOfAll) -> None:
        self._api = api
        self._said = said

    async def send(self, file: SourceFile, checksum: str, meter: Meter) -> StoredImage:
        """Makes an image of a file.

        Raises:
            RefusedError: if the gallery does not take it.
            RefusedFileError: if it is large and does not begin as an image does.
            UploadInterruptedError: if the file cannot be read.
            ClientError: as `GalleryApi`.
        """
        staged = file.size_bytes >= STAGED_FROM_BYTES
        given = await self._announcement(file, checksum) if staged else self._said.as_input()

        async def attempt(key: str) -> StoredImage:
            keyed = {**given, "idempotencyKey": key}
            if staged:
                return await self._stage(keyed, file, meter)
            meter.start_at(0)
            return await self._api.upload_image(keyed, FileRange(file, 0, file.size_bytes, meter.count), file.filename)

        try:
            return await attempt(key_of(checksum, file.filename, self._said))
        except GoneError:  # what was made under this key, which every run derives, was refused or deleted since
            return await attempt(str(uuid4()))

    async def _announcement(self, file: SourceFile, checksum: str) -> dict[str, Any]:
        return {
            **self._said.as_input(),
            "filename": file.filename,
            "fileSize": file.size_bytes,
            "contentType": await content_type_of(file),
            "checksum": checksum,
        }

    async def _stage(self, given: Mapping[str, Any], file: SourceFile, meter: Meter) -> StoredImage:
        upload_id = await self._api.create_upload(given)
        for _ in range(_ROUNDS):
            await self._send_missing(await self._api.upload(upload_id), file, meter)
            try:
                return await self._api.complete_upload(upload_id)
            except RefusedError as refusal:
                if refusal.code != ErrorCode.UPLOAD_INCOMPLETE:
                    raise
        message = f"It was sent {_ROUNDS} times, and parts of it are still missing in the storage."
        raise RefusedError(message, code=ErrorCode.UPLOAD_INCOMPLETE)

    async def _send_missing(self, upload: BegunUpload, file: SourceFile, meter: Meter) -> None:
        missing = upload.missing()
        meter.start_at(file.size_bytes - sum(part.size_bytes for part in missing))

        async def send(part: Part) -> None:
            body = FileRange(file, part.first_byte, part.size_bytes, meter.count)
            await self._api.send_part(upload.id, part.number, body)

        try:
            await for_each(missing, send, at_once=_PARTS_IN_FLIGHT)
        except GoneError:
            return  # if an earlier run has completed it at this moment, completing it again gives the answer


def key_of(checksum: str, filename: str, said: SaidOfAll) -> str:
    """An idempotency key that every run derives from the same file and what is said of it, so that all find one upload.

    A key belongs to its whole input: with other tags it must be another.
    """
    request = json.dumps([checksum, filename, *said.as_input().values()])
    return f"import-{hashlib.sha256(request.encode()).hexdigest()}"
