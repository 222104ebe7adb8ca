"""Relations for all parents of a level by one read: what the resolvers in `types.py` give one by one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from aiodataloader import DataLoader

from gallery.compiler import ResolveInfo
from gallery.web.graphql.context import Context
from gallery.web.graphql.loaders import Read
from gallery.web.graphql.types import Album, Image, Tag, Thumbnails

K = TypeVar("K")
V = TypeVar("V")

BatchResolver = Callable[[Sequence[Any], ResolveInfo, dict[str, Any]], Awaitable[Sequence[Any]]]


async def thumbnails(images: Sequence[Image], info: ResolveInfo, _arguments: Mapping[str, Any]) -> list[Thumbnails]:
    """The thumbnails of each image."""
    context: Context = info.context
    found = await _read(context, context.use_cases.image_reader.renditions, images)
    return [Thumbnails.of(found.get(image.entity.id, ()), context.base_url) for image in images]


async def tags(images: Sequence[Image], info: ResolveInfo, _arguments: Mapping[str, Any]) -> list[list[Tag]]:
    """The tags of each image."""
    found = await _read(info.context, info.context.use_cases.tag_reader.by_image, images)
    return [[Tag.of(tag) for tag in found.get(image.entity.id, ())] for image in images]


async def albums(images: Sequence[Image], info: ResolveInfo, _arguments: Mapping[str, Any]) -> list[list[Album]]:
    """The albums of each image."""
    found = await _read(info.context, info.context.use_cases.album_reader.by_image, images)
    return [[Album.of(album) for album in found.get(image.entity.id, ())] for image in images]


async def tag_image_counts(tags_: Sequence[Tag], info: ResolveInfo, _arguments: Mapping[str, Any]) -> list[int]:
    """How many images each tag has."""
    context: Context = info.context
    found = await _read(context, context.use_cases.tag_reader.image_counts, tags_)
    return _remembered(context.loaders.image_count_by_tag_id, {tag.entity.id: 0 for tag in tags_} | found, tags_)


async def album_image_counts(albums_: Sequence[Album], info: ResolveInfo, _arguments: Mapping[str, Any]) -> list[int]:
    """How many images each album holds."""
    context: Context = info.context
    found = await _read(context, context.use_cases.album_reader.image_counts, albums_)
    counts = {album.entity.id: 0 for album in albums_} | found
    return _remembered(context.loaders.image_count_by_album_id, counts, albums_)


def _remembered(loader: DataLoader[Any, int], counts: dict[Any, int], parents: Sequence[Tag | Album]) -> list[int]:
    """The counts of parents, which `totalCount` of their connections need not read again."""
    for id_, count in counts.items():
        loader.prime(id_, count)
    return [counts[parent.entity.id] for parent in parents]


async def _read(context: Context, read: Read[Any, V], parents: Sequence[Image | Tag | Album]) -> dict[Any, V]:
    return await read(context.viewer, list(dict.fromkeys([parent.entity.id for parent in parents])))


BATCHES: Final[Mapping[str, BatchResolver]] = {
    "Image.thumbnails": thumbnails,
    "Image.tags": tags,
    "Image.albums": albums,
    "Tag.imageCount": tag_image_counts,
    "Album.imageCount": album_image_counts,
}
"""By the field that each resolves."""
