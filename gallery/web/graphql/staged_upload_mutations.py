"""What is done to uploads past the server: begun, completed, given up."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import strawberry

from gallery.domain.access import Visibility
from gallery.domain.errors import ErrorCode, InvalidInputError
from gallery.domain.idempotency import Claim, Snapshot
from gallery.domain.ids import UploadId
from gallery.domain.images import ContentType
from gallery.domain.names import quoted
from gallery.domain.uploads import Announcement, Draft, OnDuplicate, UploadState
from gallery.services.recording import UploadResult
from gallery.web.graphql.context import Info
from gallery.web.graphql.errors import UserError, answer
from gallery.web.graphql.idempotency import KEY_DESCRIPTION, change_once, keyed_request, once
from gallery.web.graphql.ids import parse_album_id, parse_upload_id
from gallery.web.graphql.scalars import ByteSize
from gallery.web.graphql.staged_uploads import StagedUpload
from gallery.web.graphql.uploads import (
    ON_DUPLICATE_DESCRIPTION,
    VISIBILITY_DESCRIPTION,
    UploadImagePayload,
    uploaded_before,
)


@strawberry.input(description="A file that you will send to the storage, and what to say of it.")
class CreateUploadInput:
    """Begins an upload."""

    filename: str = strawberry.field(description="What the file is called.")
    file_size: ByteSize = strawberry.field(description="The size of the file in bytes.")
    content_type: str = strawberry.field(
        description="The media type: image/jpeg, image/png, image/webp, image/gif or image/avif."
    )
    checksum: str | None = strawberry.field(
        default=None,
        description="SHA-256 of the file in hexadecimal. If it is given, other bytes are refused in the end.",
    )
    title: str | None = strawberry.field(
        default=None, description="The title, 1 to 255 characters; by default the file's name without its extension."
    )
    description: str | None = strawberry.field(default=None, description="Up to 10,000 characters.")
    tags: list[str] | None = strawberry.field(
        default=None, description="Names of tags to give it, at most 100. Those that do not exist are made."
    )
    album_id: strawberry.ID | None = strawberry.field(default=None, description="An album to put it into, at the end.")
    on_duplicate: OnDuplicate = strawberry.field(
        default=OnDuplicate.RETURN_EXISTING, description=ON_DUPLICATE_DESCRIPTION
    )
    visibility: Visibility | None = strawberry.field(default=None, description=VISIBILITY_DESCRIPTION)
    idempotency_key: str | None = strawberry.field(
        default=None,
        description=f"{KEY_DESCRIPTION} If URLs of parts are asked for, those in the answer to a repeat are new, since "
        "they expire earlier, and an upload that is over by then is told of as it is.",
    )

    def announcement(self) -> Announcement:
        """What is said of the file.

        Raises:
            InvalidInputError: UNSUPPORTED_TYPE.
        """
        try:
            content_type = ContentType(self.content_type.strip().lower())
        except ValueError:
            given = quoted(self.content_type)
            message = f"Files of type {given} are not taken. Send a JPEG, PNG, WebP, GIF or AVIF file."
            raise InvalidInputError(ErrorCode.UNSUPPORTED_TYPE, message, field=("contentType",)) from None
        return Announcement(
            filename=self.filename,
            file_size_bytes=self.file_size,
            content_type=content_type,
            checksum=self.checksum,
        )

    def draft(self) -> Draft:
        """What is said of the image.

        Raises:
            InvalidInputError: INVALID_ID.
        """
        return Draft(
            title=self.title,
            description=self.description,
            tag_names=tuple(self.tags or ()),
            album_id=None if self.album_id is None else parse_album_id(self.album_id, field=("albumId",)),
            on_duplicate=self.on_duplicate,
            visibility=self.visibility,
        )


@strawberry.input(description="Which upload is complete.")
class CompleteUploadInput:
    """Completes an upload."""

    id: strawberry.ID = strawberry.field(description="The upload whose parts have all been sent.")


@strawberry.input(description="Which upload to give up.")
class AbortUploadInput:
    """Aborts an upload."""

    id: strawberry.ID = strawberry.field(description="The upload to give up.")


@strawberry.type(description="The upload that was begun, or why it was not.")
class CreateUploadPayload:
    """Answer of `createUpload`."""

    upload: StagedUpload | None = strawberry.field(description="The upload; null if `errors` is not empty.")
    errors: list[UserError] = strawberry.field(description="What to put right; empty if the upload was begun.")


@strawberry.type(description="The upload that was given up, or why it was not.")
class AbortUploadPayload:
    """Answer of `abortUpload`."""

    id: strawberry.ID | None = strawberry.field(description="The id as it was given; null if `errors` is not empty.")
    errors: list[UserError] = strawberry.field(description="What to put right; empty if the upload was given up.")


@strawberry.type
class StagedUploadMutations:
    """Root fields of uploads past the server."""

    @strawberry.mutation(
        description="Begins an upload of a large file, or one over a bad line: its parts are sent to the storage, in "
        "any order, several at a time, and again if need be. `upload` says which ones are there. Then `completeUpload` "
        "makes an image of them."
    )
    async def create_upload(
        self, info: Info, input: Annotated[CreateUploadInput, strawberry.argument(description="The file.")]
    ) -> CreateUploadPayload:
        """Nothing is stored but what is announced."""
        uploads, viewer = info.context.use_cases.staged_uploads, info.context.viewer

        async def work(claim: Claim | None) -> StagedUpload:
            return StagedUpload.of(await uploads.create(viewer, input.announcement(), input.draft(), claim))

        async def find(upload_id: UUID) -> StagedUpload | None:
            upload, _ = await uploads.find(viewer, UploadId(upload_id))
            if upload.state is UploadState.REFUSED:
                return None  # its file is to be sent again, with another key
            return StagedUpload.of(upload)  # as it was begun: without the parts that have arrived since

        upload, errors = await answer(info, lambda: once(info, "createUpload", input, work, find), subject="albumId")
        return CreateUploadPayload(upload=upload, errors=errors)

    @strawberry.mutation(
        description="Makes an image of an upload whose parts have all been sent. It may be sent again: the answer is "
        "the same. A file that is refused is removed; an upload with missing parts waits for them."
    )
    async def complete_upload(
        self, info: Info, input: Annotated[CompleteUploadInput, strawberry.argument(description="Which upload.")]
    ) -> UploadImagePayload:
        """The file is read back and passes what a streamed one passes."""
        return UploadImagePayload.of(*await answer(info, lambda: _complete_once(info, input)))

    @strawberry.mutation(description="Gives an upload up and removes what has arrived of it.")
    async def abort_upload(
        self, info: Info, input: Annotated[AbortUploadInput, strawberry.argument(description="Which upload.")]
    ) -> AbortUploadPayload:
        """An upload that is complete stays."""
        uploads, viewer = info.context.use_cases.staged_uploads, info.context.viewer
        _, errors = await answer(
            info,
            lambda: change_once(
                info, input, lambda claim: uploads.abort(viewer, parse_upload_id(input.id), claim), _aborted
            ),
        )
        return AbortUploadPayload(id=None if errors else input.id, errors=errors)


async def _complete_once(info: Info, input: CompleteUploadInput) -> UploadResult:
    """The image of an upload. Its claim follows in a transaction of its own: if that is lost, a repeat completes it.

    An upload that is complete gives the same result to all who complete it, so that nothing is done twice.
    """
    use_cases, viewer = info.context.use_cases, info.context.viewer

    async def complete() -> UploadResult:
        return await use_cases.staged_uploads.complete(viewer, parse_upload_id(input.id))

    request = keyed_request(info, info.field_name, input)
    if request is None:
        return await complete()

    async def work(claim: Claim) -> UploadResult:
        result = await complete()
        completed = claim.completed(result.image.id, outcome=result.outcome.value)
        await use_cases.idempotency.complete(viewer, completed)
        return result

    return await use_cases.idempotency.once(viewer, request, work, lambda claim: uploaded_before(info, claim))


async def _aborted(_then: Snapshot) -> None:
    """Nothing is left of it."""
