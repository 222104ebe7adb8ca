"""Kept answers over HTTP: how they are sent, which are kept, and for whom."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from gallery.domain.access import LOCAL_ADMINISTRATOR, Right, Role, Viewer, rights_of
from gallery.domain.ids import UserId, new_uuid7
from gallery.platform.cache import CachedResponses
from gallery.platform.cache.metrics import Layer
from gallery.web.app import WebParts, create_web_app
from gallery.web.authentication import VIEWER
from tests.e2e.api import Api
from tests.graphql_server import listening
from tests.integration.cache_support import eventually
from tests.integration.live_gallery import LiveGallery
from tests.photographs import jpeg

HEADERS = {"X-GraphQL-CSRF": "1"}
PAGE = (
    "{ images(first: 50) { totalCount nodes { id title description url tags { name } albums { title imageCount } } } }"
)
UPDATE = """mutation ($id: ID!, $title: String!) {
  updateImage(input: {id: $id, title: $title}) { errors { message } }
}"""


@pytest.fixture
async def image_id(gallery: LiveGallery) -> str:
    image: str = (await gallery.api.upload("a.jpg", jpeg(40, 30)))["image"]["id"]
    await until_ready(gallery)
    return image


async def until_ready(gallery: LiveGallery) -> None:
    """Waits until answers come from memory: a test that was slow has let the lease go."""
    assert gallery.container.cache is not None
    await eventually(gallery.container.cache.valkey.listener.may_answer)


def hits(gallery: LiveGallery) -> int:
    assert gallery.container.responses is not None
    return gallery.container.responses.metrics.hits[Layer.MEMORY]


async def get(gallery: LiveGallery, query: str = PAGE, headers: Mapping[str, str] | None = None) -> httpx.Response:
    return await gallery.api.http.get("/graphql", params={"query": query}, headers={**HEADERS, **(headers or {})})


async def post(
    gallery: LiveGallery, query: str = PAGE, headers: Mapping[str, str] | None = None, **more: object
) -> httpx.Response:
    return await gallery.api.http.post("/graphql", json={"query": query, **more}, headers=dict(headers or {}))


@pytest.mark.usefixtures("image_id")
async def test_the_same_request_is_answered_from_memory_with_the_same_bytes(gallery: LiveGallery) -> None:
    before = hits(gallery)
    first = await post(gallery)
    await until_ready(gallery)
    second = await post(gallery)

    assert second.content == first.content
    assert second.json()["data"]["images"]["totalCount"] == 1
    assert hits(gallery) == before + 1
    fields = ("content-type", "cache-control", "vary", "content-encoding", "x-content-type-options")
    assert [second.headers.get(name) for name in fields] == [first.headers.get(name) for name in fields]
    assert second.headers["cache-control"] == "no-store"
    assert second.headers["x-request-id"] != first.headers["x-request-id"]


async def test_a_get_is_revalidated_with_a_strong_validator(gallery: LiveGallery, image_id: str) -> None:
    first = await get(gallery)
    assert first.headers["cache-control"] == "private, no-cache"
    etag = first.headers["etag"]
    assert etag.startswith('"')
    for _ in range(2):  # by the endpoint or from memory
        unchanged = await get(gallery, headers={"If-None-Match": f'"other", {etag}'})
        assert (unchanged.status_code, unchanged.content) == (304, b"")
        assert unchanged.headers["etag"] == etag
        assert unchanged.headers["vary"] == first.headers["vary"]

    await gallery.api.ask(UPDATE, id=image_id, title="New")
    changed = await get(gallery, headers={"If-None-Match": etag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != etag
    assert changed.json()["data"]["images"]["nodes"][0]["title"] == "New"


@pytest.mark.usefixtures("image_id")
async def test_codings_have_validators_of_their_own_and_are_not_made_again(gallery: LiveGallery) -> None:
    query = f"{{ {' '.join(f'a{number}: images(first: 5) {{ nodes {{ id url title }} }}' for number in range(9))} }}"
    plain = await get(gallery, query, {"Accept-Encoding": "identity"})
    zipped = [await get(gallery, query, {"Accept-Encoding": "gzip"}) for _ in range(3)]

    assert "content-encoding" not in plain.headers
    assert [answer.headers["content-encoding"] for answer in zipped] == ["gzip"] * 3
    assert {answer.content for answer in (plain, *zipped)} == {plain.content}
    assert {answer.headers["content-length"] for answer in zipped} == {zipped[0].headers["content-length"]}
    assert len({plain.headers["etag"], *(answer.headers["etag"] for answer in zipped)}) == 2
    assert {answer.headers["vary"] for answer in (plain, *zipped)} == {"Accept, Accept-Encoding"}
    assert len(gzip.compress(plain.content)) < len(plain.content)


@pytest.mark.usefixtures("image_id")
@pytest.mark.parametrize(
    "query",
    [
        '{ image(id: "img_00000000000070008000000000000000") { id } }',
        "{ stats { imageCount } }",
        f'{{ imageByChecksum(checksum: "{"0" * 64}") {{ id }} }}',
        "{ __typename }",
        "{ images { nodes { id } } stats { imageCount } }",
    ],
    ids=["error", "stats", "checksum", "nothing", "both"],
)
async def test_answers_of_which_nobody_can_tell_when_they_end_are_not_kept(gallery: LiveGallery, query: str) -> None:
    before = hits(gallery)
    for _ in range(3):
        answer = await get(gallery, query)
        assert answer.headers["cache-control"] == "no-store"
        assert "etag" not in answer.headers
    assert hits(gallery) == before


@pytest.mark.usefixtures("image_id")
@pytest.mark.parametrize(
    "headers",
    [{"Idempotency-Key": "a-key"}, {"Accept": "text/event-stream"}],
    ids=["idempotency key", "events"],
)
async def test_some_requests_have_nothing_to_do_with_kept_answers(
    gallery: LiveGallery, headers: dict[str, str]
) -> None:
    before = hits(gallery)
    for _ in range(3):
        assert (await post(gallery, headers=headers)).status_code == 200
    assert hits(gallery) == before


async def test_a_mutation_is_executed_each_time_and_seen_at_once(gallery: LiveGallery, image_id: str) -> None:
    for number in range(5):
        await gallery.api.ask(UPDATE, id=image_id, title=str(number))
        for _ in range(2):
            assert (await post(gallery)).json()["data"]["images"]["nodes"][0]["title"] == str(number)


@pytest.mark.usefixtures("image_id")
async def test_media_types_share_an_answer(gallery: LiveGallery) -> None:
    accepted = ["application/json", "application/graphql-response+json"]
    answers = [await post(gallery, headers={"Accept": accept}) for accept in accepted * 2]

    assert [answer.headers["content-type"] for answer in answers] == [
        f"{type_}; charset=utf-8" for type_ in accepted * 2
    ]
    assert len({answer.content for answer in answers}) == 1


@pytest.mark.usefixtures("image_id")
async def test_addresses_in_answers_are_those_of_the_request(gallery: LiveGallery) -> None:
    for _ in range(2):
        for host in ("localhost:1", "127.0.0.1:2"):
            (node,) = (await post(gallery, headers={"Host": host})).json()["data"]["images"]["nodes"]
            assert node["url"].startswith(f"http://{host}/")


@pytest.mark.usefixtures("image_id")
async def test_variables_and_operations_are_told_apart(gallery: LiveGallery) -> None:
    query = "query A($first: Int) { images(first: $first) { nodes { id } } } query B { tags { nodes { id } } }"
    for _ in range(2):
        one = await post(gallery, query, operationName="A", variables={"first": 1})
        other = await post(gallery, query, operationName="B")
        none = await post(gallery, query, operationName="A", variables={"first": 0})
        assert set(one.json()["data"]) == {"images"}
        assert set(other.json()["data"]) == {"tags"}
        assert "errors" in none.json()


@pytest.mark.usefixtures("image_id")
async def test_a_get_without_a_header_against_csrf_is_refused_whatever_is_kept(gallery: LiveGallery) -> None:
    await get(gallery)
    async with httpx.AsyncClient(base_url=gallery.url) as http:
        answer = await http.get("/graphql", params={"query": PAGE})
    assert answer.json()["errors"][0]["extensions"]["code"] == "CSRF_HEADER_MISSING"


VIEWERS = {
    b"reader": Viewer(id=LOCAL_ADMINISTRATOR.id, rights=frozenset({Right.READ})),
    b"ann": Viewer(id=UserId(new_uuid7()), rights=rights_of(Role.CONTRIBUTOR, ())),
    b"ben": Viewer(id=UserId(new_uuid7()), rights=rights_of(Role.CONTRIBUTOR, ())),
}


class AsViewer:
    """Finds out who asks by a header."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = dict(scope.get("headers", ())).get(b"x-viewer")
        if name in VIEWERS:
            scope[VIEWER] = VIEWERS[name]
        await self._app(scope, receive, send)


def kept_in(gallery: LiveGallery, layer: Layer) -> CachedResponses:
    """Answers that lie in memory, or in Valkey alone."""
    cache, settings = gallery.container.cache, gallery.container.settings.cache
    assert cache is not None
    max_bytes = settings.responses_max_bytes if layer is Layer.MEMORY else 0
    return CachedResponses(cache, settings.model_copy(update={"responses_max_bytes": max_bytes}))


def web_with(gallery: LiveGallery, responses: CachedResponses | None) -> ASGIApp:
    container = gallery.container
    return create_web_app(
        WebParts(
            settings=container.settings,
            use_cases=container.use_cases,
            storage=container.storage,
            checks={},
            responses=responses,
        )
    )


@pytest.fixture
async def two_viewers(gallery: LiveGallery) -> AsyncIterator[Api]:
    async with listening() as listener:
        listener.app = AsViewer(web_with(gallery, gallery.container.responses))
        async with Api(f"http://127.0.0.1:{listener.port}") as api:
            yield api


@pytest.mark.usefixtures("image_id")
async def test_viewers_do_not_get_each_others_answers(gallery: LiveGallery, two_viewers: Api) -> None:
    assert gallery.container.responses is not None
    metrics = gallery.container.responses.metrics

    async def ask(viewer: str) -> None:
        await until_ready(gallery)
        await two_viewers.http.post("/graphql", json={"query": PAGE}, headers={"X-Viewer": viewer})

    await ask("administrator")
    found = metrics.hits.total()
    await ask("reader")
    assert metrics.hits.total() == found
    for viewer in ("administrator", "reader"):
        await ask(viewer)
    assert metrics.hits.total() == found + 2


@pytest.mark.parametrize("layer", Layer)
async def test_what_is_private_stands_in_nobody_elses_answer(gallery: LiveGallery, layer: Layer) -> None:
    responses = kept_in(gallery, layer)
    async with AsyncExitStack() as stack:
        listener = await stack.enter_async_context(listening())
        listener.app = AsViewer(web_with(gallery, responses))
        clients: dict[str, Api] = {}
        images: dict[str, str] = {}
        answers: dict[str, bytes] = {}
        for name in ("ann", "ben"):
            api = clients[name] = await stack.enter_async_context(Api(f"http://127.0.0.1:{listener.port}"))
            api.http.headers["X-Viewer"] = name
            uploaded = await api.upload(f"{name}.jpg", jpeg(40, 30), visibility="PRIVATE")
            images[name] = uploaded["image"]["id"]
        assert images["ann"] != images["ben"]
        for _ in range(5):
            for (name, api), other in zip(clients.items(), ("ben", "ann"), strict=True):
                await until_ready(gallery)
                answer = await api.http.post("/graphql", json={"query": PAGE})
                assert [node["id"] for node in answer.json()["data"]["images"]["nodes"]] == [images[name]]
                assert images[other].encode() not in answer.content
                assert answer.content == answers.setdefault(name, answer.content)
        await responses.settle()
    assert responses.metrics.hits[layer] >= 6


@pytest.mark.parametrize("layer", Layer)
async def test_the_very_same_bytes_get_the_answer_of_the_moment(
    gallery: LiveGallery, image_id: str, layer: Layer
) -> None:
    responses = kept_in(gallery, layer)
    body = json.dumps({"query": f'{{ image(id: "{image_id}") {{ title }} }}'}).encode()
    head = f"POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    async with listening() as listener:
        listener.app = web_with(gallery, responses)
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        for number in range(30):
            await gallery.api.ask(UPDATE, id=image_id, title=f"Title {number}")
            for _ in range(4):
                await until_ready(gallery)
                writer.write(head.encode() + b"\r\n\r\n" + body)
                told = (await reader.readuntil(b"\r\n\r\n")).lower()
                assert told.count(b"\r\nx-request-id: ") == 1
                length = int(told.partition(b"content-length: ")[2].partition(b"\r\n")[0])
                answer = json.loads(await reader.readexactly(length))
                assert answer == {"data": {"image": {"title": f"Title {number}"}}}
        writer.close()
    await responses.settle()
    assert responses.metrics.hits[layer] >= 30
