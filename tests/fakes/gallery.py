"""The services wired to the fakes, as the container wires them to the adapters."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

import pytest
import stamina

from gallery.domain.albums import Album
from gallery.domain.events import Event, EventKind, JsonValue
from gallery.domain.ids import ImageId, UserId
from gallery.domain.images import Image
from gallery.domain.jobs import Job
from gallery.domain.tags import Tag
from gallery.platform.counters import LocalCounters
from gallery.platform.processed import LocalProcessedImages
from gallery.services.abandoned_uploads import AbandonedUploads
from gallery.services.account_administration import AccountAdministrationService
from gallery.services.accounts import AccountService
from gallery.services.albums import AlbumService
from gallery.services.attempts import Attempts
from gallery.services.authentication import Authenticator, forgetting_tokens
from gallery.services.heartbeat import Heartbeat
from gallery.services.idempotency import IdempotencyService, IdempotencyTiming
from gallery.services.images import ImageService
from gallery.services.imports import ImportService
from gallery.services.intents import Intents
from gallery.services.link_openings import LinkOpenings
from gallery.services.link_passwords import LinkPasswords
from gallery.services.passwords import PasswordService
from gallery.services.people import People
from gallery.services.recording import Recorder
from gallery.services.renditions import RenditionService
from gallery.services.session_directory import SessionDirectory, forgetting_sessions
from gallery.services.sessions import SessionService
from gallery.services.share_links import ShareLinkService
from gallery.services.shared_content import SharedContents
from gallery.services.shares import ShareService
from gallery.services.signing_in import SessionTerms, SigningIn
from gallery.services.staged_checks import StagedFileCheck
from gallery.services.staged_completion import StagedCompletion
from gallery.services.staged_uploads import StagedUploadService
from gallery.services.staging import StagingLimits
from gallery.services.storage_comparison import StorageComparison
from gallery.services.sweep import SweepService
from gallery.services.tags import TagService
from gallery.services.token_directory import TokenDirectory
from gallery.services.tokens import TokenService
from gallery.services.uploads import UploadLimits, UploadService
from tests.entities import NOON
from tests.fakes.accounts import MemoryAccountReader
from tests.fakes.albums import MemoryAlbumReader
from tests.fakes.claims import MemoryAnswerStore
from tests.fakes.clock import StandingClock
from tests.fakes.database import MemoryDatabase, Tables
from tests.fakes.images import MemoryImageReader
from tests.fakes.imaging import ObedientInspector, ObedientRenderer, ObedientVerifier
from tests.fakes.jobs import MemoryHeldJobs
from tests.fakes.metrics import MemoryUploadMetrics
from tests.fakes.named_objects import MemoryNamedObjects
from tests.fakes.progress import MemoryProgressBoard
from tests.fakes.sessions import MemorySessionReader, PlainHasher
from tests.fakes.share_links import MemoryLinkedImageReader, MemoryShareLinkReader
from tests.fakes.storage import MemoryObject, MemoryObjectStorage, MemoryStorageInventory, MemoryStoragePaths
from tests.fakes.storage_reports import MemoryLastReports
from tests.fakes.unit_of_work import memory_units_of_work
from tests.fakes.uploads import MemoryIntentStore

MAX_FILE_SIZE_BYTES = 100
HEAD_BYTES = 10
PART_SIZE_BYTES = 40
MAX_OPEN_UPLOADS = 5
MAX_OPEN_BYTES = 400
SESSION_TERMS = SessionTerms(ttl=timedelta(days=7), idle=timedelta(hours=24))
QUICK = IdempotencyTiming(patience_seconds=0, first_pause_seconds=0, longest_pause_seconds=0)
AT_ONCE = stamina.AsyncRetryingCaller(attempts=3, wait_initial=0, wait_jitter=0)
TURNS_OF_THE_LOOP = 50  # far more than any use case takes in memory

E = TypeVar("E", bound=BaseException)


class MemoryGallery:
    def __init__(self) -> None:
        self.database = MemoryDatabase()
        self.clock = StandingClock(NOON)
        self.account_reader = MemoryAccountReader(self.database)
        self.directory = TokenDirectory(self.account_reader, pause_seconds=0, clock=self.clock.monotonic)
        self.storage = MemoryObjectStorage(self.clock)
        self.inventory = MemoryStorageInventory(self.storage)
        self.named_objects = MemoryNamedObjects(self.database)
        self.answers = MemoryAnswerStore(self.database)
        self.progress = MemoryProgressBoard()
        self.processed = LocalProcessedImages()
        self.inspector = ObedientInspector()
        self.renderer = ObedientRenderer()
        self.verifier = ObedientVerifier()
        self.heard: list[Sequence[Event]] = []
        """What the listener was told, one entry for each commit with events."""
        self.session_reader = MemorySessionReader(self.database)
        self.session_directory = SessionDirectory(self.session_reader, pause_seconds=0, clock=self.clock.monotonic)
        self.unit_of_work = memory_units_of_work(
            self.database,
            on_commit=forgetting_tokens(self.directory, forgetting_sessions(self.session_directory, self._hear)),
        )
        self.accounts = AccountService(self.account_reader)
        self.tokens = TokenService(self.unit_of_work, self.account_reader, self.clock)
        self.authenticator = Authenticator(
            self.directory, self.unit_of_work, self.clock, sessions=self.session_directory, terms=SESSION_TERMS
        )
        self.hasher = PlainHasher()
        self.counters = LocalCounters(clock=self.clock.monotonic)
        self.attempts = Attempts(self.counters, self.clock)
        self.signing_in = SigningIn(
            self.unit_of_work, self.session_reader, self.hasher, self.attempts, SESSION_TERMS, self.clock
        )
        self.sessions = SessionService(
            self.unit_of_work, self.session_reader, self.account_reader, SESSION_TERMS, self.clock
        )
        self.passwords = PasswordService(self.unit_of_work, self.hasher, self.attempts, self.clock)
        self.administration = AccountAdministrationService(
            self.unit_of_work, self.session_reader, self.hasher, self.clock
        )
        self.people = People(
            signing_in=self.signing_in,
            sessions=self.sessions,
            passwords=self.passwords,
            administration=self.administration,
        )
        self.images = ImageService(self.unit_of_work, self.clock)
        self.tags = TagService(self.unit_of_work, self.clock)
        self.albums = AlbumService(self.unit_of_work, self.clock)
        self.shares = ShareService(self.unit_of_work, self.clock)
        self.heartbeat = Heartbeat(self.unit_of_work, interval_seconds=3600, clock=self.clock)
        self.recorder = Recorder(self.unit_of_work, clock=self.clock, persistence=AT_ONCE)
        self.intents = Intents(
            self.unit_of_work,
            MemoryIntentStore(self.unit_of_work),
            paths=MemoryStoragePaths(),
            heartbeat=self.heartbeat,
            clock=self.clock,
        )
        self.metrics = MemoryUploadMetrics()
        self.uploads = UploadService(
            unit_of_work=self.unit_of_work,
            storage=self.storage,
            inspector=self.inspector,
            verifier=self.verifier,
            intents=self.intents,
            recorder=self.recorder,
            limits=UploadLimits(max_file_size_bytes=MAX_FILE_SIZE_BYTES, head_bytes=HEAD_BYTES),
            metrics=self.metrics,
        )
        self.staged_uploads = self.new_staged_uploads()
        self.idempotency = IdempotencyService(
            self.unit_of_work, heartbeat=self.heartbeat, timing=QUICK, clock=self.clock
        )
        self.held_jobs = MemoryHeldJobs()
        self.last_reports = MemoryLastReports()
        self.sweep = SweepService(
            comparison=StorageComparison(
                unit_of_work=self.unit_of_work,
                storage=self.storage,
                inventory=self.inventory,
                named_objects=self.named_objects,
                paths=MemoryStoragePaths(),
                clock=self.clock,
            ),
            abandoned=AbandonedUploads(
                unit_of_work=self.unit_of_work,
                staging=self.storage,
                inventory=self.inventory,
                named_objects=self.named_objects,
                paths=MemoryStoragePaths(),
                clock=self.clock,
            ),
            held_jobs=self.held_jobs,
            last_reports=self.last_reports,
            clock=self.clock,
        )
        self.shared_images = MemoryImageReader(self.database)
        self.link_reader = MemoryShareLinkReader(self.database)
        self.share_links = ShareLinkService(
            self.unit_of_work,
            self.link_reader,
            self.hasher,
            self.clock,
        )
        self.shared = self.new_shared()
        self.imports = ImportService(MemoryImageReader(self.database), self.uploads)
        self.renditions = RenditionService(
            unit_of_work=self.unit_of_work,
            storage=self.storage,
            paths=MemoryStoragePaths(),
            renderer=self.renderer,
            clock=self.clock,
        )

    def new_shared(self) -> SharedContents:
        """What strangers see as another process shows it."""
        return SharedContents(
            self.link_reader,
            self.shared_images,
            MemoryAlbumReader(self.database),
            MemoryLinkedImageReader(self.database),
            passwords=LinkPasswords(self.unit_of_work, self.hasher, clock=self.clock.monotonic),
            openings=LinkOpenings(self.unit_of_work, pause_seconds=0),
            clock=self.clock,
        )

    def new_staged_uploads(self) -> StagedUploadService:
        """The use cases as another process has them: what is shared within one is not shared with these."""
        return StagedUploadService(
            unit_of_work=self.unit_of_work,
            staging=self.storage,
            paths=MemoryStoragePaths(),
            completion=StagedCompletion(
                unit_of_work=self.unit_of_work,
                staging=self.storage,
                check=StagedFileCheck(
                    storage=self.storage, inspector=self.inspector, verifier=self.verifier, head_bytes=HEAD_BYTES
                ),
                recorder=self.recorder,
                metrics=self.metrics,
                clock=self.clock,
            ),
            limits=StagingLimits(
                max_file_size_bytes=MAX_FILE_SIZE_BYTES,
                part_size_bytes=PART_SIZE_BYTES,
                max_open_uploads=MAX_OPEN_UPLOADS,
                max_open_bytes=MAX_OPEN_BYTES,
            ),
            clock=self.clock,
        )

    @property
    def tables(self) -> Tables:
        """What is committed."""
        return self.database.committed

    @property
    def events(self) -> list[Event]:
        return self.tables.events

    @property
    def jobs(self) -> list[Job]:
        return self.tables.jobs

    @property
    def history(self) -> list[tuple[EventKind, UUID, UserId, datetime, Mapping[str, JsonValue]]]:
        """The events without their ids, which are new each time."""
        return [(event.kind, event.entity_id, event.actor, event.occurred_at, event.payload) for event in self.events]

    def holds(self, *entities: Image | Tag | Album) -> None:
        """Puts entities into the gallery, without events or jobs."""
        for entity in entities:
            match entity:
                case Image():
                    self.tables.images[entity.id] = entity
                    self.storage.objects[entity.storage_path] = MemoryObject(
                        content=entity.id.bytes, content_type=entity.content_type
                    )
                case Tag():
                    self.tables.tags[entity.id] = entity
                case Album():
                    self.tables.albums[entity.id] = entity

    def put_in_album(self, album: Album, *images: Image, by: UserId | None = None) -> None:
        """Puts images at the end of an album in the name of an account, or of its owner, without an event."""
        first = len(self.tables.members(album.id)) + 1
        for place, image in enumerate(images, start=first):
            self.tables.place(album.id, image.id, place)
            if image.owner == (by or album.owner):
                self.tables.offered.add((album.id, image.id))

    def put_tags(self, image: Image, *tags: Tag) -> None:
        """Gives an image tags, without an event."""
        self.tables.image_tags.update((image.id, tag.id) for tag in tags)

    def album_of(self, album: Album) -> list[ImageId]:
        """The images of an album in their order."""
        return self.tables.members(album.id)

    def state(self) -> tuple[Tables, dict[str, MemoryObject]]:
        """Everything that is stored, to be compared later."""
        return self.tables.copy(), dict(self.storage.objects)

    async def everybody_waits(self) -> None:
        """Lets all other tasks run until they wait for something that only the test can give them."""
        for _ in range(TURNS_OF_THE_LOOP):
            await asyncio.sleep(0)

    @contextmanager
    def refuses(self, error: type[E]) -> Iterator[pytest.ExceptionInfo[E]]:
        """Shows that the error is raised and that everything stays as it was."""
        before, heard = self.state(), list(self.heard)
        with pytest.raises(error) as refusal:
            yield refusal
        assert self.state() == before
        assert self.heard == heard

    async def _hear(self, events: Sequence[Event]) -> None:
        if events:
            self.heard.append(tuple(events))
