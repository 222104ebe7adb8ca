"""Images, tags and albums as the schema shows them; their relations come from the data loaders."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import strawberry

from gallery.domain import albums, images, tags
from gallery.domain.images import ProcessingState, RenditionSize
from gallery.web.graphql.context import Info
from gallery.web.graphql.ids import album_global_id, image_global_id, tag_global_id
from gallery.web.graphql.loaders import Part
from gallery.web.graphql.node import Node
from gallery.web.graphql.pagination import After, Before, Connection, First, Last, Listing
from gallery.web.graphql.scalars import ByteSize
from gallery.web.media_urls import original_url, rendition_url


@strawberry.type(description="A smaller copy of an image, in WebP, without its metadata.")
class Thumbnail:
    """A rendition."""

    url: str = strawberry.field(description="Where the bytes are. They never change under the same address.")
    width: int = strawberry.field(description="Width in pixels.")
    height: int = strawberry.field(description="Height in pixels.")
    file_size: ByteSize = strawberry.field(description="Size in bytes.")


@strawberry.type(description="The smaller copies of an image; each is null until `processing` is READY.")
class Thumbnails:
    """The renditions of an image by size."""

    small: Thumbnail | None = strawberry.field(description="For lists: 320 pixels at the longest edge by default.")
    medium: Thumbnail | None = strawberry.field(description="For pages: 960 pixels at the longest edge by default.")
    large: Thumbnail | None = strawberry.field(description="For screens: 2048 pixels at the longest edge by default.")

    @classmethod
    def of(cls, renditions: Iterable[images.Rendition], base_url: str) -> Thumbnails:
        """The renditions as the schema shows them."""
        by_size = {
            rendition.size: Thumbnail(
                url=rendition_url(base_url, rendition),
                width=rendition.width_px,
                height=rendition.height_px,
                file_size=ByteSize(rendition.file_size_bytes),
            )
            for rendition in renditions
        }
        return cls(
            small=by_size.get(RenditionSize.SMALL),
            medium=by_size.get(RenditionSize.MEDIUM),
            large=by_size.get(RenditionSize.LARGE),
        )


@strawberry.type(description="A photograph or picture.")
class Image(Node):
    """An image, with its relations loaded when they are asked for."""

    entity: strawberry.Private[images.Image]
    filename: str = strawberry.field(description="The name under which the gallery stores the file.")
    original_filename: str = strawberry.field(description="What the file was called when it was uploaded.")
    content_type: str = strawberry.field(description="The media type, such as image/jpeg, found in the bytes.")
    file_size: ByteSize = strawberry.field(description="Size of the file in bytes.")
    checksum: str = strawberry.field(description="SHA-256 of the file in lower-case hexadecimal.")
    width: int = strawberry.field(description="Width in pixels, as shown: after the file's orientation is applied.")
    height: int = strawberry.field(description="Height in pixels, as shown: after the file's orientation is applied.")
    title: str = strawberry.field(description="The title; at first the file's name without its extension.")
    description: str | None = strawberry.field(description="What people wrote about the image.")
    processing: ProcessingState = strawberry.field(description="How far the gallery is with the thumbnails.")
    processing_error: str | None = strawberry.field(description="Why `processing` is FAILED; null otherwise.")
    uploaded_at: datetime = strawberry.field(description="When the file was uploaded.")
    created_at: datetime = strawberry.field(description="When the image was made known to the gallery.")
    updated_at: datetime = strawberry.field(description="When the image was last changed.")
    version: int = strawberry.field(description="Counts the changes, for `expectedVersion` of `updateImage`.")

    @classmethod
    def of(cls, image: images.Image) -> Image:
        """The image as the schema shows it."""
        return cls(
            id=image_global_id(image.id),
            entity=image,
            filename=image.filename,
            original_filename=image.original_filename,
            content_type=image.content_type.value,
            file_size=ByteSize(image.file_size_bytes),
            checksum=image.checksum,
            width=image.width_px,
            height=image.height_px,
            title=image.title,
            description=image.description,
            processing=image.processing,
            processing_error=image.processing_error,
            uploaded_at=image.uploaded_at,
            created_at=image.created_at,
            updated_at=image.updated_at,
            version=image.version,
        )

    @strawberry.field(description="Where the original file is. It never changes under the same address.")
    def url(self, info: Info) -> str:
        """An absolute address."""
        return original_url(info.context.base_url, self.entity)

    @strawberry.field(description="Smaller copies of the image.")
    async def thumbnails(self, info: Info) -> Thumbnails:
        """Loaded for all images of the request at once."""
        renditions = await info.context.loaders.renditions_by_image_id.load(self.entity.id)
        return Thumbnails.of(renditions, info.context.base_url)

    @strawberry.field(description="The tags of the image, by name.")
    async def tags(self, info: Info) -> list[Tag]:
        """Loaded for all images of the request at once."""
        return [Tag.of(tag) for tag in await info.context.loaders.tags_by_image_id.load(self.entity.id)]

    @strawberry.field(description="The albums that hold the image, oldest first.")
    async def albums(self, info: Info) -> list[Album]:
        """Loaded for all images of the request at once."""
        return [Album.of(album) for album in await info.context.loaders.albums_by_image_id.load(self.entity.id)]


@strawberry.type(description="A word that people attach to images. Names are unique whatever their case.")
class Tag(Node):
    """A tag, with its relations loaded when they are asked for."""

    entity: strawberry.Private[tags.Tag]
    name: str = strawberry.field(description="The name, written as it was when the tag was made.")
    created_at: datetime = strawberry.field(description="When the tag was made.")

    @classmethod
    def of(cls, tag: tags.Tag) -> Tag:
        """The tag as the schema shows it."""
        return cls(id=tag_global_id(tag.id), entity=tag, name=tag.name, created_at=tag.created_at)

    @strawberry.field(description="How many images have the tag.")
    async def image_count(self, info: Info) -> int:
        """Loaded for all tags of the request at once."""
        return await info.context.loaders.image_count_by_tag_id.load(self.entity.id)

    @strawberry.field(description="The images that have the tag, newest upload first.")
    async def images(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[Image]:
        """Loaded for all tags of the request at once."""
        loaders = info.context.loaders
        listing = Listing.of("tag", self.entity.id)
        part = Part(self.entity.id, listing.page_request(first, after, last, before))
        page = await loaders.images_by_tag.load(part)
        return listing.connection(page, Image.of, lambda: loaders.image_count_by_tag_id.load(self.entity.id))


@strawberry.type(description="Images in an order that people choose. An image can be in many albums.")
class Album(Node):
    """An album, with its relations loaded when they are asked for."""

    entity: strawberry.Private[albums.Album]
    title: str = strawberry.field(description="The title.")
    description: str | None = strawberry.field(description="What people wrote about the album.")
    created_at: datetime = strawberry.field(description="When the album was made.")
    updated_at: datetime = strawberry.field(description="When the album, or what is in it, was last changed.")

    @classmethod
    def of(cls, album: albums.Album) -> Album:
        """The album as the schema shows it."""
        return cls(
            id=album_global_id(album.id),
            entity=album,
            title=album.title,
            description=album.description,
            created_at=album.created_at,
            updated_at=album.updated_at,
        )

    @strawberry.field(description="The image that stands for the album: the chosen one, else the first; null if empty.")
    async def cover(self, info: Info) -> Image | None:
        """Loaded for all albums of the request at once."""
        cover = await info.context.loaders.cover_by_album_id.load(self.entity.id)
        return Image.of(cover) if cover else None

    @strawberry.field(description="How many images the album holds.")
    async def image_count(self, info: Info) -> int:
        """Loaded for all albums of the request at once."""
        return await info.context.loaders.image_count_by_album_id.load(self.entity.id)

    @strawberry.field(description="The images of the album, in its order.")
    async def images(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[Image]:
        """Loaded for all albums of the request at once."""
        loaders = info.context.loaders
        listing = Listing.of("album", self.entity.id)
        part = Part(self.entity.id, listing.page_request(first, after, last, before))
        page = await loaders.images_by_album.load(part)
        return listing.connection(page, Image.of, lambda: loaders.image_count_by_album_id.load(self.entity.id))
