"""Addresses of bytes: the only place that knows how they look.

`/media/<image id>/original.<ext>` and `/media/<image id>/<size>.webp`. What is under an address never changes.
"""

from __future__ import annotations

from gallery.domain.images import Image, Rendition

ORIGINAL = "original"


def original_url(base_url: str, image: Image) -> str:
    """Where the original of an image is."""
    return f"{base_url}/media/img_{image.id.hex}/{ORIGINAL}.{image.content_type.extension}"


def rendition_url(base_url: str, rendition: Rendition) -> str:
    """Where a rendition is."""
    extension = rendition.content_type.removeprefix("image/")
    return f"{base_url}/media/img_{rendition.image_id.hex}/{rendition.size.value}.{extension}"
