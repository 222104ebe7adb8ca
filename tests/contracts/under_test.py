"""What contracts are tested on: an implementation of the ports, and a way to look behind it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from gallery.domain.account_ports import AccountReader
from gallery.domain.albums import Album
from gallery.domain.events import Event
from gallery.domain.idempotency import Claim
from gallery.domain.images import Image
from gallery.domain.jobs import Job
from gallery.domain.ports import (
    AlbumReader,
    CommitListener,
    ImageReader,
    ObjectStorage,
    TagReader,
    UnitOfWorkFactory,
)
from gallery.domain.session_ports import SessionReader
from gallery.domain.share_link_ports import LinkedImageReader, ShareLinkReader
from gallery.domain.tags import Tag
from gallery.domain.upload_ports import AnswerStore, NamedObjects, StagingStorage, StorageInventory
from gallery.domain.uploads import Upload
from gallery.services.storage_report import LastReports


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    unit_of_work: UnitOfWorkFactory
    images: ImageReader
    tags: TagReader
    albums: AlbumReader
    accounts: AccountReader
    sessions: SessionReader
    share_links: ShareLinkReader
    linked: LinkedImageReader
    answers: AnswerStore
    named_objects: NamedObjects
    last_reports: LastReports
    events: Callable[[], Awaitable[list[Event]]]
    """The events that are committed, in the order of recording."""
    jobs: Callable[[], Awaitable[list[Job]]]
    """The jobs that a worker sees, in the order of asking."""
    told: list[Sequence[Event]]
    """What the listener was told, one entry for each commit."""

    async def store(
        self,
        *entities: Image | Tag | Album | Upload | Claim,
        tagged: Mapping[Tag, Sequence[Image]] | None = None,
        held: Mapping[Album, Sequence[Image]] | None = None,
    ) -> None:
        """Commits entities, then which images have a tag, then what albums hold, put there by their owners."""
        async with self.unit_of_work() as work:
            for entity in entities:
                match entity:
                    case Image():
                        await work.images.add(entity)
                    case Tag():
                        await work.tags.add_missing([entity])
                    case Album():
                        await work.albums.add(entity)
                    case Upload():
                        await work.uploads.add(entity)
                    case Claim():
                        await work.claims.take(entity, abandoned_before=entity.touched_at, now=entity.touched_at)
            for tag, images in (tagged or {}).items():
                await work.tags.attach([image.id for image in images], [tag.id])
            for album, images in (held or {}).items():
                await work.albums.append(album.id, [image.id for image in images], offered_by=[album.owner])
            await work.commit()
        self.told.clear()

    async def save(self, image: Image) -> None:
        """Commits a changed image."""
        async with self.unit_of_work() as work:
            await work.images.save(image)
            await work.commit()


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    storage: ObjectStorage
    part_size_bytes: int
    """From which size on an object is sent in parts; parts of others are as large, but for the last one."""
    staging: StagingStorage
    inventory: StorageInventory
    send_part: Callable[[str, str, int, bytes], Awaitable[bool]]
    """What a client does with the URL of a part, given path, upload, number and content; whether it was taken."""
    leftovers: Callable[[], Awaitable[set[str]]]
    """The paths of all objects, whole or begun."""


@dataclass(slots=True)
class Told:
    """A listener that keeps what it is told."""

    commits: list[Sequence[Event]] = field(default_factory=list)

    @property
    def listener(self) -> CommitListener:
        return self._listen

    async def _listen(self, events: Sequence[Event]) -> None:
        self.commits.append(tuple(events))
