"""Album: images in an order that people choose."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime  # dataclass fields are read at run time
from typing import Self

from gallery.domain.access import Visibility  # as above
from gallery.domain.ids import AlbumId, ImageId, UserId  # as above
from gallery.domain.names import clean_description, clean_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Album:
    """Images in an order that people choose.

    `cover_id` is the image chosen as cover, or None: then the first image is the cover.
    """

    id: AlbumId
    owner: UserId
    title: str
    description: str | None
    cover_id: ImageId | None
    created_at: datetime
    updated_at: datetime
    version: int = 1
    visibility: Visibility = Visibility.PRIVATE

    def with_details(
        self,
        *,
        title: str,
        description: str | None,
        cover_id: ImageId | None,
        visibility: Visibility | None = None,
        now: datetime,
    ) -> Self:
        """A copy with another title, description and cover, and another visibility if one is given.

        Raises:
            InvalidInputError: if the title or the description breaks its rule.
        """
        return replace(
            self,
            title=clean_album_title(title),
            description=clean_description(description),
            cover_id=cover_id,
            visibility=visibility or self.visibility,
            updated_at=now,
            version=self.version + 1,
        )

    def without_cover(self, image_ids: Collection[ImageId]) -> Self:
        """A copy whose chosen cover is none of these images."""
        return replace(self, cover_id=None) if self.cover_id in image_ids else self

    def touched(self, now: datetime) -> Self:
        """A copy that says that its images changed."""
        return replace(self, updated_at=now, version=self.version + 1)


def clean_album_title(title: str) -> str:
    """The title of an album, trimmed.

    Raises:
        InvalidInputError: INVALID_NAME if it breaks the rules for names.
    """
    return clean_name(title, what="The album's title", field=("title",))
