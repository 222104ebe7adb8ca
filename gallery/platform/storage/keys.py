"""The names of objects. Nothing else in the gallery knows what they look like."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from uuid import UUID

from gallery.domain.ids import ImageId
from gallery.domain.images import ContentType, RenditionSize

_ORIGINALS = "images/"
_RENDITIONS = "thumbnails/"

_OF_IMAGE = re.compile(r"(?:images/\d{4}/\d\d|thumbnails/[a-z]+)/([0-9a-f]{32})\.[a-z]+")

PREFIXES = (_ORIGINALS, _RENDITIONS)
"""What the names of all objects of the gallery begin with."""


class ObjectPaths:
    """Names made of the image's id and of nothing that a client sent.

    Originals lie under the month (UTC) of their upload: `images/2026/05/<32 hexadecimal digits>.jpg`. Renditions lie
    under their size: `thumbnails/small/<32 hexadecimal digits>.webp`.
    """

    def original(self, image_id: ImageId, content_type: ContentType, uploaded_at: datetime) -> str:
        """Where the bytes of an image go. The time must carry its zone."""
        month = f"{uploaded_at.astimezone(UTC):%Y/%m}"
        return f"{_ORIGINALS}{month}/{image_id.hex}.{content_type.extension}"

    def rendition(self, image_id: ImageId, size: RenditionSize) -> str:
        """Where a rendition of an image goes, whatever was there before."""
        return f"{_RENDITIONS}{size.value}/{image_id.hex}.webp"

    def image_id(self, storage_path: str) -> ImageId | None:
        """The image for which a name was made; None for a name that is none of ours."""
        found = _OF_IMAGE.fullmatch(storage_path)
        return None if found is None else ImageId(UUID(found[1]))


def is_written_once(storage_path: str) -> bool:
    """Whether an object of this name never changes: an original. A rendition may be made again."""
    return storage_path.startswith(_ORIGINALS)
