"""Relations for all parents of a level by one read: what the resolvers in `types.py` give one by one.

Both ask the same loaders, so that a relation has one source, and nothing is read twice in a request.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from gallery.compiler import ResolveInfo
from gallery.web.graphql.context import Context
from gallery.web.graphql.types import Album, Image, Tag, Thumbnails

BatchResolver = Callable[[Sequence[Any], ResolveInfo, dict[str, Any]], Awaitable[Sequence[Any]]]


async def thumbnails(images: Sequence[Image], info: ResolveInfo, _arguments: Mapping[str, Any]) -> list[Thumbnails]:
    """The thumbnails of each image."""
    context: Context = info.context
    found = await context.loaders.renditions_by_image_id.load_level([image.record.id for image in images])
    return list(map(Thumbnails.of, found))


async def tags(images: Sequence[Image], info: ResolveInfo, _arguments: Mapping[str, Any]) -> list[list[Tag]]:
    """The tags of each image."""
    context: Context = info.context
    found = await context.loaders.tags_by_image_id.load_level([image.record.id for image in images])
    return [[Tag(record=tag) for tag in its] for its in found]


async def albums(images: Sequence[Image], info: ResolveInfo, _arguments: Mapping[str, Any]) -> list[list[Album]]:
    """The albums of each image."""
    context: Context = info.context
    found = await context.loaders.albums_by_image_id.load_level([image.record.id for image in images])
    return [[Album(record=album) for album in its] for its in found]


async def tag_image_counts(tags_: Sequence[Tag], info: ResolveInfo, _arguments: Mapping[str, Any]) -> list[int]:
    """How many images each tag has."""
    context: Context = info.context
    return await context.loaders.image_count_by_tag_id.load_level([tag.record.id for tag in tags_])


async def album_image_counts(albums_: Sequence[Album], info: ResolveInfo, _arguments: Mapping[str, Any]) -> list[int]:
    """How many images each album holds."""
    context: Context = info.context
    return await context.loaders.image_count_by_album_id.load_level([album.record.id for album in albums_])


BATCHES: Final[Mapping[str, BatchResolver]] = {
    "Image.thumbnails": thumbnails,
    "Image.tags": tags,
    "Image.albums": albums,
    "Tag.imageCount": tag_image_counts,
    "Album.imageCount": album_image_counts,
}
"""By the field that each resolves."""
