"""What somebody with a share link sees of the gallery. It is made of types of its own: nothing leads from them further.

No field here tells what a file was called, whose it is, where it lies, or what a camera wrote into it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import strawberry

from gallery.domain.albums import Album
from gallery.domain.ids import ImageId
from gallery.domain.images import Image
from gallery.domain.pages import Position
from gallery.domain.records import RenditionRecord
from gallery.domain.share_links import given_title
from gallery.services.shared_content import OpenedLink
from gallery.web.graphql.context import Info
from gallery.web.graphql.level_loader import LevelLoader
from gallery.web.graphql.pagination import After, Connection, First, Listing
from gallery.web.graphql.scalars import ByteSize
from gallery.web.shared_ids import SharedIds
from gallery.web.shared_urls import gives_originals, original_name, rendition_name, shared_url

_FOR_DOWNLOADS = "large"


@dataclass(frozen=True)
class SharedListing(Listing):
    """A list under a link. Its cursors hold ids of the link in place of the gallery's own."""

    ids: SharedIds

    @classmethod
    def under(cls, opened: OpenedLink, ids: SharedIds) -> SharedListing:
        """The images of a link."""
        return cls(criteria=("shared", opened.link.id), ids=ids)

    def cursor(self, position: Position) -> str:
        """The cursor of a position."""
        return super().cursor(Position(position.value, self.ids.hidden(position.id)))

    def position(self, cursor: str, *, field: str) -> Position:
        """The position that a cursor stands for; as `Listing.position`."""
        position = super().position(cursor, field=field)
        return Position(position.value, self.ids.revealed(position.id))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A link that is open, and what is read for the images under it."""

    opened: OpenedLink
    ids: SharedIds
    base_url: str
    renditions: LevelLoader[ImageId, tuple[RenditionRecord, ...]]

    def url(self, image: Image, file: str) -> str:
        """Where a file of an image is."""
        return shared_url(self.base_url, self.opened, self.ids.of_image(image.id), file)


@strawberry.type(description="A smaller copy of a shared image, in WebP, without its metadata.")
class PublicThumbnail:
    """A rendition under a link."""

    url: str = strawberry.field(description="Where the bytes are, as long as the link is of use.")
    width: int = strawberry.field(description="Width in pixels.")
    height: int = strawberry.field(description="Height in pixels.")


@strawberry.type(description="The smaller copies of a shared image; each is null until it is made.")
class PublicThumbnails:
    """The renditions of an image under a link."""

    small: PublicThumbnail | None = strawberry.field(description="For lists.")
    medium: PublicThumbnail | None = strawberry.field(description="For pages.")
    large: PublicThumbnail | None = strawberry.field(description="For screens.")


@strawberry.type(description="An image as a share link shows it.")
class PublicImage:
    """An image without all that is nobody else's business."""

    image: strawberry.Private[Image]
    shown: strawberry.Private[Shown]

    @strawberry.field(description="An id of the image under this link. It finds nothing elsewhere.")
    def id(self) -> strawberry.ID:
        """The id under the link."""
        return strawberry.ID(self.shown.ids.of_image(self.image.id))

    @strawberry.field(description="The title; null if nobody gave it one.")
    def title(self) -> str | None:
        """The name of the file, which is a title otherwise, is not told."""
        return given_title(self.image)

    @strawberry.field(description="What people wrote about the image.")
    def description(self) -> str | None:
        """As it is."""
        return self.image.description

    @strawberry.field(description="Width of the original in pixels, as shown.")
    def width(self) -> int:
        """As it is."""
        return self.image.width_px

    @strawberry.field(description="Height of the original in pixels, as shown.")
    def height(self) -> int:
        """As it is."""
        return self.image.height_px

    @strawberry.field(description="Smaller copies of the image.")
    async def thumbnails(self) -> PublicThumbnails:
        """Loaded for all images of the page at once."""
        by_size = await self._renditions()
        small, medium, large = (self._thumbnail(by_size.get(size)) for size in ("small", "medium", "large"))
        return PublicThumbnails(small=small, medium=medium, large=large)

    @strawberry.field(
        description="Where a file to download is: the large thumbnail, or the file as it was uploaded if the link "
        "shows metadata. Null if the link allows no downloads, or the thumbnail is not made yet."
    )
    async def url(self) -> str | None:
        """What a camera wrote into a file is in nothing but the original."""
        link = self.shown.opened.link
        if not link.allows_download:
            return None
        if gives_originals(link):
            return self.shown.url(self.image, original_name(self.image))
        rendition = (await self._renditions()).get(_FOR_DOWNLOADS)
        return None if rendition is None else self.shown.url(self.image, rendition_name(rendition))

    @strawberry.field(description="The media type of the original; null unless the link shows metadata.")
    def content_type(self) -> str | None:
        """Of the original."""
        return str(self.image.content_type) if self._shows_metadata else None

    @strawberry.field(description="Size of the original in bytes; null unless the link shows metadata.")
    def file_size(self) -> ByteSize | None:
        """Of the original."""
        return ByteSize(self.image.file_size_bytes) if self._shows_metadata else None

    @strawberry.field(description="When the image was uploaded; null unless the link shows metadata.")
    def uploaded_at(self) -> datetime | None:
        """As it is."""
        return self.image.uploaded_at if self._shows_metadata else None

    @property
    def _shows_metadata(self) -> bool:
        return self.shown.opened.link.shows_metadata

    async def _renditions(self) -> Mapping[str, RenditionRecord]:
        return {str(rendition.size): rendition for rendition in await self.shown.renditions.load(self.image.id)}

    def _thumbnail(self, rendition: RenditionRecord | None) -> PublicThumbnail | None:
        if rendition is None:
            return None
        url = self.shown.url(self.image, rendition_name(rendition))
        return PublicThumbnail(url=url, width=rendition.width_px, height=rendition.height_px)


@strawberry.type(description="What a share link shows: the images of an album, or a single one.")
class SharedContent:
    """An album or an image, as one who has the link sees it."""

    shown: strawberry.Private[Shown]

    @strawberry.field(description="The title of the album or image; null if nobody gave it one.")
    def title(self) -> str | None:
        """Of what is shared."""
        content = self.shown.opened.content
        return content.title if isinstance(content, Album) else given_title(content)

    @strawberry.field(description="What people wrote about the album or image.")
    def description(self) -> str | None:
        """Of what is shared."""
        return self.shown.opened.content.description

    @strawberry.field(description="From when on the link is of no use; null: never.")
    def expires_at(self) -> datetime | None:
        """Of the link."""
        return self.shown.opened.link.expires_at

    @strawberry.field(description="Whether images have a file to download.")
    def download_allowed(self) -> bool:
        """Of the link."""
        return self.shown.opened.link.allows_download

    @strawberry.field(description="The images of the album in its order, or the one image.")
    async def images(self, info: Info, first: First = None, after: After = None) -> Connection[PublicImage]:
        """A page of them."""
        shown = self.shown
        listing = SharedListing.under(shown.opened, shown.ids)
        request = listing.page_request(first, after, None, None)

        def node(image: Image) -> PublicImage:
            return PublicImage(image=image, shown=shown)

        shared = info.context.use_cases.shared
        page = await shared.page(shown.opened, request)
        return listing.connection(page, node, lambda: shared.count(shown.opened))


@strawberry.type
class SharedQueries:
    """The root field for strangers."""

    @strawberry.field(
        description="What a share link shows, also to people without an account: NOT_FOUND if it is of no use, "
        "PASSWORD_REQUIRED if it wants a password, RATE_LIMITED after too many wrong ones. Whoever shows no token may "
        "ask for this field once in an operation and for no other."
    )
    async def shared_link(
        self,
        info: Info,
        token: Annotated[str, strawberry.argument(description="The token of the link: `shr_…`.")],
        password: Annotated[str | None, strawberry.argument(description="The password, if the link has one.")] = None,
    ) -> SharedContent | None:
        """Opens the link, and counts that."""
        shared = info.context.use_cases.shared  # whoever asks for this has an answer that is kept for nobody
        opened = await shared.open(token, password)
        none: tuple[RenditionRecord, ...] = ()
        loader = LevelLoader(lambda ids: shared.renditions(opened, ids), none)
        shown = Shown(opened=opened, ids=SharedIds(opened.link), base_url=info.context.base_url, renditions=loader)
        return SharedContent(shown=shown)
