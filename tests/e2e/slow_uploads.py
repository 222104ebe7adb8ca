"""Uploads over a bare socket, byte by byte if need be: what is sent when, and what is not."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from tests.graphql_server import RawConnection, Reply
from tests.multipart_bodies import BOUNDARY, END, file_map, operations

_BLOCK_BYTES = 1024 * 1024
_HEADERS = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="0"; filename="long.jpg"\r\n\r\n'.encode()


class LongFile:
    """A photograph with any number of bytes behind its end, which no decoder minds; made while it is read."""

    def __init__(self, photograph: bytes, size_bytes: int) -> None:
        self._photograph = photograph
        self.size_bytes = size_bytes

    def blocks(self) -> Iterator[bytes]:
        """The content, a mebibyte at a time; no two blocks are alike."""
        yield self._photograph
        left = self.size_bytes - len(self._photograph)
        for number in range(-(-left // _BLOCK_BYTES)):
            block = hashlib.sha256(str(number).encode()).digest() * (_BLOCK_BYTES // 32)
            yield block[: left - number * _BLOCK_BYTES]

    @property
    def checksum(self) -> str:
        digest = hashlib.sha256()
        for block in self.blocks():
            digest.update(block)
        return digest.hexdigest()


class SlowUpload:
    """An `uploadImage` whose file is sent when the test says so."""

    def __init__(self, connection: RawConnection, file: LongFile) -> None:
        self._connection = connection
        self._blocks = file.blocks()

    async def send(self, blocks: int) -> None:
        """Sends so many blocks more."""
        for _ in range(blocks):
            await self._connection.send(next(self._blocks))

    async def send_rest(self) -> Reply:
        """Sends what is left; the answer."""
        for block in self._blocks:
            await self._connection.send(block)
        await self._connection.send(b"\r\n" + END)
        return await self._connection.reply()

    def go_away(self) -> None:
        """Cuts the connection without a word."""
        self._connection.abort()


@asynccontextmanager
async def slow_upload(url: str, file: LongFile) -> AsyncIterator[SlowUpload]:
    """Begins an upload: everything before the first byte of the file is sent."""
    host = urlsplit(url).netloc
    reader, writer = await asyncio.open_connection(*host.split(":"))
    head = operations() + file_map() + _HEADERS
    length = len(head) + file.size_bytes + len(b"\r\n" + END)
    try:
        connection = RawConnection(reader, writer)
        await connection.send_head(Host=host, Content_Length=str(length))
        await connection.send(head)
        yield SlowUpload(connection, file)
    finally:
        writer.close()
