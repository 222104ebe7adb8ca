"""The API over HTTP while Valkey is refused, silent or cut off: every answer is right, and none has errors."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from tests.e2e.places import fresh_place
from tests.fault_proxy import FaultProxy
from tests.integration.cache_support import eventually
from tests.integration.live_gallery import LiveGallery, live_gallery
from tests.photographs import jpeg
from tests.services import Services

TITLE = "query ($id: ID!) { image(id: $id) { title tags { name } } }"
PAGE = "{ images(first: 5) { totalCount nodes { title } } }"
UPDATE = """mutation ($id: ID!, $title: String!) {
  updateImage(input: {id: $id, title: $title}) { image { title } errors { code message } }
}"""
NAMED = {"persistedQuery": {"version": 1, "sha256Hash": hashlib.sha256(TITLE.encode()).hexdigest()}}


@pytest.fixture(scope="module")
async def proxy(services: Services) -> AsyncIterator[FaultProxy]:
    async with FaultProxy.to(services.cache_url) as proxy:
        yield proxy


@pytest.fixture(scope="module")
async def gallery(services: Services, migrated_template: str, proxy: FaultProxy) -> AsyncIterator[LiveGallery]:
    async with (
        fresh_place(services, migrated_template, cache_database=2) as place,
        live_gallery(replace(place, cache_url=proxy.url_of(place.cache_url))) as gallery,
    ):
        yield gallery
        await proxy.heal()


async def refuse(proxy: FaultProxy) -> None:
    await proxy.refuse()


async def swallow(proxy: FaultProxy) -> None:
    proxy.black_hole = True


async def reset(proxy: FaultProxy) -> None:
    proxy.resets = True
    proxy.reset_all()


async def reset_once(proxy: FaultProxy) -> None:
    proxy.reset_all()


class Clients:
    """Ask for one image in every way there is, one request at a time each, until told to end."""

    def __init__(self, gallery: LiveGallery, image_id: str) -> None:
        self.answered: Counter[str] = Counter()
        self.ended = asyncio.Event()
        self._http = gallery.api.http
        self._id = image_id
        self._least = 0
        self._ways: dict[str, Callable[[], Awaitable[None]]] = {
            "GET": self._get,
            "POST": self._post,
            "page": self._page,
            "persisted": self._persisted,
            "persisted GET": self._persisted_get,
            "mutation": self._change,
        }

    async def run(self) -> None:
        """Returns when all have ended, and raises at the first answer that is wrong."""

        async def keep_asking(name: str, ask: Callable[[], Awaitable[None]]) -> None:
            while not self.ended.is_set():
                await ask()
                self.answered[name] += 1

        async with asyncio.TaskGroup() as tasks:
            for name, ask in self._ways.items():
                tasks.create_task(keep_asking(name, ask))

    async def go_on(self, times: int) -> None:
        """Waits until each was answered so many times more."""
        before = self.answered.copy()
        await eventually(lambda: all(self.answered[name] >= before[name] + times for name in self._ways))

    async def tell(self) -> None:
        """Makes the persisted query known."""
        data_of(await self._send(query=TITLE, variables={"id": self._id}, extensions=NAMED))

    async def _get(self) -> None:
        await self._read(lambda: self._fetch(query=TITLE))

    async def _post(self) -> None:
        await self._read(lambda: self._send(query=TITLE, variables={"id": self._id}))

    async def _persisted(self) -> None:
        await self._read(lambda: self._send(variables={"id": self._id}, extensions=NAMED))

    async def _persisted_get(self) -> None:
        await self._read(lambda: self._fetch(extensions=json.dumps(NAMED)))

    async def _page(self) -> None:
        known = self._least
        (node,) = data_of(await self._send(query=PAGE))["images"]["nodes"]
        assert int(node["title"]) >= known

    async def _read(self, ask: Callable[[], Awaitable[httpx.Response]]) -> None:
        known = self._least
        image = data_of(await ask())["image"]
        assert image["tags"] == [{"name": "sea"}]
        assert int(image["title"]) >= known

    async def _change(self) -> None:
        title = str(self._least + 1)
        changed = data_of(await self._send(query=UPDATE, variables={"id": self._id, "title": title}))["updateImage"]
        assert changed == {"image": {"title": title}, "errors": []}
        self._least += 1

    async def _send(self, **body: object) -> httpx.Response:
        return await self._http.post("/graphql", json=body)

    async def _fetch(self, **parameters: str) -> httpx.Response:
        variables = json.dumps({"id": self._id})
        return await self._http.get("/graphql", params={"variables": variables, **parameters})


def data_of(answer: httpx.Response) -> Any:  # noqa: ANN401  # any JSON
    assert (answer.status_code, answer.json().get("errors")) == (200, None)
    return answer.json()["data"]


@pytest.mark.parametrize("fault", [refuse, swallow, reset, reset_once])
async def test_no_request_fails_whenever_valkey_breaks(
    gallery: LiveGallery, proxy: FaultProxy, fault: Callable[[FaultProxy], Awaitable[None]]
) -> None:
    cache = gallery.container.cache
    assert cache is not None
    uploaded = await gallery.api.upload("a.jpg", jpeg(40, 30), title="0", tags=["sea"])
    clients = Clients(gallery, uploaded["image"]["id"])
    await clients.tell()
    errors = cache.metrics.errors

    async def break_and_heal() -> None:
        for _ in range(2):
            await clients.go_on(2)
            await fault(proxy)
            await clients.go_on(2)
            await proxy.heal()
            await eventually(lambda: cache.available)
        await clients.go_on(2)
        clients.ended.set()

    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(clients.run())
            tasks.create_task(break_and_heal())
    finally:
        await proxy.heal()
        await eventually(lambda: cache.available)
        await gallery.clear()
    assert cache.metrics.errors > errors or fault is reset_once
