"""The web application as a whole: every address, and what its answers have in common."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest

from gallery.domain.errors import UnavailableError
from gallery.domain.metrics import NoMetrics
from gallery.domain.records import Records
from gallery.settings import ServerSettings, Settings
from gallery.web.app import WebParts, create_web_app
from gallery.web.graphql.context import UseCases
from gallery.web.graphql.schema import schema_text
from gallery.web.media_urls import original_url
from gallery.web.metrics import Counting
from tests.entities import an_image
from tests.fakes.albums import MemoryAlbumReader
from tests.fakes.gallery import MemoryGallery
from tests.fakes.images import MemoryImageReader
from tests.fakes.tags import MemoryTagReader


def parts_of(gallery: MemoryGallery, **server: str) -> WebParts:
    async def database_is_up() -> None:
        pass

    async def cache_is_down() -> None:
        raise UnavailableError(type(gallery).__name__)

    images, albums = MemoryImageReader(gallery.database), MemoryAlbumReader(gallery.database)
    tags = MemoryTagReader(gallery.database)
    use_cases = UseCases(
        records=lambda _fields: Records(images=images, tags=tags, albums=albums),
        image_reader=images,
        tag_reader=tags,
        album_reader=albums,
        images=gallery.images,
        tags=gallery.tags,
        albums=gallery.albums,
        shares=gallery.shares,
        uploads=gallery.uploads,
        staged_uploads=gallery.staged_uploads,
        idempotency=gallery.idempotency,
        answers=gallery.answers,
        progress=gallery.progress,
        processed=gallery.processed,
        sweep=gallery.sweep,
        sweep_grace=timedelta(hours=1),
        accounts=gallery.accounts,
        tokens=gallery.tokens,
        authenticator=gallery.authenticator,
        people=gallery.people,
        share_links=gallery.share_links,
        shared=gallery.shared,
    )
    return WebParts(
        use_cases=use_cases,
        storage=gallery.storage,
        checks={"database": database_is_up, "cache": cache_is_down},
        settings=Settings(server=ServerSettings.model_validate(server)),
    )


class CountedRequests(NoMetrics):
    """Remembers what it was told of requests, but for the time."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, str]] = []

    def request(self, method: str, route: str, status: str, seconds: float) -> None:
        assert seconds >= 0
        self.requests.append((method, route, status))


class NoPage:
    """A page of metrics with nothing on it."""

    content_type = "text/plain"

    async def render(self) -> bytes:
        return b""


@pytest.fixture
def gallery() -> MemoryGallery:
    return MemoryGallery()


@pytest.fixture
async def client(gallery: MemoryGallery) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_web_app(parts_of(gallery)))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as client:
        yield client


async def test_urls_of_images_lead_to_their_bytes(gallery: MemoryGallery, client: httpx.AsyncClient) -> None:
    image = an_image(file_size_bytes=16)
    gallery.holds(image)
    query = {"query": f'{{ image(id: "img_{image.id.hex}") {{ url }} }}'}
    answer = await client.post("/graphql", json=query)
    url = answer.json()["data"]["image"]["url"]
    assert url == f"http://localhost:8000{original_url('', image)}"
    download = await client.get(url)
    assert (download.status_code, download.content) == (200, image.id.bytes)


async def test_public_address_is_that_of_urls(gallery: MemoryGallery) -> None:
    image = an_image()
    gallery.holds(image)
    app = create_web_app(parts_of(gallery, public_url="https://photos.example"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        answer = await client.post("/graphql", json={"query": f'{{ image(id: "img_{image.id.hex}") {{ url }} }}'})
    assert answer.json()["data"]["image"]["url"] == f"https://photos.example{original_url('', image)}"


async def test_errors_of_graphql_carry_the_id_of_the_request(client: httpx.AsyncClient) -> None:
    answer = await client.post("/graphql", json={"query": "{ nothing }"}, headers={"X-Request-ID": "abc"})
    assert answer.headers["x-request-id"] == "abc"
    assert answer.json()["errors"][0]["extensions"]["requestId"] == "abc"


async def test_browser_is_led_to_graphiql_under_its_own_policy(client: httpx.AsyncClient) -> None:
    first = await client.get("/")
    assert (first.status_code, first.headers["location"]) == (307, "/graphql")
    page = await client.get("/graphql", headers={"Accept": "text/html"})
    assert page.headers["content-type"].startswith("text/html")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert len(page.headers.get_list("content-security-policy")) == 1


async def test_assets_of_graphiql_are_served_and_others_are_not(client: httpx.AsyncClient) -> None:
    page = await client.get("/graphql", headers={"Accept": "text/html"})
    script = page.text.partition('<script type="module" src="')[2].partition('"')[0]
    assert (await client.get(script)).headers["content-type"] == "text/javascript; charset=utf-8"
    missing = await client.get("/graphiql/static/nothing.js")
    assert (missing.status_code, missing.json()["errors"][0]["extensions"]["code"]) == (404, "NOT_FOUND")


async def test_schema_is_served_as_text(client: httpx.AsyncClient) -> None:
    answer = await client.get("/schema.graphql")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text == schema_text()


async def test_probes_and_report_are_served(client: httpx.AsyncClient) -> None:
    answers = [await client.get(path) for path in ("/livez", "/readyz", "/healthz")]
    assert [(answer.status_code, answer.json()["status"]) for answer in answers] == [
        (200, "ok"),
        (200, "ready"),
        (200, "degraded"),
    ]


@pytest.mark.parametrize("root_path", ["", "/photos"])
async def test_graphql_answers_the_same_with_and_without_the_prefix_of_a_proxy(
    gallery: MemoryGallery, root_path: str
) -> None:
    counted = CountedRequests()
    parts = replace(parts_of(gallery), counting=Counting(metrics=counted, page=NoPage()))
    transport = httpx.ASGITransport(create_web_app(parts), root_path=root_path)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        answer = await client.post(
            f"{root_path}/graphql", json={"query": "{ __typename }"}, headers={"X-Request-ID": "abc"}
        )
    assert (answer.status_code, answer.json()) == (200, {"data": {"__typename": "Query"}})
    assert dict(answer.headers) == {
        "content-type": "application/json; charset=utf-8",
        "cache-control": "no-store",
        "content-length": "31",
        "vary": "Accept",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "x-frame-options": "DENY",
        "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
        "cross-origin-resource-policy": "same-origin",
        "x-request-id": "abc",
    }
    assert counted.requests == [("POST", "/graphql", "2xx")]


@pytest.mark.parametrize("path", ["/nowhere", "/graphql/", "/livez/", "/media", "/graphiql/static/", "//graphql"])
async def test_other_addresses_are_404s_that_say_where_the_api_is(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(f"http://localhost:8000{path}")
    [error] = answer.json()["errors"]
    assert (answer.status_code, error["extensions"]["code"]) == (404, "NOT_FOUND")
    assert "/graphql" in error["message"]


@pytest.mark.parametrize("path", ["/", "/livez", "/healthz", "/schema.graphql", "/media/a/b"])
async def test_addresses_for_reading_take_no_post(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.post(path)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
    assert answer.json()["errors"][0]["extensions"]["code"] == "METHOD_NOT_ALLOWED"


async def test_redirect_keeps_the_prefix_of_a_proxy(gallery: MemoryGallery) -> None:
    transport = httpx.ASGITransport(create_web_app(parts_of(gallery)), root_path="/photos")
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        answer = await client.get("/photos/")
    assert answer.headers["location"] == "/photos/graphql"
