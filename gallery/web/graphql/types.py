"""Images, tags and albums as the schema shows them; their relations come from the data loaders."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final, cast

import strawberry

from gallery.domain import shares
from gallery.domain.access import Visibility
from gallery.domain.images import ProcessingState, RenditionSize
from gallery.domain.records import AlbumRecord, ImageRecord, RenditionRecord, TagRecord
from gallery.domain.shares import ShareLevel
from gallery.web.graphql.context import Info
from gallery.web.graphql.ids import account_global_id, album_global_id, image_global_id, tag_global_id
from gallery.web.graphql.loaders import Part
from gallery.web.graphql.node import ID_DESCRIPTION, Node
from gallery.web.graphql.pagination import After, Before, Connection, First, Last, Listing
from gallery.web.graphql.scalars import ByteSize
from gallery.web.graphql.shown import computed, keyed, shown
from gallery.web.media_urls import original_url, rendition_url

RenditionsBySize = dict[str, RenditionRecord | None]

_NONE_OF_THEM: Final[RenditionsBySize] = dict.fromkeys(size.value for size in RenditionSize)


@strawberry.type(description="A smaller copy of an image, in WebP, without its metadata.")
class Thumbnail:
    """A rendition. Its parent is the record itself: a page shows hundreds."""

    url: str = computed(
        lambda rendition, context: rendition_url(context.base_url, rendition),
        reads=("content_type",),
        description="Where the bytes are. They never change under the same address.",
    )
    width: int = shown("width_px", of=None, description="Width in pixels.")
    height: int = shown("height_px", of=None, description="Height in pixels.")
    file_size: ByteSize = shown("file_size_bytes", of=None, description="Size in bytes.")


@strawberry.type(description="The smaller copies of an image; each is null until `processing` is READY.")
class Thumbnails:
    """The renditions of an image. Their parent is `RenditionsBySize`."""

    small: Thumbnail | None = keyed(
        "small",
        description="For lists: 320 pixels at the longest edge by default.",
    )
    medium: Thumbnail | None = keyed(
        "medium",
        description="For pages: 960 pixels at the longest edge by default.",
    )
    large: Thumbnail | None = keyed(
        "large",
        description="For screens: 2048 pixels at the longest edge by default.",
    )

    @staticmethod
    def of(renditions: Iterable[RenditionRecord]) -> Thumbnails:
        """The renditions as the schema shows them."""
        by_size = _NONE_OF_THEM.copy()
        for rendition in renditions:
            by_size[rendition.size] = rendition
        return cast("Thumbnails", by_size)


@strawberry.type(description="A photograph or picture.")
class Image(Node):
    """An image, with its relations loaded when they are asked for."""

    record: strawberry.Private[ImageRecord]
    id: strawberry.ID = computed(lambda image, _: image_global_id(image.record.id), description=ID_DESCRIPTION)
    filename: str = shown("filename", description="The name under which the gallery stores the file.")
    original_filename: str = shown("original_filename", description="What the file was called when it was uploaded.")
    content_type: str = computed(
        lambda image, _: str(image.record.content_type),
        reads=("content_type",),
        description="The media type, such as image/jpeg, found in the bytes.",
    )
    file_size: ByteSize = shown("file_size_bytes", description="Size of the file in bytes.")
    checksum: str = shown("checksum", description="SHA-256 of the file in lower-case hexadecimal.")
    width: int = shown("width_px", description="Width in pixels, as shown: after the file's orientation is applied.")
    height: int = shown("height_px", description="Height in pixels, as shown: after the file's orientation is applied.")
    title: str = shown("title", description="The title; at first the file's name without its extension.")
    description: str | None = shown("description", description="What people wrote about the image.")
    processing: ProcessingState = shown("processing", description="How far the gallery is with the thumbnails.")
    processing_error: str | None = shown("processing_error", description="Why `processing` is FAILED; null otherwise.")
    uploaded_at: datetime = shown("uploaded_at", description="When the file was uploaded.")
    created_at: datetime = shown("created_at", description="When the image was made known to the gallery.")
    updated_at: datetime = shown("updated_at", description="When the image was last changed.")
    version: int = shown("version", description="Counts the changes, for `expectedVersion` of `updateImage`.")
    visibility: Visibility = shown("visibility", description="Who is shown the image.")
    url: str = computed(
        lambda image, context: original_url(context.base_url, image.record),
        reads=("content_type",),
        description="Where the original file is. It never changes under the same address.",
    )

    @classmethod
    def of(cls, image: ImageRecord) -> Image:
        """The image as the schema shows it."""
        return cls(record=image)

    @strawberry.field(description="Smaller copies of the image.")
    async def thumbnails(self, info: Info) -> Thumbnails:
        """Loaded for all images of the request at once."""
        return Thumbnails.of(await info.context.loaders.renditions_by_image_id.load(self.record.id))

    @strawberry.field(description="The tags of the image, by name.")
    async def tags(self, info: Info) -> list[Tag]:
        """Loaded for all images of the request at once."""
        return [Tag.of(tag) for tag in await info.context.loaders.tags_by_image_id.load(self.record.id)]

    @strawberry.field(description="The albums that hold the image, of those that you see, oldest first.")
    async def albums(self, info: Info) -> list[Album]:
        """Loaded for all images of the request at once."""
        return [Album.of(album) for album in await info.context.loaders.albums_by_image_id.load(self.record.id)]


@strawberry.type(description="A word that people attach to images. Names are unique whatever their case.")
class Tag(Node):
    """A tag, with its relations loaded when they are asked for."""

    record: strawberry.Private[TagRecord]
    id: strawberry.ID = computed(lambda tag, _: tag_global_id(tag.record.id), description=ID_DESCRIPTION)
    name: str = shown("name", description="The name, written as it was when the tag was made.")
    created_at: datetime = shown("created_at", description="When the tag was made.")

    @classmethod
    def of(cls, tag: TagRecord) -> Tag:
        """The tag as the schema shows it."""
        return cls(record=tag)

    @strawberry.field(description="How many images have the tag, of those that you see.")
    async def image_count(self, info: Info) -> int:
        """Loaded for all tags of the request at once."""
        return await info.context.loaders.image_count_by_tag_id.load(self.record.id)

    @strawberry.field(description="The images that have the tag, of those that you see, newest upload first.")
    async def images(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[Image]:
        """Loaded for all tags of the request at once."""
        loaders = info.context.loaders
        listing = Listing.of("tag", self.record.id)
        part = Part(self.record.id, listing.page_request(first, after, last, before))
        page = await loaders.images_by_tag.load(part)
        return listing.connection(page, Image.of, lambda: loaders.image_count_by_tag_id.load(self.record.id))


@strawberry.type(description="Images in an order that people choose. An image can be in many albums.")
class Album(Node):
    """An album, with its relations loaded when they are asked for."""

    record: strawberry.Private[AlbumRecord]
    id: strawberry.ID = computed(lambda album, _: album_global_id(album.record.id), description=ID_DESCRIPTION)
    title: str = shown("title", description="The title.")
    description: str | None = shown("description", description="What people wrote about the album.")
    created_at: datetime = shown("created_at", description="When the album was made.")
    updated_at: datetime = shown("updated_at", description="When the album, or what is in it, was last changed.")
    visibility: Visibility = shown(
        "visibility", description="Who is shown the album. Each image in it has a visibility of its own."
    )

    @classmethod
    def of(cls, album: AlbumRecord) -> Album:
        """The album as the schema shows it."""
        return cls(record=album)

    @strawberry.field(description="The image that stands for the album, if you see it: the chosen one, else the first.")
    async def cover(self, info: Info) -> Image | None:
        """Loaded for all albums of the request at once."""
        cover = await info.context.loaders.cover_by_album_id.load(self.record.id)
        return Image.of(cover) if cover else None

    @strawberry.field(description="How many images the album holds, of those that you see.")
    async def image_count(self, info: Info) -> int:
        """Loaded for all albums of the request at once."""
        return await info.context.loaders.image_count_by_album_id.load(self.record.id)

    @strawberry.field(description="The images of the album that you see, in its order.")
    async def images(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[Image]:
        """Loaded for all albums of the request at once."""
        loaders = info.context.loaders
        listing = Listing.of("album", self.record.id)
        part = Part(self.record.id, listing.page_request(first, after, last, before))
        page = await loaders.images_by_album.load(part)
        return listing.connection(page, Image.of, lambda: loaders.image_count_by_album_id.load(self.record.id))

    @strawberry.field(
        description="With whom the album is shared, by name; null for everybody but its owner and administrators."
    )
    async def shares(self, info: Info) -> list[AlbumShare] | None:
        """Loaded for all albums of the request at once."""
        shares = await info.context.loaders.shares_by_album_id.load(self.record.id)
        return None if shares is None else list(map(AlbumShare.of, shares))


@strawberry.type(description="That an album is shared with an account.")
class AlbumShare:
    """A share, as those who have the album see it."""

    account_id: strawberry.ID = strawberry.field(description="The account.")
    account_name: str = strawberry.field(description="The name of the account.")
    level: ShareLevel = strawberry.field(description="What the account may do with the album.")
    shared_at: datetime = strawberry.field(description="Since when it is.")

    @classmethod
    def of(cls, share: shares.AlbumShare) -> AlbumShare:
        """The share as the schema shows it."""
        return cls(
            account_id=account_global_id(share.account_id),
            account_name=share.account_name,
            level=share.level,
            shared_at=share.shared_at,
        )
