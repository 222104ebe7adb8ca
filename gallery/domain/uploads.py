"""An upload under way: where its bytes go and what is known of it, until it is an image or given up."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime  # dataclass fields are read at run time
from enum import StrEnum, unique
from typing import Self

from gallery.domain.access import Visibility  # as above
from gallery.domain.errors import ErrorCode, RefusedUploadError  # as above
from gallery.domain.ids import AlbumId, ImageId, UploadId, UserId  # as above
from gallery.domain.images import ContentType


@unique
class Transport(StrEnum):
    """The way on which the bytes come."""

    STREAMED = "STREAMED"
    STAGED = "STAGED"


@unique
class UploadState(StrEnum):
    """How far an upload is. An aborted one is gone."""

    OPEN = "OPEN"
    COMPLETED = "COMPLETED"
    REFUSED = "REFUSED"


@unique
class OnDuplicate(StrEnum):
    """What becomes of bytes that their owner has uploaded before."""

    RETURN_EXISTING = "RETURN_EXISTING"
    CREATE = "CREATE"
    REJECT = "REJECT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What is to be said of an image once its bytes are there; cleaned. A visibility of None is the default."""

    title: str | None = None
    description: str | None = None
    tag_names: tuple[str, ...] = ()
    album_id: AlbumId | None = None
    on_duplicate: OnDuplicate = OnDuplicate.RETURN_EXISTING
    visibility: Visibility | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """What a client says of a file before it sends it to the storage. `checksum` is as that of an image."""

    filename: str
    file_size_bytes: int
    content_type: ContentType
    checksum: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why the file of an upload cannot become an image: what everybody is told who completes it."""

    code: ErrorCode
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenUploads:
    """How many staged uploads an owner has open, and how large they will be together, as announced."""

    count: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """An upload under way: the intent that is stored before any byte is.

    `image_id` is the id that the image will have, and `storage_path` where its bytes go. `touched_at` moves while a
    streamed upload lives; `expires_at` is when a staged one is given up, and None for a streamed one. A staged one has
    what was announced, the id of its multipart upload in the storage and the size of its parts. A refused one has its
    `refusal`, until it expires.
    """

    id: UploadId
    owner: UserId
    transport: Transport
    state: UploadState = UploadState.OPEN
    image_id: ImageId
    storage_path: str
    draft: Draft = Draft()
    announced: Announcement | None = None
    multipart_id: str | None = None
    part_size_bytes: int | None = None
    created_at: datetime
    touched_at: datetime
    expires_at: datetime | None = None
    refusal: Refusal | None = None

    def completed(self, image_id: ImageId, now: datetime) -> Self:
        """A copy that has become an image, which may be one that was there before."""
        return replace(self, state=UploadState.COMPLETED, image_id=image_id, touched_at=now)

    def refused(self, refusal: Refusal, now: datetime) -> Self:
        """A copy whose file was refused."""
        return replace(self, state=UploadState.REFUSED, refusal=refusal, touched_at=now)

    def check_not_refused(self) -> None:
        """Passes if the file was not refused.

        Raises:
            RefusedUploadError: with the reason that was told first.
        """
        if self.refusal is not None:
            raise RefusedUploadError(self.refusal.code, self.refusal.message)
