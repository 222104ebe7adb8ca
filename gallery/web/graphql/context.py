"""What a resolver gets to know of its request."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import strawberry

from gallery.domain.access import Viewer
from gallery.domain.ports import AlbumReader, ImageReader, TagReader
from gallery.services.albums import AlbumService
from gallery.services.idempotency import IdempotencyService
from gallery.services.images import ImageService
from gallery.services.staged_uploads import StagedUploadService
from gallery.services.sweep import SweepService
from gallery.services.tags import TagService
from gallery.services.uploads import UploadService
from gallery.web.graphql.loaders import Loaders


@dataclass(frozen=True, slots=True, kw_only=True)
class UseCases:
    """What resolvers may call: the readers for queries, the services for mutations."""

    image_reader: ImageReader
    tag_reader: TagReader
    album_reader: AlbumReader
    images: ImageService
    tags: TagService
    albums: AlbumService
    uploads: UploadService
    staged_uploads: StagedUploadService
    idempotency: IdempotencyService
    sweep: SweepService


@dataclass(kw_only=True)
class Context:
    """One request: who asks, what may be called, and the loaders that batch its reads.

    `base_url` is the address under which the client reaches the gallery, without a slash at the end.
    """

    viewer: Viewer
    use_cases: UseCases
    base_url: str
    request_id: str

    @cached_property
    def loaders(self) -> Loaders:
        """Batches and remembers reads until something is written."""
        return Loaders(self.viewer, self.use_cases.image_reader, self.use_cases.tag_reader, self.use_cases.album_reader)

    def forget_reads(self) -> None:
        """Drops what was read: a mutation changed it."""
        self.__dict__.pop("loaders", None)


Info = strawberry.Info[Context, None]
