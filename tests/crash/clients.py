"""Clients that go on uploading while their server is killed, and remember what it has acknowledged."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random

import httpx

from tests.crash.files import File, NoAnswerError, RefusedError, upload_staged, upload_streamed
from tests.e2e.api import Api

_LONGEST_PAUSE_SECONDS = 0.5
_PAUSE_AFTER_SILENCE_SECONDS = 0.1
_SENT_AGAIN = 0.5
_STAGED = 0.3


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """What the server has promised to keep, and the SHA-256 of what was sent."""

    image_id: str
    checksum: str
    staged: bool


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
        async with asyncio.TaskGroup() as clients:
            for randomness in self._randomness:
                clients.create_task(self._upload_again_and_again(randomness))
            yield
            self._ended = True

    async def _upload_again_and_again(self, randomness: Random) -> None:
        file = File.make(randomness)
        while not self._ended:
            await self._server.wait()
            answered = await self._upload(file, staged=randomness.random() < _STAGED)
            if answered or randomness.random() >= _SENT_AGAIN:
                file = File.make(randomness)
            await asyncio.sleep(randomness.uniform(0, _LONGEST_PAUSE_SECONDS))

    async def _upload(self, file: File, *, staged: bool) -> bool:
        """Whether there was an answer."""
        self.under_way += 1
        try:
            uploading = (
                upload_staged(self.api, file, self._until_answered) if staged else upload_streamed(self.api, file)
            )
            self.acknowledged.append(Acknowledged(await uploading, file.checksum, staged))
        except NoAnswerError:
            self.unanswered += 1
            return False
        except RefusedError as error:
            self.refused[str(error)] += 1
        finally:
            self.under_way -= 1
        return True

    async def _until_answered(self, ask: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
        while True:
            await self._server.wait()
            try:
                return await ask()
            except httpx.TransportError:
                self.unanswered += 1
                await asyncio.sleep(_PAUSE_AFTER_SILENCE_SECONDS)
