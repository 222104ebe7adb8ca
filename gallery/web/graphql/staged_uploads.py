"""Uploads past the server in the schema: a client sends a file to the storage itself, part by part."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import strawberry

from gallery.domain.upload_ports import StoredPart
from gallery.domain.uploads import Upload, UploadState
from gallery.services import staging
from gallery.services.bulk import MAX_BULK_ITEMS
from gallery.web.graphql.context import Info
from gallery.web.graphql.ids import parse_upload_id, upload_global_id
from gallery.web.graphql.node import Node
from gallery.web.graphql.scalars import ByteSize
from gallery.web.graphql.types import Image


@strawberry.type(description="A part of a file that has arrived in the storage.")
class UploadPart:
    """What is there."""

    number: int = strawberry.field(description="Which part, from 1.")
    size: ByteSize = strawberry.field(description="Its size in bytes.")


@strawberry.type(description="Where to send a part of a file.")
class UploadPartUrl:
    """A presigned URL."""

    number: int = strawberry.field(description="Which part, from 1.")
    url: str = strawberry.field(
        description="Where to PUT the bytes of the part, and nothing else; no header is needed. Sending a part again "
        "replaces it."
    )
    first_byte: ByteSize = strawberry.field(description="Where in the file the part begins, from 0.")
    size: ByteSize = strawberry.field(description="How many bytes the part has.")
    expires_at: datetime = strawberry.field(description="Until when the URL can be used.")


@strawberry.type(description="A file that its owner sends to the storage part by part.")
class StagedUpload(Node):
    """An upload past the server; what the storage has of it was looked up with it."""

    entity: strawberry.Private[staging.StagedUpload]
    arrived: strawberry.Private[tuple[StoredPart, ...]]
    state: UploadState = strawberry.field(description="How far it is.")
    filename: str = strawberry.field(description="What the file is called.")
    file_size: ByteSize = strawberry.field(description="The size of the file in bytes, as announced.")
    content_type: str = strawberry.field(description="The media type of the file, as announced.")
    part_size: ByteSize = strawberry.field(description="The size of every part in bytes; the last may be smaller.")
    part_count: int = strawberry.field(description="How many parts there are.")
    expires_at: datetime | None = strawberry.field(description="When the upload is given up if it is not complete.")

    @classmethod
    def of(cls, upload: Upload, arrived: tuple[StoredPart, ...] = ()) -> StagedUpload:
        """The upload as the schema shows it."""
        staged = staging.StagedUpload.of(upload)
        return cls(
            id=upload_global_id(upload.id),
            entity=staged,
            arrived=arrived,
            state=upload.state,
            filename=staged.announced.filename,
            file_size=ByteSize(staged.announced.file_size_bytes),
            content_type=staged.announced.content_type.value,
            part_size=ByteSize(staged.part_size_bytes),
            part_count=staged.part_count,
            expires_at=upload.expires_at,
        )

    @strawberry.field(description="The parts that have arrived, by number; none any more once the upload is over.")
    def parts(self) -> list[UploadPart]:
        """As the storage listed them."""
        return [UploadPart(number=part.number, size=ByteSize(part.size_bytes)) for part in self.arrived]

    @strawberry.field(description="Where to send parts, at most 100 at once; none once the upload is over.")
    async def part_urls(
        self,
        info: Info,
        numbers: Annotated[
            list[int] | None,
            strawberry.argument(description="Which parts; by default the first 100 that have not arrived."),
        ] = None,
    ) -> list[UploadPartUrl]:
        """Made for this answer, which is kept for no repeat: idempotency keys live longer than URLs."""
        info.context.answer_key = None
        if self.state is not UploadState.OPEN:
            return []
        wanted = self._missing() if numbers is None else numbers
        uploads, viewer = info.context.use_cases.staged_uploads, info.context.viewer
        return [
            UploadPartUrl(
                number=part.number,
                url=part.url,
                first_byte=ByteSize(part.first_byte),
                size=ByteSize(part.size_bytes),
                expires_at=part.expires_at,
            )
            for part in await uploads.part_urls(viewer, self.entity.upload.id, wanted)
        ]

    @strawberry.field(description="The image that the file became; null before that, and if it was deleted since.")
    async def image(self, info: Info) -> Image | None:
        """Loaded for all uploads of the request at once."""
        if self.state is not UploadState.COMPLETED:
            return None
        image = await info.context.loaders_of_own.image_by_id.load(self.entity.upload.image_id)
        return Image.of(image) if image else None

    def _missing(self) -> list[int]:
        whole = {part.number for part in self.arrived if part.size_bytes == self.entity.size_of(part.number)}
        return [number for number in range(1, self.part_count + 1) if number not in whole][:MAX_BULK_ITEMS]


async def find_upload(info: Info, global_id: str) -> StagedUpload:
    """The upload with this id.

    Raises:
        InvalidInputError: INVALID_ID.
        NotFoundError: if there is none, or it has expired.
    """
    uploads, viewer = info.context.use_cases.staged_uploads, info.context.viewer
    return StagedUpload.of(*await uploads.find(viewer, parse_upload_id(global_id)))


@strawberry.type
class StagedUploadQueries:
    """Root fields that find uploads."""

    @strawberry.field(description="An upload of yours by its id; NOT_FOUND if there is none, or it has expired.")
    async def upload(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The id of the upload.")]
    ) -> StagedUpload | None:
        """One upload."""
        return await find_upload(info, id)
