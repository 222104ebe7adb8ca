"""How much of a large file a client has sent when the gallery first calls the storage for it; a case of `upload`."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from http.client import HTTPConnection
from typing import Any

from benchmarks.forms import post
from benchmarks.harness import Place, Store, place
from benchmarks.jpeg_files import Files
from benchmarks.load import HOST, PATIENCE_SECONDS
from benchmarks.processes import MEBIBYTE, Cores, MeasuredProcess, gallery_command, serving
from benchmarks.storage import Sink
from gallery.platform.embedded import S3Endpoint
from gallery.settings import Settings

PARTS = 4
PIECE_BYTES = 64 * 1024
BUFFER_BYTES = 64 * 1024
"""What the client's side of the connection may hold: what it has sent is then what the gallery can have read."""


class Watch:
    """Counts what is sent, and notes the count when the storage is first asked to take a file."""

    def __init__(self) -> None:
        self.sent_bytes = 0
        self.at_first_call: int | None = None

    def passing(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The pieces, cut small; each is counted before it is sent."""
        for piece in pieces:
            for start in range(0, len(piece), PIECE_BYTES):
                cut = piece[start : start + PIECE_BYTES]
                self.sent_bytes += len(cut)
                yield cut

    def called(self) -> None:
        """Says that the storage is called."""
        if self.at_first_call is None:
            self.at_first_call = self.sent_bytes


class WatchedStore:
    """A store that keeps nothing, and tells the watch of the upload at hand when it is to take one."""

    def __init__(self) -> None:
        self.watch = Watch()

    def connection(self) -> Sink:
        """One more connection to it."""
        store = self

        class Connection(Sink):
            def data_received(self, data: bytes) -> None:
                if data.startswith(b"POST "):  # an upload, and no look at whether the store is there
                    store.watch.called()
                super().data_received(data)

        return Connection()


@asynccontextmanager
async def watched_gallery(here: Place, store: WatchedStore) -> AsyncIterator[MeasuredProcess]:
    """A gallery on the store, which is in this process."""
    server = await asyncio.get_running_loop().create_server(store.connection, HOST, 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        s3 = S3Endpoint(endpoint_url=f"http://{HOST}:{port}", access_key_id="key", secret_access_key="secret")  # noqa: S106  # no secret
        settings = replace(here, endpoints=replace(here.endpoints, s3=s3)).gallery_settings()
        async with serving(gallery_command(settings), here.folder / "first-call", here.cores.server) as gallery:
            yield gallery


def upload(port: int, files: Files, watch: Watch) -> None:
    """Uploads a file; the client's own buffer is small."""
    connection = HTTPConnection(HOST, port, timeout=PATIENCE_SECONDS)
    connection.connect()
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
    try:
        post(connection, [files.another()], files.size_bytes, as_list=False, passing=watch.passing)
    finally:
        connection.close()


async def measure_first_call(cores: Cores | None, rounds: int) -> dict[str, Any]:
    """Uploads files of several parts one after the other; prints what had been sent, in parts, and gives it."""
    part_bytes = Settings().storage.part_size_bytes
    files, store = Files(PARTS * part_bytes), WatchedStore()
    sent_bytes = []
    async with place(Store.SINK, cores) as here, watched_gallery(here, store) as gallery:
        for _ in range(rounds):
            store.watch = Watch()
            await asyncio.to_thread(upload, gallery.port, files, store.watch)
            assert store.watch.at_first_call is not None
            sent_bytes.append(store.watch.at_first_call)
    title = f"first call to the storage for a file of {PARTS} parts of {part_bytes // MEBIBYTE} MiB, {rounds} rounds"
    ratios = sorted(sent / part_bytes for sent in sent_bytes)
    print(f"\n{title}")
    print(f"  sent by then : part = {ratios[len(ratios) // 2]:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")
    return {"title": title, "part_bytes": part_bytes, "sent_bytes": sent_bytes}
