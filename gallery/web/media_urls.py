"""Addresses of bytes.

`/media/<image id>/original.<ext>` and `/media/<image id>/<size>.webp`. What is under an address never changes.
"""

from __future__ import annotations

from gallery.domain.images import Image, Rendition
from gallery.web.graphql.ids import image_global_id
from gallery.web.paths import MEDIA_PATH

_ORIGINAL = "original"


def original_url(base_url: str, image: Image) -> str:
    """Where the original of an image is."""
    file = f"{_ORIGINAL}.{image.content_type.extension}"
    return base_url + MEDIA_PATH.format(image=image_global_id(image.id), file=file)


def rendition_url(base_url: str, rendition: Rendition) -> str:
    """Where a rendition is."""
    file = f"{rendition.size.value}.{rendition.content_type.removeprefix('image/')}"
    return base_url + MEDIA_PATH.format(image=image_global_id(rendition.image_id), file=file)
