"""Many files at once: those that are there already are not sent, those refused do not stop others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Protocol

from gallery.client.api import MAX_ITEMS, GalleryApi
from gallery.client.errors import RefusedError
from gallery.client.files import Meter, SourceFile
from gallery.client.sending import SaidOfAll, Sender
from gallery.client.tasks import for_each
from gallery.domain.errors import RefusedFileError, UploadInterruptedError

_BATCH_BYTES = 256 * 1024 * 1024


@unique
class Outcome(StrEnum):
    """What became of a file."""

    IMPORTED = "imported"
    EXISTING = "existing"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileResult:
    """What became of one file: the image that it is now, or why it is none."""

    file: SourceFile
    outcome: Outcome
    image_id: str | None = None
    reason: str | None = None


class Watcher(Protocol):
    """Is told how an import goes on."""

    def moved(self, size_bytes: int) -> None:
        """So many bytes are done with; fewer than none if some were lost."""
        ...

    def done(self, result: FileResult) -> None:
        """A file is done with."""
        ...


class Import:
    """Brings files into a gallery. Those that are there already get the tags and the album, too."""

    def __init__(self, api: GalleryApi, said: SaidOfAll, watcher: Watcher, *, parallel: int) -> None:
        self._api = api
        self._said = said
        self._sender = Sender(api, said)
        self._watcher = watcher
        self._parallel = parallel

    async def run(self, files: Sequence[SourceFile]) -> None:
        """Imports the files; the watcher hears what becomes of each.

        Raises:
            ClientError: if the gallery or its storage is out of reach for too long, or no gallery; what has arrived
                stays, and another run goes on from there.
        """
        for batch in batches(files):
            same = await self._by_checksum(batch)
            known = await self._api.images_by_checksums(list(same)) if same else {}
            await self._say_of_existing(list(known.values()))
            for checksum, image_id in known.items():
                self._all_exist(same.pop(checksum), image_id)
            await for_each(same.items(), self._send_first, at_once=self._parallel)

    async def _by_checksum(self, batch: Sequence[SourceFile]) -> dict[str, list[SourceFile]]:
        """The files that can be read, those with the same bytes together."""
        checksums: dict[SourceFile, str] = {}

        async def look_at(file: SourceFile) -> None:
            try:
                checksums[file] = await file.checksum()
            except UploadInterruptedError as error:
                self._refuse([file], error.message)

        await for_each(batch, look_at, at_once=self._parallel)
        same: dict[str, list[SourceFile]] = {}
        for file in filter(checksums.__contains__, batch):
            same.setdefault(checksums[file], []).append(file)
        return same

    async def _say_of_existing(self, image_ids: Sequence[str]) -> None:
        if image_ids and self._said.tags:
            await self._api.tag_images(image_ids, self._said.tags)
        if image_ids and self._said.album_id is not None:
            await self._api.add_images_to_album(self._said.album_id, image_ids)

    async def _send_first(self, same: tuple[str, list[SourceFile]]) -> None:
        """Sends one of several files with the same bytes: what becomes of it becomes of all."""
        checksum, files = same
        meter = Meter(files[0].size_bytes, self._watcher.moved)
        try:
            stored = await self._sender.send(files[0], checksum, meter)
        except RefusedError as error:
            self._refuse(files, str(error), meter)
        except (RefusedFileError, UploadInterruptedError) as error:
            self._refuse(files, error.message, meter)
        else:
            outcome = Outcome.IMPORTED if stored.created else Outcome.EXISTING
            self._done(FileResult(file=files[0], outcome=outcome, image_id=stored.id), meter)
            self._all_exist(files[1:], stored.id)

    def _all_exist(self, files: Sequence[SourceFile], image_id: str) -> None:
        for file in files:
            self._done(FileResult(file=file, outcome=Outcome.EXISTING, image_id=image_id))

    def _refuse(self, files: Sequence[SourceFile], reason: str, meter: Meter | None = None) -> None:
        for file in files:
            self._done(FileResult(file=file, outcome=Outcome.REFUSED, reason=reason), meter)
            meter = None

    def _done(self, result: FileResult, meter: Meter | None = None) -> None:
        (meter or Meter(result.file.size_bytes, self._watcher.moved)).finish()
        self._watcher.done(result)


def batches(files: Iterable[SourceFile]) -> Iterator[list[SourceFile]]:
    """The files in their order, as many together as one question may name, and hashed in a second or so."""
    batch: list[SourceFile] = []
    for file in files:
        if len(batch) == MAX_ITEMS or sum(one.size_bytes for one in batch) > _BATCH_BYTES:
            yield batch
            batch = []
        batch.append(file)
    if batch:
        yield batch
