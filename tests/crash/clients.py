"""Clients that go on uploading while their server is killed, and remember what it has acknowledged."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random

import httpx

from tests.e2e.api import Api
from tests.photographs import jpeg

SMALLEST_BYTES = 10 * 1024
LARGEST_BYTES = 40 * 1024 * 1024

_LONGEST_PAUSE_SECONDS = 0.5
_SENT_AGAIN = 0.5


@dataclass(frozen=True, slots=True)
class File:
    """A photograph with noise behind its end, which no decoder minds; no two are alike."""

    content: bytes
    checksum: str

    @classmethod
    def make(cls, randomness: Random) -> File:
        """One of any size between the smallest and the largest, each order of magnitude as likely as the others."""
        size_bytes = int(SMALLEST_BYTES * (LARGEST_BYTES / SMALLEST_BYTES) ** randomness.random())
        photograph = jpeg(randomness.randint(200, 400), randomness.randint(200, 400))
        content = photograph + randomness.randbytes(max(size_bytes - len(photograph), 16))
        return cls(content, hashlib.sha256(content).hexdigest())


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """What the server has promised to keep, and the SHA-256 of what was sent."""

    image_id: str
    checksum: str


class Clients:
    """Some clients of one server, which may be away. What they send comes from the seed alone."""

    def __init__(self, seed: int, count: int) -> None:
        self._randomness = [Random(f"{seed}/{number}") for number in range(count)]  # noqa: S311  # to be repeated
        self._server = asyncio.Event()
        self._ended = False
        self.api = Api("http://127.0.0.1")
        self.acknowledged: list[Acknowledged] = []
        self.refused: Counter[str] = Counter()
        self.unanswered = 0
        self.under_way = 0

    def server_is_at(self, url: str) -> None:
        self.api.http.base_url = httpx.URL(url)
        self._server.set()

    def server_is_away(self) -> None:
        self._server.clear()

    @asynccontextmanager
    async def uploading(self) -> AsyncIterator[None]:
        """Uploads meanwhile; at the end waits for the answers that are still due."""
        try:
            async with asyncio.TaskGroup() as clients:
                for randomness in self._randomness:
                    clients.create_task(self._upload_again_and_again(randomness))
                yield
                self._ended = True
        finally:
            self._ended = True

    async def _upload_again_and_again(self, randomness: Random) -> None:
        file = File.make(randomness)
        while not self._ended:
            await self._server.wait()
            answered = await self._upload(file)
            if answered or randomness.random() >= _SENT_AGAIN:
                file = File.make(randomness)
            await asyncio.sleep(randomness.uniform(0, _LONGEST_PAUSE_SECONDS))

    async def _upload(self, file: File) -> bool:
        """Whether there was an answer. Nothing is known of an upload without one."""
        self.under_way += 1
        try:
            payload = await self.api.upload("photograph.jpg", file.content)
        except httpx.TransportError:
            self.unanswered += 1
            return False
        finally:
            self.under_way -= 1
        if payload["image"] is None:
            self.refused.update(error["code"] for error in payload["errors"])
        else:
            self.acknowledged.append(Acknowledged(payload["image"]["id"], file.checksum))
        return True
