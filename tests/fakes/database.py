"""A database in memory: tables that transactions see as READ COMMITTED does, and locks on rows.

A transaction keeps a list of its changes and sees what is committed with these applied. Commit applies them for all.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Self

from gallery.domain.access import LOCAL_ADMINISTRATOR, Role, Sight, Viewer, may_list, may_see
from gallery.domain.accounts import Account, AccountKind, ApiToken
from gallery.domain.albums import Album
from gallery.domain.events import Event
from gallery.domain.idempotency import Claim
from gallery.domain.ids import AlbumId, ImageId, SessionId, ShareLinkId, TagId, TokenId, UploadId, UserId
from gallery.domain.images import Image, Rendition
from gallery.domain.jobs import Job
from gallery.domain.sessions import Session
from gallery.domain.share_links import ShareLink
from gallery.domain.shares import AlbumShare
from gallery.domain.tags import Tag
from gallery.domain.uploads import Upload

_holder: ContextVar[asyncio.Task[object] | None] = ContextVar("holder", default=None)


@contextmanager
def holding_transaction() -> Iterator[None]:
    """Marks the running task as one that holds a transaction open."""
    token = _holder.set(asyncio.current_task())
    try:
        yield
    finally:
        _holder.reset(token)


def holds_transaction() -> bool:
    """Whether the running task holds a transaction open, and must not make calls over the network."""
    return _holder.get() is not None and _holder.get() is asyncio.current_task()


@dataclass(slots=True, kw_only=True)
class Tables:
    """All rows. Deleted images stay as rows; `living` leaves them out."""

    images: dict[ImageId, Image] = field(default_factory=dict)
    renditions: dict[ImageId, tuple[Rendition, ...]] = field(default_factory=dict)
    tags: dict[TagId, Tag] = field(default_factory=dict)
    image_tags: set[tuple[ImageId, TagId]] = field(default_factory=set)
    albums: dict[AlbumId, Album] = field(default_factory=dict)
    album_images: dict[tuple[AlbumId, ImageId], int] = field(default_factory=dict)
    """The place of each image in each album: grows by one, with gaps where images were taken out."""
    offered: set[tuple[AlbumId, ImageId]] = field(default_factory=set)
    """Places that show an image, however private, to those who are shown the album."""
    shares: dict[tuple[AlbumId, UserId], AlbumShare] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    uploads: dict[UploadId, Upload] = field(default_factory=dict)
    claims: dict[tuple[UserId, str], Claim] = field(default_factory=dict)
    answers: dict[tuple[UserId, str, str], bytes] = field(default_factory=dict)
    accounts: dict[UserId, Account] = field(default_factory=dict)
    tokens: dict[TokenId, ApiToken] = field(default_factory=dict)
    passwords: dict[UserId, str] = field(default_factory=dict)
    sessions: dict[SessionId, Session] = field(default_factory=dict)
    share_links: dict[ShareLinkId, ShareLink] = field(default_factory=dict)
    guesses: dict[ShareLinkId, tuple[int, datetime]] = field(default_factory=dict)
    """How many passwords were guessed of a link, and since when."""

    @property
    def living(self) -> dict[ImageId, Image]:
        return {id_: image for id_, image in self.images.items() if image.deleted_at is None}

    def members(self, album_id: AlbumId) -> list[ImageId]:
        """The images of an album in their order."""
        places = {image: place for (album, image), place in self.album_images.items() if album == album_id}
        return sorted(places, key=places.__getitem__)

    def place(self, album_id: AlbumId, image_id: ImageId, place: int) -> None:
        """Puts an image into an album."""
        self.album_images[album_id, image_id] = place

    def offered_to(self, account_id: UserId) -> set[ImageId]:
        """The images that albums of the account, or shared with it, show it."""
        return {
            image_id
            for album_id, image_id in self.offered & self.album_images.keys()
            if self.albums[album_id].owner == account_id or (album_id, account_id) in self.shares
        }

    def sees_image(self, viewer: Viewer, image: Image) -> bool:
        return may_see(viewer, image, is_shared=image.id in self.offered_to(viewer.id))

    def lists_image(self, viewer: Viewer, image: Image) -> bool:
        return may_list(viewer, image, is_shared=image.id in self.offered_to(viewer.id))

    def sees_album(self, viewer: Viewer, album: Album) -> bool:
        return may_see(viewer, album, is_shared=(album.id, viewer.id) in self.shares)

    def lists_album(self, viewer: Viewer, album: Album) -> bool:
        return may_list(viewer, album, is_shared=(album.id, viewer.id) in self.shares)

    def sees_tag(self, viewer: Viewer, tag: Tag) -> bool:
        is_everything = viewer.sight is Sight.EVERYTHING
        return (
            is_everything
            or tag.owner == viewer.id
            or any(
                tag_id == tag.id and self.lists_image(viewer, self.images[image_id])
                for image_id, tag_id in self.image_tags
            )
        )

    def listed_members(self, viewer: Viewer, album_id: AlbumId) -> list[ImageId]:
        """The images of an album in their order, as far as lists have them."""
        return [id_ for id_ in self.members(album_id) if self.lists_image(viewer, self.images[id_])]

    def copy(self) -> Self:
        return type(self)(
            images=dict(self.images),
            renditions=dict(self.renditions),
            tags=dict(self.tags),
            image_tags=set(self.image_tags),
            albums=dict(self.albums),
            album_images=dict(self.album_images),
            offered=set(self.offered),
            shares=dict(self.shares),
            events=list(self.events),
            jobs=list(self.jobs),
            uploads=dict(self.uploads),
            claims=dict(self.claims),
            answers=dict(self.answers),
            accounts=dict(self.accounts),
            tokens=dict(self.tokens),
            passwords=dict(self.passwords),
            sessions=dict(self.sessions),
            share_links=dict(self.share_links),
            guesses=dict(self.guesses),
        )


Change = Callable[[Tables], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitFault:
    """A commit that raises; `kept` says that it succeeded all the same and only its answer was lost."""

    error: Exception
    kept: bool = False


THE_ADMINISTRATOR = Account(
    id=LOCAL_ADMINISTRATOR.id,
    name="administrator",
    kind=AccountKind.PERSON,
    role=Role.ADMINISTRATOR,
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
)
"""Whom migrations put there."""


class MemoryDatabase:
    """What is committed, who holds which row, and which of the next commits fail."""

    def __init__(self) -> None:
        self.committed = Tables(accounts={THE_ADMINISTRATOR.id: THE_ADMINISTRATOR})
        self.locks: defaultdict[Hashable, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.commit_faults: deque[CommitFault | None] = deque()
        """For each of the next commits what goes wrong with it, or None."""
        self.unavailable = False
        self.units_opened = 0


class Transaction:
    """What one unit of work has done so far, seen by nobody else."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self._changes: list[Change] = []
        self._locked: dict[Hashable, asyncio.Lock] = {}
        self._ended = False

    @property
    def tables(self) -> Tables:
        """A copy of what is committed now, with the changes of this transaction."""
        self._check_open()
        tables = self._database.committed.copy()
        for change in self._changes:
            change(tables)
        return tables

    def change(self, change: Change) -> None:
        self._check_open()
        self._changes.append(change)

    async def lock(self, key: Hashable) -> None:
        """Waits until no other transaction holds the key, and holds it until the end."""
        if key not in self._locked:
            lock = self._database.locks[key]
            await lock.acquire()
            self._locked[key] = lock

    def is_free(self, key: Hashable) -> bool:
        """Whether no other transaction holds the key."""
        return key in self._locked or not self._database.locks[key].locked()

    def commit(self) -> None:
        self._database.committed = self.tables
        self.end()

    def end(self) -> None:
        """Forgets what was not committed and lets go of the rows."""
        self._ended = True
        for lock in self._locked.values():
            lock.release()
        self._locked.clear()

    def _check_open(self) -> None:
        if self._ended:
            message = "The transaction is over."
            raise RuntimeError(message)
