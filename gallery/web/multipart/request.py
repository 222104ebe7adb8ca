"""A GraphQL multipart request: its operation is known, and can start, while its files still arrive."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from types import TracebackType
from typing import Any, NoReturn, Self

import orjson
from multipart import MultipartSegment

from gallery.domain.errors import (
    ErrorCode,
    FileTooLargeError,
    GalleryError,
    InvalidInputError,
    UploadInterruptedError,
)
from gallery.settings import UploadSettings
from gallery.web.body import RequestBody, RequestStalledError
from gallery.web.errors import RequestCode, RequestError
from gallery.web.multipart.file_map import place_uploads
from gallery.web.multipart.parts import filename_of, parser_for, parts_of
from gallery.web.multipart.upload import IncomingUpload

FILE_QUEUE_BYTES = 256 * 1024
"""How much of a file waits for its reader before the client has to."""
REQUEST_QUEUE_BYTES = 8 * 1024 * 1024
"""How much of all files of a request together waits for readers before the client has to."""
MAX_EXTRA_PARTS = 16
"""How many parts that the map does not name are thrown away before the request is refused."""
FRAMING_BYTES = 64 * 1024
"""More than boundaries and headers of the parts around one file take."""


class MultipartRequest:
    """Parses a body as it arrives and hands its files to their readers.

    Leaving the context lets all files go and reads the rest of the body, up to the limit for draining. Afterwards
    `error` tells what was wrong with the part of the body that came after `map`, if anything was.
    """

    def __init__(self, body: RequestBody, content_type: str, limits: UploadSettings) -> None:
        """Takes the body with its type.

        Raises:
            RequestError: INVALID_MULTIPART if the type names no boundary.
        """
        self._body = body
        self._limits = limits
        self._events = parts_of(body, parser_for(content_type), self._check_beginning)
        self._uploads: dict[str, IncomingUpload] = {}
        self._progress = asyncio.Event()
        self._distributing: asyncio.Task[None] | None = None
        self._extra_parts = 0
        self.error: RequestError | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._distributing is None:
            return
        for upload in self._uploads.values():
            upload.release()
        if isinstance(exc, asyncio.CancelledError):
            self._distributing.cancel()
            await asyncio.wait({self._distributing})
            return
        self._body.allow(self._limits.drain_limit_bytes)
        await self._distributing

    async def operations(self) -> dict[str, Any]:
        """The `operations`, with uploads in place of the nulls that `map` names; from now on files arrive.

        Raises:
            RequestError: if the body does not begin with `operations` and `map`, or one of them is refused.
            ClientDisconnectedError: if the client goes away first.
        """
        operations = await self._json_part("operations", RequestCode.INVALID_OPERATIONS)
        if not isinstance(operations, dict):
            message = "`operations` is not a JSON object. Send one operation; a list of several is not taken."
            raise RequestError(RequestCode.INVALID_OPERATIONS, message)
        file_map = await self._json_part("map", RequestCode.INVALID_MAP)
        self._uploads = place_uploads(
            operations, file_map, lambda: IncomingUpload(self._progress.set), max_files=self._limits.max_files
        )
        self._refuse_oversized()
        self._distributing = asyncio.create_task(self._distribute())
        return operations

    @property
    def file_count(self) -> int:
        """How many files `map` names; 0 before it is known."""
        return len(self._uploads)

    # Before the files

    def _check_beginning(self) -> None:
        """Refuses a body that goes on and on before its operation."""
        limit = 2 * self._limits.max_field_size + FRAMING_BYTES
        if self._distributing is None and self._body.received_bytes > limit:
            self._refuse_field("operations")

    async def _json_part(self, name: str, code: RequestCode) -> object:
        """The content of the next part, which must have this name."""
        segment = await anext(self._events, None)
        if not isinstance(segment, MultipartSegment) or segment.name != name:
            message = "Send `operations` as the first part of the request, `map` as the second, and then the files."
            raise RequestError(code, message)
        content = bytearray()
        async for event in self._events:
            if not isinstance(event, bytes):
                break
            content += event
            if len(content) > self._limits.max_field_size:
                self._refuse_field(name)
        try:
            return orjson.loads(content)
        except orjson.JSONDecodeError as error:
            message = f"`{name}` is not JSON: {error}."
            raise RequestError(code, message) from error

    def _refuse_field(self, name: str) -> NoReturn:
        message = f"`{name}` is larger than the limit of {self._limits.max_field_size:,} bytes."
        raise RequestError(RequestCode.FIELD_TOO_LARGE, message, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)

    # Distributing

    async def _distribute(self) -> None:
        """Gives the rest of the body to the uploads. Whichever it leaves unfinished fails."""
        reason: GalleryError = UploadInterruptedError()
        try:
            await self._deliver_parts()
        except RequestStalledError as error:
            self.error, reason = error, _stalled(error)
        except RequestError as error:
            self.error = error
        else:
            for name, upload in self._uploads.items():
                if not upload.has_begun:
                    upload.fail(_missing(name))
        finally:
            for upload in self._uploads.values():
                if not upload.is_complete:
                    upload.fail(reason)

    async def _deliver_parts(self) -> None:
        upload: IncomingUpload | None = None
        size_bytes = 0
        async for event in self._events:
            if isinstance(event, MultipartSegment):
                upload, size_bytes = self._begin(event), 0
            elif event is None:
                if upload is not None:
                    upload.complete()
            else:
                size_bytes += len(event)
                self._check_size(size_bytes)
                if upload is not None:
                    await self._deliver(upload, event)

    def _begin(self, segment: MultipartSegment) -> IncomingUpload | None:
        """The upload that a part belongs to; None for a part to be thrown away."""
        upload = self._uploads.get(segment.name)
        if upload is None or upload.has_begun:
            self._extra_parts += 1
            if self._extra_parts > MAX_EXTRA_PARTS:
                message = "The request has many parts that its `map` does not name."
                raise RequestError(RequestCode.TOO_MANY_FILES, message, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return None
        upload.begin(filename_of(segment))
        return upload

    def _check_size(self, size_bytes: int) -> None:
        """Gives up on a part whose end is not worth waiting for. Its reader has refused it long before."""
        if size_bytes > self._limits.max_file_size + self._limits.drain_limit_bytes:
            message = f"A file is larger than the limit of {self._limits.max_file_size:,} bytes."
            raise RequestError(RequestCode.REQUEST_TOO_LARGE, message, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)

    def _refuse_oversized(self) -> None:
        """Refuses the only file of a request before it arrives, if its size can be told from that of the request."""
        overhead = 2 * self._limits.max_field_size + FRAMING_BYTES
        if len(self._uploads) == 1 and (self._body.announced_bytes or 0) - overhead > self._limits.max_file_size:
            for upload in self._uploads.values():
                upload.fail(FileTooLargeError(self._limits.max_file_size))

    async def _deliver(self, upload: IncomingUpload, chunk: bytes) -> None:
        """Puts bytes into the queue of a file; returns when there is room for more."""
        upload.put(chunk)
        while self._is_held_up(upload):
            self._progress.clear()
            try:
                async with asyncio.timeout(self._limits.claim_timeout_seconds):
                    await self._progress.wait()
            except TimeoutError:
                self._end_deadlock(upload)

    def _is_held_up(self, upload: IncomingUpload) -> bool:
        if upload.unread_bytes >= FILE_QUEUE_BYTES:
            return True
        queued = sum(other.unread_bytes for other in self._uploads.values())
        return upload.unread_bytes > 0 and queued >= REQUEST_QUEUE_BYTES

    def _end_deadlock(self, blocking: IncomingUpload) -> None:
        """Fails a file that nobody has claimed, and those whose readers wait behind it.

        While any file that is claimed has unread bytes, a slow storage may be all that is wrong.
        """
        uploads = self._uploads.values()
        awaited = [upload for upload in uploads if upload.is_awaited]
        progresses = blocking.is_claimed or any(upload.is_claimed and upload.unread_bytes for upload in uploads)
        if awaited and not progresses:
            for upload in (blocking, *awaited):
                upload.fail(_out_of_order())


def _missing(name: str) -> InvalidInputError:
    message = f'The request does not contain the file "{name}" that its `map` names.'
    return InvalidInputError(ErrorCode.FILE_MISSING, message, field=("file",))


def _stalled(error: RequestStalledError) -> InvalidInputError:
    return InvalidInputError(ErrorCode.UPLOAD_STALLED, error.message, field=("file",))


def _out_of_order() -> InvalidInputError:
    message = "The operation reads its files in another order than the request sends them. Send them in that order."
    return InvalidInputError(ErrorCode.UPLOAD_ORDER, message, field=("file",))
