"""What the gallery needs from outside, as Protocols. The adapters are in `gallery.platform`.

Writing goes through the repositories of a unit of work; reading goes through the readers, which hold no transaction
and may be answered from a cache. Readers take many ids at once: they are what the data loaders call.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Protocol, Self

from gallery.domain.access import Viewer
from gallery.domain.account_ports import AccountRepository, TokenRepository
from gallery.domain.albums import Album
from gallery.domain.events import Event
from gallery.domain.ids import AlbumId, ImageId, TagId, UserId
from gallery.domain.images import ContentType, Image, ImageInfo, Rendition, RenditionSize
from gallery.domain.jobs import Job
from gallery.domain.pages import (
    AlbumQuery,
    GalleryStats,
    ImageFilter,
    ImageQuery,
    Page,
    PageRequest,
    TagQuery,
)
from gallery.domain.session_ports import PasswordRepository, SessionRepository
from gallery.domain.share_link_ports import ShareLinkRepository
from gallery.domain.share_ports import ShareRepository
from gallery.domain.shares import AlbumShare
from gallery.domain.tags import Tag
from gallery.domain.upload_ports import ClaimRepository, UploadRepository

Clock = Callable[[], datetime]
"""The time now, with its zone (UTC)."""


# Writing


class ImageRepository(Protocol):
    """The images of a unit of work. Deleted images are not there."""

    async def get(self, image_id: ImageId) -> Image:
        """The image, locked until the transaction ends.

        Raises:
            NotFoundError: if there is none.
        """
        ...

    async def get_many(self, image_ids: Collection[ImageId]) -> dict[ImageId, Image]:
        """Those of the images that exist, locked in the order of their ids until the transaction ends."""
        ...

    async def find_by_checksum(self, owner: UserId, checksum: str) -> Image | None:
        """The owner's image with these bytes, the first of several. Until the transaction ends nobody changes it."""
        ...

    async def add(self, image: Image) -> None:
        """Stores a new image.

        Raises:
            ConflictError: VERSION_CONFLICT if it is no copy and the owner has another that is none with its checksum.
        """
        ...

    async def add_unless_there(self, image: Image) -> bool:
        """Stores a new image unless its owner has one with its checksum; answers with whether it did.

        Safe against others who add the same bytes at the same time.
        """
        ...

    async def save(self, image: Image) -> None:
        """Stores a changed image.

        One with `deleted_at` leaves its tags and albums, is nobody's cover, and loses its renditions.

        Raises:
            NotFoundError: if there is none.
        """
        ...

    async def replace_renditions(self, image_id: ImageId, renditions: Sequence[Rendition]) -> None:
        """Stores the renditions of an image in place of those that it had."""
        ...

    async def renditions(self, image_id: ImageId) -> tuple[Rendition, ...]:
        """The renditions of an image, smallest first."""
        ...


class TagRepository(Protocol):
    """The tags of a unit of work."""

    async def get(self, tag_id: TagId) -> Tag:
        """The tag, locked until the transaction ends.

        Raises:
            NotFoundError: if there is none.
        """
        ...

    async def find_by_names(self, names: Collection[str]) -> dict[str, Tag]:
        """The tags that exist, by the `tag_key` of their names."""
        ...

    async def add_missing(self, tags: Sequence[Tag]) -> dict[str, Tag]:
        """Stores those whose name is new; answers with all that are stored now, by `tag_key`.

        Safe against others who add the same names at the same time.
        """
        ...

    async def is_seen(self, viewer: Viewer, tag_id: TagId) -> bool:
        """Whether readers of tags show the tag to the viewer."""
        ...

    async def delete(self, tag_id: TagId) -> tuple[ImageId, ...]:
        """Removes the tag from all images and from the gallery; answers with the images that had it."""
        ...

    async def attach(self, image_ids: Collection[ImageId], tag_ids: Collection[TagId]) -> set[tuple[ImageId, TagId]]:
        """Gives every image every tag; answers with the pairs that are new.

        Raises:
            NotFoundError: if one of the images or tags is not there.
        """
        ...

    async def detach(self, image_ids: Collection[ImageId], tag_ids: Collection[TagId]) -> set[tuple[ImageId, TagId]]:
        """Takes the tags from the images; answers with the pairs that were there."""
        ...


class AlbumRepository(Protocol):
    """The albums of a unit of work."""

    async def get(self, album_id: AlbumId) -> Album:
        """The album, locked until the transaction ends.

        Raises:
            NotFoundError: if there is none.
        """
        ...

    async def add(self, album: Album) -> None:
        """Stores a new album."""
        ...

    async def save(self, album: Album) -> None:
        """Stores a changed album.

        Raises:
            NotFoundError: if there is none.
        """
        ...

    async def delete(self, album_id: AlbumId) -> tuple[ImageId, ...]:
        """Removes the album, never its images; answers with the images that it held."""
        ...

    async def append(
        self, album_id: AlbumId, image_ids: Sequence[ImageId], *, offered_by: Collection[UserId] = ()
    ) -> tuple[ImageId, ...]:
        """Adds images at the end, in this order; answers with those for which that changed something.

        Those with whom the album is shared are shown an image, however private it is, if one of `offered_by` owns it:
        from now on, if it was in the album already and not shown to them. It stays where it is then.

        Raises:
            NotFoundError: if the album or one of the images is not there.
        """
        ...

    async def remove(self, album_id: AlbumId, image_ids: Collection[ImageId]) -> tuple[ImageId, ...]:
        """Takes images out; answers with those that were in the album."""
        ...

    async def withdraw(self, album_id: AlbumId, owner: UserId) -> None:
        """Leaves an account's images in the album and shows them by it no more to those who do not see them anyway."""
        ...

    async def members(self, album_id: AlbumId, image_ids: Collection[ImageId]) -> set[ImageId]:
        """Those of the images that are in the album."""
        ...

    async def holding(self, image_ids: Collection[ImageId]) -> tuple[AlbumId, ...]:
        """The albums that hold any of the images."""
        ...


class EventLog(Protocol):
    """The audit trail."""

    async def append(self, *events: Event) -> None:
        """Records what happened, in the transaction of the change."""
        ...

    async def begin(self, event: Event) -> None:
        """Records the first event of an entity that this transaction makes, of which nobody else can know yet."""
        ...


class JobQueue(Protocol):
    """Work for later."""

    async def enqueue(self, *jobs: Job) -> None:
        """Asks for work; a worker sees it once the transaction is committed."""
        ...


class UnitOfWork(Protocol):
    """One transaction: `async with` opens it, `commit` keeps it, leaving without commit undoes it.

    After a commit the listener of the adapter is told of the events, so that caches drop what changed.
    No network call belongs inside.
    """

    @property
    def images(self) -> ImageRepository: ...  # noqa: D102
    @property
    def tags(self) -> TagRepository: ...  # noqa: D102
    @property
    def albums(self) -> AlbumRepository: ...  # noqa: D102
    @property
    def events(self) -> EventLog: ...  # noqa: D102
    @property
    def jobs(self) -> JobQueue: ...  # noqa: D102
    @property
    def uploads(self) -> UploadRepository: ...  # noqa: D102
    @property
    def claims(self) -> ClaimRepository: ...  # noqa: D102
    @property
    def accounts(self) -> AccountRepository: ...  # noqa: D102
    @property
    def tokens(self) -> TokenRepository: ...  # noqa: D102
    @property
    def shares(self) -> ShareRepository: ...  # noqa: D102
    @property
    def passwords(self) -> PasswordRepository: ...  # noqa: D102
    @property
    def sessions(self) -> SessionRepository: ...  # noqa: D102
    @property
    def share_links(self) -> ShareLinkRepository: ...  # noqa: D102

    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    async def commit(self, *, durable: bool = True) -> None:
        """Keeps everything done so far and ends the transaction.

        One that is not `durable` does not wait for the disk: everybody sees it at once, but a crash of the database
        may undo it, until a later commit that waits. For what nobody has been promised.
        """
        ...


UnitOfWorkFactory = Callable[[], UnitOfWork]

CommitListener = Callable[[Sequence[Event]], Awaitable[None]]
"""Told of the events of a transaction right after its commit. Never raises.

Also told of those of a commit whose answer was lost, which may have happened or not: it only forgets what may be stale.
"""


# Reading


class ImageReader(Protocol):
    """Images as the viewer may see them: `may_see` is true of those found by id, `may_list` of all others.

    A filter by an album that the viewer does not see leaves nothing.
    """

    async def get_many(self, viewer: Viewer, image_ids: Collection[ImageId]) -> dict[ImageId, Image]:
        """Those of the images that exist."""
        ...

    async def offered(self, viewer: Viewer, image_ids: Collection[ImageId]) -> set[ImageId]:
        """Those of the images that their owners show to the viewer in an album."""
        ...

    async def list_page(self, viewer: Viewer, query: ImageQuery) -> Page[Image]:
        """One page of the images."""
        ...

    async def count(self, viewer: Viewer, image_filter: ImageFilter) -> int:
        """How many images a filter leaves."""
        ...

    async def known_checksums(self, viewer: Viewer, checksums: Collection[str]) -> dict[str, ImageId]:
        """Those of the checksums that the viewer's own images have."""
        ...

    async def renditions(self, viewer: Viewer, image_ids: Collection[ImageId]) -> dict[ImageId, tuple[Rendition, ...]]:
        """The renditions of each image, smallest first; images without any are left out."""
        ...

    async def pages_by_album(
        self, viewer: Viewer, album_ids: Collection[AlbumId], page: PageRequest
    ) -> dict[AlbumId, Page[Image]]:
        """The same part of each album, in the order of the album; positions hold the place in the album."""
        ...

    async def pages_by_tag(
        self, viewer: Viewer, tag_ids: Collection[TagId], page: PageRequest
    ) -> dict[TagId, Page[Image]]:
        """The same part of each tag's images, newest upload first; positions hold the time of upload."""
        ...

    async def stats(self, viewer: Viewer) -> GalleryStats:
        """What the gallery holds."""
        ...


class TagReader(Protocol):
    """Tags as the viewer may see them: those that they made, and those of images that lists have for them."""

    async def get_many(self, viewer: Viewer, tag_ids: Collection[TagId]) -> dict[TagId, Tag]:
        """Those of the tags that exist."""
        ...

    async def list_page(self, viewer: Viewer, query: TagQuery) -> Page[Tag]:
        """One page of the tags, by name without regard to case; positions hold the `tag_key`."""
        ...

    async def count(self, viewer: Viewer, text: str | None) -> int:
        """How many tags contain the text."""
        ...

    async def by_image(self, viewer: Viewer, image_ids: Collection[ImageId]) -> dict[ImageId, tuple[Tag, ...]]:
        """The tags of each image, by name; images without any are left out."""
        ...

    async def image_counts(self, viewer: Viewer, tag_ids: Collection[TagId]) -> dict[TagId, int]:
        """How many images have each tag; tags without any are left out."""
        ...


class AlbumReader(Protocol):
    """Albums as the viewer may see them, by the same rules as images."""

    async def get_many(self, viewer: Viewer, album_ids: Collection[AlbumId]) -> dict[AlbumId, Album]:
        """Those of the albums that exist."""
        ...

    async def list_page(self, viewer: Viewer, query: AlbumQuery) -> Page[Album]:
        """One page of the albums."""
        ...

    async def count(self, viewer: Viewer, text: str | None) -> int:
        """How many albums have the text in their title."""
        ...

    async def by_image(self, viewer: Viewer, image_ids: Collection[ImageId]) -> dict[ImageId, tuple[Album, ...]]:
        """The albums of each image, oldest first; images in none are left out."""
        ...

    async def image_counts(self, viewer: Viewer, album_ids: Collection[AlbumId]) -> dict[AlbumId, int]:
        """How many images each album holds; empty albums are left out."""
        ...

    async def shared(self, viewer: Viewer, album_ids: Collection[AlbumId]) -> set[AlbumId]:
        """Those of the albums that are shared with the viewer."""
        ...

    async def shares(self, viewer: Viewer, album_ids: Collection[AlbumId]) -> dict[AlbumId, tuple[AlbumShare, ...]]:
        """With whom each album is shared, by the names of the accounts; albums that are not shared are left out.

        Only of albums that the viewer has.
        """
        ...

    async def cover_ids(self, viewer: Viewer, album_ids: Collection[AlbumId]) -> dict[AlbumId, ImageId]:
        """The cover of each album: the chosen image, else the first; empty albums are left out."""
        ...


# Bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """What was stored: its size and the SHA-256 of its bytes in lower-case hexadecimal."""

    storage_path: str
    size_bytes: int
    checksum: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectStream:
    """An object, or a range of it, being read. `etag` is unquoted. `body` may be iterated once."""

    size_bytes: int
    total_bytes: int
    content_type: str
    etag: str
    body: AsyncIterator[bytes]


class ObjectStorage(Protocol):
    """Objects by path. Every method raises UnavailableError if the storage does not answer."""

    async def put(self, storage_path: str, chunks: AsyncIterable[bytes], *, content_type: str) -> StoredObject:
        """Stores what the chunks give, whatever its length, holding a few parts of it in memory.

        If the chunks raise, or the caller is cancelled, nothing is left behind and the error goes on.
        """
        ...

    def open(
        self, storage_path: str, *, first_byte: int = 0, last_byte: int | None = None
    ) -> AbstractAsyncContextManager[ObjectStream]:
        """Reads an object, or the bytes from `first_byte` to `last_byte` inclusive.

        Raises:
            NotFoundError: if there is no such object.
        """
        ...

    async def delete(self, storage_paths: Collection[str]) -> None:
        """Removes objects; those that are not there do not matter."""
        ...


class StoragePaths(Protocol):
    """Names for objects; never made of anything that a client sent."""

    def original(self, image_id: ImageId, content_type: ContentType, uploaded_at: datetime) -> str:
        """Where the bytes of an image go."""
        ...

    def rendition(self, image_id: ImageId, size: RenditionSize) -> str:
        """Where a rendition of an image goes."""
        ...

    def image_id(self, storage_path: str) -> ImageId | None:
        """The image for which a name was made; None for a name that is none of ours."""
        ...


class IncomingFile(Protocol):
    """A file that a client is sending. Its chunks may be iterated once, and raise what goes wrong on the way."""

    @property
    def filename(self) -> str | None:
        """What the client calls the file; known once the first chunk is there."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """The bytes as they arrive.

        Raises:
            UploadInterruptedError: if the client goes away before the end.
        """
        ...


class WholenessCheck(Protocol):
    """Follows the bytes of a file, to tell whether the image in it has its end."""

    def feed(self, chunk: bytes) -> None:
        """Takes the next bytes, from the first of the file on; chunks may be cut anywhere."""
        ...

    @property
    def is_whole(self) -> bool:
        """Whether the image would be whole if the file ended here."""
        ...


class ImageInspector(Protocol):
    """Tells what a file is from its first bytes, and whether it was whole from all of them."""

    async def inspect(self, head: bytes, *, complete: bool) -> ImageInfo:
        """What the file is; `complete` says that the head is all of it.

        Raises:
            RefusedFileError: if it cannot become an image, with the reason; CutOffHeaderError if more of it would tell.
        """
        ...

    def follow(self, info: ImageInfo) -> WholenessCheck:
        """A check for the file that was found to be this."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedImage:
    """A rendition before it is stored."""

    size: RenditionSize
    content_type: str
    width_px: int
    height_px: int
    data: bytes


class ImageRenderer(Protocol):
    """Makes renditions."""

    async def render(self, chunks: AsyncIterable[bytes]) -> tuple[RenderedImage, ...]:
        """The renditions of the image whose bytes are given, smallest first, without its metadata.

        Raises:
            CorruptImageError: if the pixels cannot be decoded, with a reason for people.
        """
        ...
