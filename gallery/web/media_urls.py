"""Addresses of bytes.

`/media/<image id>/original.<ext>` and `/media/<image id>/<size>.webp`. What is under an address never changes.
"""

from __future__ import annotations

from typing import Final

from gallery.domain.images import ContentType
from gallery.domain.records import ImageRecord, RenditionRecord
from gallery.web.graphql.ids import IMAGE_PREFIX
from gallery.web.paths import MEDIA_PATH

_IMAGES: Final = MEDIA_PATH.removesuffix("{image}/{file}") + IMAGE_PREFIX
_EXTENSIONS: Final[dict[str, str]] = {one.value: one.extension for one in ContentType}


def original_url(base_url: str, image: ImageRecord) -> str:
    """Where the original of an image is."""
    return f"{base_url}{_IMAGES}{image.id.hex}/original.{_EXTENSIONS[image.content_type]}"


def rendition_url(base_url: str, rendition: RenditionRecord) -> str:
    """Where a rendition is."""
    extension = rendition.content_type.removeprefix("image/")
    return f"{base_url}{_IMAGES}{rendition.image_id.hex}/{rendition.size}.{extension}"
