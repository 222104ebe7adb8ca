"""Image and rendition: what the gallery keeps of a photograph, and the rules for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime  # dataclass fields are read at run time
from enum import StrEnum, unique
from typing import Self

from gallery.domain.access import Visibility  # as above
from gallery.domain.ids import ImageId, UserId  # as above
from gallery.domain.names import clean_description, clean_filename, clean_name


@unique
class ContentType(StrEnum):
    """The image formats that the gallery takes, by their media type (IANA)."""

    JPEG = "image/jpeg"
    PNG = "image/png"
    WEBP = "image/webp"
    GIF = "image/gif"
    AVIF = "image/avif"

    @property
    def extension(self) -> str:
        """The usual file name extension, without the dot."""
        return {"image/jpeg": "jpg"}.get(self.value, self.value.removeprefix("image/"))


@unique
class ProcessingState(StrEnum):
    """How far the gallery is with an image's renditions."""

    PENDING = "PENDING"
    READY = "READY"
    FAILED = "FAILED"


@unique
class RenditionSize(StrEnum):
    """The sizes in which a thumbnail is made; the pixels of each are a setting."""

    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInfo:
    """What the first bytes of a file tell about the image in it.

    Width and height are in pixels, as shown: after the orientation of the file is applied.
    """

    content_type: ContentType
    width_px: int
    height_px: int
    frames: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendition:
    """A smaller copy of an image, made by the gallery. `checksum` is as that of an image."""

    image_id: ImageId
    size: RenditionSize
    content_type: str
    width_px: int
    height_px: int
    file_size_bytes: int
    checksum: str
    storage_path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One photograph: its bytes lie in the object storage under `storage_path`.

    `filename` is the name under which it is stored, `original_filename` what the client called it.
    `checksum` is the SHA-256 of the bytes in lower-case hexadecimal. `version` counts the changes.
    `is_copy` says that the owner had the same bytes already and wanted another image of them.
    """

    id: ImageId
    owner: UserId
    filename: str
    original_filename: str
    content_type: ContentType
    file_size_bytes: int
    storage_path: str
    checksum: str
    width_px: int
    height_px: int
    title: str
    description: str | None
    processing: ProcessingState
    processing_error: str | None
    uploaded_at: datetime
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None
    version: int = 1
    is_copy: bool = False
    visibility: Visibility = Visibility.PRIVATE

    def with_details(
        self, *, title: str, description: str | None, visibility: Visibility | None = None, now: datetime
    ) -> Self:
        """A copy with another title and description, and another visibility if one is given.

        Raises:
            InvalidInputError: if either breaks its rule.
        """
        return replace(
            self,
            title=clean_title(title),
            description=clean_description(description),
            visibility=visibility or self.visibility,
            updated_at=now,
            version=self.version + 1,
        )

    def shown_to(self, visibility: Visibility, now: datetime) -> Self:
        """A copy with another visibility."""
        return replace(self, visibility=visibility, updated_at=now, version=self.version + 1)

    def rendered(self, now: datetime) -> Self:
        """A copy whose renditions are all there."""
        return self._processed(ProcessingState.READY, None, now)

    def failed(self, reason: str, now: datetime) -> Self:
        """A copy that cannot be shown: its renditions could not be made, or its bytes are lost. The reason says why."""
        return self._processed(ProcessingState.FAILED, reason, now)

    def to_render(self, now: datetime) -> Self:
        """A copy whose renditions are to be made again."""
        return self._processed(ProcessingState.PENDING, None, now)

    def deleted(self, now: datetime) -> Self:
        """A copy that is no longer shown to anybody."""
        return replace(self, deleted_at=now, updated_at=now, version=self.version + 1)

    def _processed(self, state: ProcessingState, error: str | None, now: datetime) -> Self:
        return replace(self, processing=state, processing_error=error, updated_at=now, version=self.version + 1)


def clean_title(title: str) -> str:
    """The title of an image, trimmed.

    Raises:
        InvalidInputError: INVALID_NAME if it breaks the rules for names.
    """
    return clean_name(title, what="The title", field=("title",))


def title_from_filename(filename: str | None) -> str:
    """The title of an image for which none was given: its file's name without the extension."""
    name = clean_filename(filename)
    return name.rpartition(".")[0].strip() or name
