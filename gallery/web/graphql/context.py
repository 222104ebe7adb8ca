"""What a resolver gets to know of its request."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import strawberry

from gallery.domain.access import Right, Viewer, require
from gallery.domain.ports import AlbumReader, ImageReader, TagReader
from gallery.domain.processing_ports import ProcessedImages
from gallery.domain.records import Fields, Records, RecordsOf
from gallery.domain.upload_ports import AnswerStore, ProgressBoard
from gallery.services.accounts import AccountService
from gallery.services.albums import AlbumService
from gallery.services.authentication import Authenticator
from gallery.services.idempotency import IdempotencyService
from gallery.services.images import ImageService
from gallery.services.people import People
from gallery.services.share_links import ShareLinkService
from gallery.services.shared_content import SharedContents
from gallery.services.shares import ShareService
from gallery.services.staged_uploads import StagedUploadService
from gallery.services.sweep import SweepService
from gallery.services.tags import TagService
from gallery.services.tokens import TokenService
from gallery.services.uploads import UploadService
from gallery.web.graphql.lazily import made_once
from gallery.web.graphql.loaders import Loaders


@dataclass(frozen=True, slots=True, kw_only=True)
class UseCases:
    """What resolvers may call: the readers for queries, the services for mutations, and those who tell of both.

    `records` reads what is shown of images, tags and albums; the readers read them whole, and count.
    `progress` tells of uploads, `processed` of images. `answers` are those that were sent under idempotency
    keys. `sweep_grace` is what the sweep leaves alone.
    """

    records: RecordsOf
    image_reader: ImageReader
    tag_reader: TagReader
    album_reader: AlbumReader
    images: ImageService
    tags: TagService
    albums: AlbumService
    shares: ShareService
    uploads: UploadService
    staged_uploads: StagedUploadService
    idempotency: IdempotencyService
    answers: AnswerStore
    progress: ProgressBoard
    processed: ProcessedImages
    sweep: SweepService
    sweep_grace: timedelta
    accounts: AccountService
    tokens: TokenService
    authenticator: Authenticator
    people: People
    share_links: ShareLinkService
    shared: SharedContents


@dataclass(kw_only=True)
class Context:
    """One request: who asks, what may be called, and the loaders that batch its reads.

    `base_url` is the address under which the client reaches the gallery, without a slash at the end. `file_bytes` is
    about how large the only file of the request is, if anybody knows. `idempotency_key` is the one in the headers.

    `fields` are those of records that the operation looks at; None if nobody knows.

    Resolvers set `answer_key`, under which the answer is kept, and `has_user_errors` if they tell of any in payloads.
    """

    viewer: Viewer
    use_cases: UseCases
    base_url: str
    request_id: str
    file_bytes: int | None = None
    idempotency_key: str | None = None
    fields: Fields | None = None
    answer_key: str | None = None
    has_user_errors: bool = False

    @property
    def records(self) -> Records:
        """Who reads what the operation shows."""
        return self.use_cases.records(self.fields)

    @property
    def loaders(self) -> Loaders:
        """Batches and remembers reads until something is written.

        Raises:
            ForbiddenError: for who may not read: what a mutation answers with leads to everything else.
        """
        require(self.viewer, Right.READ)
        return self.loaders_of_own

    @made_once
    def loaders_of_own(self) -> Loaders:
        """The same for what the viewer has made by an earlier request, and may see as they did then."""
        cases = self.use_cases
        return Loaders(self.viewer, self.records, cases.image_reader, cases.tag_reader, cases.album_reader)

    def forget_reads(self) -> None:
        """Drops what was read: a mutation changed it."""
        self.__dict__.pop("loaders_of_own", None)


Info = strawberry.Info[Context, None]
