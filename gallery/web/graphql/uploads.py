"""Uploads in the schema."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Final

import strawberry

from gallery.domain.access import Visibility
from gallery.domain.idempotency import Claim
from gallery.domain.ids import ImageId
from gallery.domain.ports import IncomingFile
from gallery.domain.uploads import OnDuplicate
from gallery.services.hashing import checksum_of
from gallery.services.idempotency import FileChecksum
from gallery.services.recording import UploadOutcome, UploadResult
from gallery.services.uploads import NewImage
from gallery.web.graphql.context import Info
from gallery.web.graphql.errors import UserError, answer
from gallery.web.graphql.idempotency import KEY_DESCRIPTION, again, keyed_request, once_with_file
from gallery.web.graphql.ids import parse_album_id
from gallery.web.graphql.progress import PROGRESS_ID_DESCRIPTION, followed
from gallery.web.graphql.scalars import Upload
from gallery.web.graphql.types import Image

ON_DUPLICATE_DESCRIPTION: Final = "What becomes of a file of which you have an image already."
VISIBILITY_DESCRIPTION: Final = (
    "Who is shown it. By default what the gallery is set to, which is PRIVATE unless somebody has chosen otherwise."
)


@strawberry.input(description="A file to upload, and what to say of it.")
class UploadImageInput:
    """Uploads a file."""

    file: Upload = strawberry.field(description="The file: JPEG, PNG, WebP, GIF or AVIF.")
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
    idempotency_key: str | None = strawberry.field(default=None, description=KEY_DESCRIPTION)
    progress_id: str | None = strawberry.field(default=None, description=PROGRESS_ID_DESCRIPTION)

    def one(self, file: IncomingFile) -> NewImage:
        """The image as the service takes it."""
        return NewImage(
            file=file,
            title=self.title,
            description=self.description,
            tag_names=self.tags or (),
            album_id=None if self.album_id is None else parse_album_id(self.album_id, field=("albumId",)),
            on_duplicate=self.on_duplicate,
            visibility=self.visibility,
        )


@strawberry.input(description="Files to upload, and what to say of all of them.")
class UploadImagesInput:
    """Uploads several files."""

    files: list[Upload] = strawberry.field(description="The files, in the order in which the request sends them.")
    tags: list[str] | None = strawberry.field(
        default=None, description="Names of tags to give each, at most 100. Those that do not exist are made."
    )
    album_id: strawberry.ID | None = strawberry.field(
        default=None, description="An album to put them into, at the end."
    )
    on_duplicate: OnDuplicate = strawberry.field(
        default=OnDuplicate.RETURN_EXISTING, description=ON_DUPLICATE_DESCRIPTION
    )
    visibility: Visibility | None = strawberry.field(default=None, description=VISIBILITY_DESCRIPTION)
    idempotency_key: str | None = strawberry.field(
        default=None, description=f"{KEY_DESCRIPTION} A repeat sends the same files at the same places of the list."
    )
    progress_id: str | None = strawberry.field(
        default=None,
        description=f"{PROGRESS_ID_DESCRIPTION} A colon and the place of a file in the list, from 0, are added: `…:0`.",
    )

    def one(self, file: IncomingFile) -> NewImage:
        """One of the images as the service takes it."""
        return NewImage(
            file=file,
            tag_names=self.tags or (),
            album_id=None if self.album_id is None else parse_album_id(self.album_id, field=("albumId",)),
            on_duplicate=self.on_duplicate,
            visibility=self.visibility,
        )


AnyUploadInput = UploadImageInput | UploadImagesInput


@strawberry.type(description="The image that a file became, or why it did not.")
class UploadImagePayload:
    """Answer of `uploadImage` and `completeUpload`, and one file's share of that of `uploadImages`."""

    image: Image | None = strawberry.field(description="The image; null if `errors` is not empty.")
    outcome: UploadOutcome | None = strawberry.field(
        description="Whether the image is new; null if `errors` is not empty."
    )
    errors: list[UserError] = strawberry.field(description="What to put right; empty if the file was taken.")

    @classmethod
    def of(cls, result: UploadResult | None, errors: list[UserError]) -> UploadImagePayload:
        """The payload of an upload."""
        if result is None:
            return cls(image=None, outcome=None, errors=errors)
        return cls(image=Image.of(result.image), outcome=result.outcome, errors=errors)


@strawberry.type(description="What became of each file.")
class UploadImagesPayload:
    """Answer of `uploadImages`."""

    results: list[UploadImagePayload] = strawberry.field(description="One for each file, in the order of the input.")


@strawberry.type
class UploadMutations:
    """Root fields that add images."""

    @strawberry.mutation(description="Uploads a file. Its thumbnails follow: see `processing` of the image.")
    async def upload_image(
        self, info: Info, input: Annotated[UploadImageInput, strawberry.argument(description="The file.")]
    ) -> UploadImagePayload:
        """Streamed: the file goes to the storage while it arrives."""
        return await _upload(info, input, input.file)

    @strawberry.mutation(description="Uploads several files. Each is taken or refused for itself.")
    async def upload_images(
        self, info: Info, input: Annotated[UploadImagesInput, strawberry.argument(description="The files.")]
    ) -> UploadImagesPayload:
        """All are waited for at once, so that the files may come in any order.

        A fault is told once every file is done with, so that none is still being stored when the answer is sent.
        """
        uploads = [_upload(info, input, file, item=item) for item, file in enumerate(input.files)]
        results = await asyncio.gather(*uploads, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return UploadImagesPayload(results=[result for result in results if isinstance(result, UploadImagePayload)])


async def uploaded_before(info: Info, claim: Claim) -> UploadResult:
    """What a completed claim says that an upload became.

    Raises:
        NotFoundError: if the image was deleted since.
    """
    image = await again(claim, lambda id_: info.context.loaders_of_own.whole_image_by_id.load(ImageId(id_)))
    return UploadResult(image=image, outcome=UploadOutcome(str(claim.outcome)))


async def _upload(info: Info, input: AnyUploadInput, file: Upload, *, item: int | None = None) -> UploadImagePayload:
    """What becomes of a file; the same for every variable in which it stands, as the first one says.

    Each of these variables may have a key of its own, under which the result can be asked for again. The file is let
    go even if it was not read, so that those behind it in the request can arrive.
    """
    is_first = False

    async def upload() -> UploadResult:
        nonlocal is_first
        is_first = True
        with followed(info, input.progress_id, file, item=item) as sent:
            return await _upload_once(info, input, sent, item)

    async def result() -> UploadResult:
        uploaded = await file.once(upload)
        return uploaded if is_first else await _share_once(info, input, uploaded, item)

    return UploadImagePayload.of(*await answer(info, result, subject="albumId"))


async def _upload_once(info: Info, input: AnyUploadInput, file: IncomingFile, item: int | None) -> UploadResult:
    uploads, viewer = info.context.use_cases.uploads, info.context.viewer

    async def work(claim: Claim | None) -> UploadResult:
        return await uploads.upload(viewer, input.one(file), claim)

    return await _once(info, input, lambda: checksum_of(file.chunks()), work, item)


async def _share_once(info: Info, input: AnyUploadInput, uploaded: UploadResult, item: int | None) -> UploadResult:
    """The result of a file that another variable has uploaded, also under the key of this one."""
    idempotency, viewer, image = info.context.use_cases.idempotency, info.context.viewer, uploaded.image

    async def work(claim: Claim | None) -> UploadResult:
        if claim is not None:
            outcome = uploaded.outcome.value
            await idempotency.complete(viewer, claim.completed(image.id, outcome=outcome, file_checksum=image.checksum))
        return uploaded

    async def checksum() -> str:
        return image.checksum

    return await _once(info, input, checksum, work, item)


async def _once(
    info: Info,
    input: AnyUploadInput,
    checksum: FileChecksum,
    work: Callable[[Claim | None], Awaitable[UploadResult]],
    item: int | None,
) -> UploadResult:
    request = keyed_request(info, "uploadImage" if item is None else "uploadImages", input, item=item)
    return await once_with_file(info, request, checksum, work, lambda claim: uploaded_before(info, claim))
