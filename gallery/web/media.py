"""The bytes of images and renditions: streamed from the object storage, in parts if asked, cached for ever."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from gallery.domain.access import Right, Viewer
from gallery.domain.errors import ForbiddenError, InvalidInputError, NotFoundError, UnavailableError
from gallery.domain.images import Image, Rendition
from gallery.domain.ports import ImageReader, ObjectStorage
from gallery.web.authentication import Authentication, UnauthenticatedError
from gallery.web.byte_ranges import ByteRange, UnsatisfiableRangeError
from gallery.web.content_disposition import inline
from gallery.web.errors import RequestCode, RequestError
from gallery.web.etags import names_etag
from gallery.web.graphql.ids import parse_image_id
from gallery.web.media_urls import original_url, rendition_url
from gallery.web.paths import MEDIA_PATH
from gallery.web.responses import error_response

log = logging.getLogger(__name__)

_HEADERS: Final = {
    "Accept-Ranges": "bytes",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "cross-origin",  # front ends of any origin show images
    "X-Content-Type-Options": "nosniff",
}

# What is under an address never changes. Who had it once may keep it, but nobody may pass it on to those who may not.
_FOR_EVERYBODY: Final = {"Cache-Control": "public, max-age=31536000, immutable"}
_FOR_ONE: Final = {"Cache-Control": "private, max-age=31536000, immutable", "Vary": "Authorization, Cookie"}


class TruncatedObjectError(Exception):
    """The storage gave fewer bytes than it has promised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaFile:
    """What is under an address. `filename` is what a browser saves it as."""

    storage_path: str
    content_type: str
    size_bytes: int
    checksum: str
    filename: str

    @classmethod
    def original(cls, image: Image) -> MediaFile:
        """The bytes of an image as they were uploaded."""
        return cls(
            storage_path=image.storage_path,
            content_type=image.content_type,
            size_bytes=image.file_size_bytes,
            checksum=image.checksum,
            filename=_with_extension(image.original_filename, image.content_type.extension),
        )

    @classmethod
    def rendition(cls, image: Image, rendition: Rendition) -> MediaFile:
        """The bytes of a rendition."""
        stem = image.original_filename.rpartition(".")[0] or image.original_filename
        extension = rendition.content_type.removeprefix("image/")
        return cls(
            storage_path=rendition.storage_path,
            content_type=rendition.content_type,
            size_bytes=rendition.file_size_bytes,
            checksum=rendition.checksum,
            filename=f"{stem}-{rendition.size.value}.{extension}",
        )

    @property
    def etag(self) -> str:
        """A strong validator: the checksum of the bytes, in quotes."""
        return f'"{self.checksum}"'

    @property
    def headers(self) -> dict[str, str]:
        """What every answer about the file says."""
        return {**_HEADERS, "ETag": self.etag, "Content-Disposition": inline(self.filename)}


class FileEndpoint(ABC):
    """Answers GET and HEAD of files (ASGI)."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request; the stream from the storage ends with it, also when the client goes away.

        Raises:
            TruncatedObjectError, UnavailableError: if the storage fails after the answer has begun.
        """
        async with AsyncExitStack() as streams:
            response = await self._respond(Request(scope), streams)
            try:
                await response(scope, receive, send)
            except ClientDisconnect:
                log.debug("the client went away during a download")

    @abstractmethod
    async def _respond(self, request: Request, streams: AsyncExitStack) -> Response:
        """The answer; what it reads from is closed with `streams`."""


class Media(FileEndpoint):
    """The files below `/media`."""

    def __init__(self, reader: ImageReader, storage: ObjectStorage, authentication: Authentication) -> None:
        self._reader = reader
        self._authentication = authentication
        self._files = FileAnswers(storage, _FOR_EVERYBODY if authentication.is_open else _FOR_ONE)

    async def _respond(self, request: Request, streams: AsyncExitStack) -> Response:
        try:
            viewer = await self._authentication.somebody(self._authentication.shown_by(request), Right.READ)
            media = await self._find(viewer, **request.path_params)
            return await self._files.answer(request, media, streams)
        except UnavailableError as error:
            log.warning("a file could not be read: %s", error)
            return error_response(request.scope, error)
        except (UnauthenticatedError, ForbiddenError, NotFoundError) as error:
            return error_response(request.scope, error)

    async def _find(self, viewer: Viewer, image: str, file: str) -> MediaFile:
        """The file under `/media/{image}/{file}`.

        Raises:
            NotFoundError: if there is none.
        """
        try:
            image_id = parse_image_id(image)
        except InvalidInputError as error:
            raise _nothing_here() from error
        images, renditions = await asyncio.gather(
            self._reader.get_many(viewer, [image_id]),
            self._reader.renditions(viewer, [image_id]),
        )
        if (found := images.get(image_id)) is None:
            raise _nothing_here()
        url = MEDIA_PATH.format(image=image, file=file)
        if url == original_url("", found):
            return MediaFile.original(found)
        for rendition in renditions.get(image_id, ()):
            if url == rendition_url("", rendition):
                return MediaFile.rendition(found, rendition)
        raise _nothing_here()


class FileAnswers:
    """Answers requests for files that may be seen: whole, in parts, or not again. `caching` is in all their heads."""

    def __init__(self, storage: ObjectStorage, caching: Mapping[str, str]) -> None:
        self._storage = storage
        self._caching = dict(caching)

    async def answer(self, request: Request, media: MediaFile, streams: AsyncExitStack) -> Response:
        """The answer; what it streams is closed with `streams`.

        Raises:
            NotFoundError, UnavailableError: if the storage has no such object, or does not answer.
        """
        headers = media.headers | self._caching
        if names_etag(request.headers.get("if-none-match", ""), media.etag):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        if request.method == "HEAD":
            headers["Content-Length"] = str(media.size_bytes)
            return Response(headers=headers, media_type=media.content_type)
        try:
            byte_range = _requested_range(request, media)
        except UnsatisfiableRangeError:
            return error_response(
                request.scope, _unsatisfiable(media), {"Content-Range": f"bytes */{media.size_bytes}"}
            )
        return await self._stream(media, byte_range, streams)

    async def _stream(self, media: MediaFile, byte_range: ByteRange | None, streams: AsyncExitStack) -> Response:
        """Waits for the first bytes, so that a storage that fails at once becomes an answer of its own."""
        headers = media.headers | self._caching
        status = HTTPStatus.OK
        part = ByteRange(first=0, last=media.size_bytes - 1, total_bytes=media.size_bytes)
        if byte_range is not None:
            part = byte_range
            status = HTTPStatus.PARTIAL_CONTENT
            headers["Content-Range"] = part.content_range
        headers["Content-Length"] = str(part.size_bytes)
        opening = self._storage.open(media.storage_path, first_byte=part.first, last_byte=part.last)
        try:
            stored = await streams.enter_async_context(opening)
        except NotFoundError:
            log.warning("a file is recorded, but its object is not there: %s", media.storage_path)
            raise
        head = await anext(stored.body, b"")
        body = await streams.enter_async_context(aclosing(_whole(head, stored.body, part.size_bytes)))
        return StreamingResponse(body, status_code=status, headers=headers, media_type=media.content_type)


async def _whole(head: bytes, rest: AsyncIterator[bytes], size_bytes: int) -> AsyncGenerator[bytes]:
    """The chunks, which must have so many bytes together.

    Raises:
        TruncatedObjectError: if they have not.
    """
    left = size_bytes - len(head)
    yield head
    async for chunk in rest:
        left -= len(chunk)
        yield chunk
    if left != 0:
        message = f"the storage gave {size_bytes - left} bytes of {size_bytes}"
        raise TruncatedObjectError(message)


def _requested_range(request: Request, media: MediaFile) -> ByteRange | None:
    """The part to send, None for the whole. `If-Range` compares strongly (RFC 9110, section 13.1.5)."""
    field = request.headers.get("range")
    if field is None or request.headers.get("if-range", media.etag) != media.etag:
        return None
    return ByteRange.requested(field, media.size_bytes)


def _with_extension(filename: str, extension: str) -> str:
    """The name, ending as its content says: nothing is to be saved as a page or a program."""
    ending = filename.rpartition(".")[2].lower()
    is_right = ending == extension or (extension == "jpg" and ending in {"jpeg", "jpe", "jfif"})
    return filename if is_right else f"{filename}.{extension}"


def _nothing_here() -> NotFoundError:
    message = "There is no such file. The image may have been deleted, or its thumbnails are not made yet."
    return NotFoundError(message)


def _unsatisfiable(media: MediaFile) -> RequestError:
    message = f"The file has {media.size_bytes:,} bytes; the range that was asked for lies outside."
    return RequestError(RequestCode.RANGE_NOT_SATISFIABLE, message, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
