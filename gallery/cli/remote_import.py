"""`gallery import --to`: the files go to a running gallery over HTTP."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from stamina.instrumentation import RetryDetails, set_on_retry_hooks
from yarl import URL

from gallery.cli.import_bar import ImportBar
from gallery.client.api import GalleryApi
from gallery.client.errors import GoneError
from gallery.client.files import SourceFile
from gallery.client.http import http_session
from gallery.client.importing import FileResult, Import, Outcome
from gallery.client.patience import Patience
from gallery.client.sending import SaidOfAll

_ENDPOINT = "graphql"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteImport:
    """A folder, and the gallery that it goes to."""

    url: URL
    folder: Path
    tags: tuple[str, ...]
    parallel: int
    patience_seconds: float
    token: str | None

    async def run(self, files: Sequence[SourceFile], album: str | None) -> int:
        """Sends the files; the exit code."""
        with ImportBar(files=len(files), total_bytes=sum(file.size_bytes for file in files)) as bar:
            set_on_retry_hooks([lambda retry: _tell(retry, bar)])
            async with http_session() as session:
                api = GalleryApi(session, self.url, Patience(self.patience_seconds), self.token)
                album_id = None if album is None else await self._album(api, album)
                said = SaidOfAll(tags=self.tags, album_id=album_id)
                await Import(api, said, _Watcher(bar), parallel=self.parallel).run(files)
        return bar.report(Outcome, refused=Outcome.REFUSED)

    async def _album(self, api: GalleryApi, title: str) -> str:
        """The id of a new album; for a day, the same folder and title find it again."""
        request = f"{self.folder.resolve()}\n{title}"
        key = f"import-album-{hashlib.sha256(request.encode()).hexdigest()}"
        try:
            return await api.create_album({"title": title, "idempotencyKey": key})
        except GoneError:
            return await api.create_album({"title": title, "idempotencyKey": str(uuid4())})


class _Watcher:
    """Tells the bar what the client tells."""

    def __init__(self, bar: ImportBar) -> None:
        self._bar = bar

    def moved(self, size_bytes: int) -> None:
        self._bar.moved(size_bytes)

    def done(self, result: FileResult) -> None:
        self._bar.file_done(result.file.filename, result.outcome, result.reason)


def gallery_url(address: str) -> URL | None:
    """The GraphQL endpoint of the gallery at an address, which may be the endpoint's own; None if it is no address."""
    try:
        url = URL(address)
    except ValueError:
        return None
    if url.scheme not in {"http", "https"} or not url.host:
        return None
    return url if url.name == _ENDPOINT else url / _ENDPOINT


def _tell(retry: RetryDetails, bar: ImportBar) -> None:
    bar.waits(str(retry.caused_by))
