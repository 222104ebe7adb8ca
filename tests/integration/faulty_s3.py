"""A real S3 with errors in the place of some of its answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from io import BytesIO

import aiohttp
from aiohttp import web
from yarl import URL

from tests.integration.scripted_s3 import Answer, http_server, operation_of

_OF_ONE_CONNECTION = frozenset({"connection", "expect", "keep-alive", "transfer-encoding"})


@dataclass(slots=True, kw_only=True)
class FaultyS3:
    """Passes every call on, except those for which the script has something else, used one by one."""

    endpoint_url: str
    session: aiohttp.ClientSession
    url: str = ""
    operations: list[str] = field(default_factory=list)
    script: dict[str, list[Answer]] = field(default_factory=dict)

    def answers(self, operation: str, answers: Iterable[Answer]) -> None:
        self.script[operation] = list(answers)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        operation = operation_of(request)
        body = await request.read()
        self.operations.append(operation)
        if answers := self.script.get(operation):
            return answers.pop(0)(request)
        return await self._pass_on(request, body)

    async def _pass_on(self, request: web.Request, body: bytes) -> web.Response:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _OF_ONE_CONNECTION}
        url = URL(f"{self.endpoint_url}{request.raw_path}", encoded=True)
        async with self.session.request(request.method, url, headers=headers, data=BytesIO(body)) as answer:
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in _OF_ONE_CONNECTION}
            return web.Response(status=answer.status, headers=kept, body=await answer.read())


@asynccontextmanager
async def faulty_s3(endpoint_url: str) -> AsyncIterator[FaultyS3]:
    """Such a server in front of the one at `endpoint_url`."""
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        store = FaultyS3(endpoint_url=endpoint_url.rstrip("/"), session=session)
        async with http_server(store.handle) as store.url:
            yield store
