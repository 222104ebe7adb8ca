"""How uploads go on: told while streamed files pass, and watched for those that go past the server."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import replace
from typing import Annotated, Final

import strawberry

from gallery.domain import upload_ports
from gallery.domain.errors import ErrorCode, InvalidInputError
from gallery.domain.ports import IncomingFile
from gallery.web.graphql.context import Info
from gallery.web.graphql.ids import is_upload_id, parse_upload_id
from gallery.web.graphql.scalars import ByteSize

PROGRESS_ID_DESCRIPTION: Final = (
    "A name of your choice, by which the subscription `uploadProgress` tells how far the upload is: 1 to 255 printable "
    "ASCII characters, such as a UUID; a new one for every attempt."
)

_NAME: Final = re.compile(r"[\x21-\x7e]{1,255}")
_NAME_OR_ITEM: Final = re.compile(rf"{_NAME.pattern}(:[0-9]{{1,9}})?")
"""What is told of: an upload, or a file of several that have the same name."""


@strawberry.type(description="How far an upload is.")
class UploadProgress:
    """A moment of an upload."""

    received_bytes: ByteSize = strawberry.field(description="How much has arrived, in bytes.")
    total_bytes: ByteSize | None = strawberry.field(
        description="How much there will be, in bytes; null if nobody has said. For a file in a request of its own "
        "this is at first the size of the request, which is somewhat larger."
    )
    done: bool = strawberry.field(description="Whether the upload is over, for better or worse. Nothing follows.")

    @classmethod
    def of(cls, progress: upload_ports.UploadProgress) -> UploadProgress:
        """The moment as the schema shows it."""
        total = progress.total_bytes
        return cls(
            received_bytes=ByteSize(progress.received_bytes),
            total_bytes=None if total is None else ByteSize(total),
            done=progress.done,
        )


@strawberry.type
class ProgressSubscriptions:
    """Root fields that tell how uploads go on."""

    @strawberry.subscription(
        description="How an upload of yours goes on, a few times a second at most, until it is over. It may be asked "
        "for before the upload begins."
    )
    async def upload_progress(
        self,
        info: Info,
        id: Annotated[
            strawberry.ID,
            strawberry.argument(
                description="The id of a staged upload, or the `progressId` given to `uploadImage`; for a file of "
                "`uploadImages` the `progressId`, a colon, and the place of the file in the list, from 0."
            ),
        ],
    ) -> AsyncGenerator[UploadProgress]:
        """From the board, or from the storage."""
        if is_upload_id(id):
            uploads, viewer = info.context.use_cases.staged_uploads, info.context.viewer
            source = await uploads.watch(viewer, parse_upload_id(id))
        else:
            source = info.context.use_cases.progress.watch(
                info.context.viewer.id, _clean(id, _NAME_OR_ITEM, field="id")
            )
        async with aclosing(source) as moments:
            async for progress in moments:
                yield UploadProgress.of(progress)


@contextmanager
def followed(
    info: Info, progress_id: str | None, file: IncomingFile, *, item: int | None = None
) -> Iterator[IncomingFile]:
    """The file, which tells how far it is if somebody wants to know; its end is that of the context.

    Raises:
        InvalidInputError: if the id cannot be one.
    """
    if progress_id is None:
        yield file
        return
    name = _clean(progress_id, _NAME, field="progressId")
    owner, board = info.context.viewer.id, info.context.use_cases.progress
    progress = upload_ports.UploadProgress(received_bytes=0, total_bytes=info.context.file_bytes)

    def report(received_bytes: int, *, done: bool = False, is_all: bool = False) -> None:
        nonlocal progress
        total_bytes = received_bytes if is_all else progress.total_bytes
        progress = replace(progress, received_bytes=received_bytes, total_bytes=total_bytes, done=done)
        board.report(owner, name if item is None else f"{name}:{item}", progress)

    report(0)
    try:
        yield _FollowedFile(file, report)
    except BaseException:
        report(progress.received_bytes, done=True)
        raise
    report(progress.received_bytes, done=True, is_all=True)


class _FollowedFile:
    """The domain's `IncomingFile`, with somebody who is told how much of it has passed."""

    def __init__(self, file: IncomingFile, report: Callable[[int], None]) -> None:
        self._file = file
        self._report = report

    @property
    def filename(self) -> str | None:
        return self._file.filename

    async def chunks(self) -> AsyncIterator[bytes]:
        received_bytes = 0
        async for chunk in self._file.chunks():
            received_bytes += len(chunk)
            self._report(received_bytes)
            yield chunk


def _clean(name: str, pattern: re.Pattern[str], *, field: str) -> str:
    if pattern.fullmatch(name) is None:
        message = "The id of an upload's progress has 1 to 255 printable ASCII characters, for example a UUID."
        raise InvalidInputError(ErrorCode.INVALID_INPUT, message, field=(field,))
    return name
