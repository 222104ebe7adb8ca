"""Who may see the metrics, and what requests become in them: what clients make up never becomes a label."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest

from gallery.platform.database.engine import PoolUse
from gallery.platform.metrics import DatabaseFigures, DatabaseState, ProcessState, PrometheusMetrics, PrometheusPage
from gallery.settings import MetricsSettings, ServerSettings, Settings
from gallery.web.app import create_web_app
from gallery.web.metrics import Counting
from tests.fakes.gallery import MemoryGallery
from tests.scraped import Sample, sample, scraped
from tests.unit.test_app import parts_of

TOKEN = "a token of some length"
LOCAL = ("127.0.0.1", 50_000)
ELSEWHERE = ("192.168.7.9", 50_000)

OPERATIONS = "gallery_graphql_operation_duration_seconds_count"
REQUESTS = "gallery_http_request_duration_seconds_count"


async def no_figures() -> DatabaseFigures:
    return DatabaseFigures(jobs={}, reports=())


def counting() -> Counting:
    metrics = PrometheusMetrics()
    process = ProcessState(
        cache=None,
        responses=None,
        pool_use=lambda: PoolUse(size=1, in_use=0, idle=0),
        parts_in_flight=lambda: 0,
        received_bytes=lambda: metrics.received_bytes,
    )
    return Counting(metrics=metrics, page=PrometheusPage(metrics, process, DatabaseState(no_figures)))


@asynccontextmanager
async def client_of(
    *,
    peer: tuple[str, int] = LOCAL,
    base_url: str = "http://127.0.0.1:8000",
    token: str | None = None,
    server: Mapping[str, Any] | None = None,
    counted: bool = True,
) -> AsyncIterator[httpx.AsyncClient]:
    """A client at the address of the peer, of a gallery with these settings."""
    settings = Settings(
        server=ServerSettings.model_validate(server or {}), metrics=MetricsSettings.model_validate({"token": token})
    )
    parts = replace(parts_of(MemoryGallery()), settings=settings, counting=counting() if counted else None)
    transport = httpx.ASGITransport(create_web_app(parts), client=peer)
    async with httpx.AsyncClient(transport=transport, base_url=base_url, headers={"X-GraphQL-CSRF": "1"}) as client:
        yield client


async def told(client: httpx.AsyncClient) -> Mapping[Sample, float]:
    answer = await client.get("/metrics")
    assert answer.status_code == 200
    return scraped(answer.text)


async def operations(client: httpx.AsyncClient) -> dict[tuple[str, str], float]:
    """How many operations there were, by kind and outcome."""
    found = {labels: value for (name, labels), value in (await told(client)).items() if name == OPERATIONS}
    return {(dict(labels)["type"], dict(labels)["outcome"]): value for labels, value in found.items()}


# Who may see them


@pytest.mark.parametrize("base_url", ["http://127.0.0.1:8000", "http://localhost:8000", "http://[::1]:8000"])
@pytest.mark.parametrize("peer", [LOCAL, ("::1", 50_000), ("127.0.0.7", 50_000)])
async def test_a_program_on_the_machine_sees_the_metrics(base_url: str, peer: tuple[str, int]) -> None:
    async with client_of(base_url=base_url, peer=peer) as client:
        answer = await client.get("/metrics")

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert "process_resident_memory_bytes" in answer.text


@pytest.mark.parametrize("header", ["Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP"])
async def test_what_came_through_a_proxy_is_told_nothing(header: str) -> None:
    async with client_of() as client:
        refused(await client.get("/metrics", headers={header: "127.0.0.1"}))


@pytest.mark.parametrize(
    ("peer", "base_url", "server"),
    [
        (ELSEWHERE, "http://127.0.0.1:8000", {"host": "0.0.0.0"}),  # noqa: S104  # every address is the point
        (("unix", 0), "http://127.0.0.1:8000", {"host": "0.0.0.0"}),  # noqa: S104  # as above
        (LOCAL, "http://photos.example", {"host": "0.0.0.0"}),  # noqa: S104  # as above
        (LOCAL, "http://rebound.example:8000", {}),
        (LOCAL, "http://127.0.0.1:8000", {"public_url": "https://photos.example"}),
        (LOCAL, "http://127.0.0.1:8000", {"allowed_hosts": "photos.example,127.0.0.1"}),
    ],
    ids=["from another machine", "from a socket", "by a public name", "by rebinding", "public URL", "allowed hosts"],
)
async def test_without_a_token_strangers_see_nothing(
    peer: tuple[str, int], base_url: str, server: Mapping[str, Any]
) -> None:
    async with client_of(peer=peer, base_url=base_url, server=server) as client:
        refused(await client.get("/metrics"))


def refused(answer: httpx.Response) -> None:
    assert answer.status_code == 403
    (error,) = answer.json()["errors"]
    assert error["extensions"]["code"] == "FORBIDDEN"
    assert "GALLERY_METRICS__TOKEN" in error["message"]
    assert "gallery_" not in answer.text


async def test_with_the_token_they_are_told_to_anybody_by_any_name() -> None:
    published = {"host": "0.0.0.0", "public_url": "https://photos.example"}  # noqa: S104  # every address is the point
    async with client_of(peer=ELSEWHERE, base_url="http://10.0.0.5:8000", token=TOKEN, server=published) as client:
        answer = await client.get("/metrics", headers={"Authorization": f"bearer {TOKEN}", "Via": "1.1 proxy"})

    assert answer.status_code == 200
    assert "process_resident_memory_bytes" in answer.text


@pytest.mark.parametrize("given", [None, "Bearer", "Bearer ", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer \xe9"])
async def test_where_there_is_a_token_nothing_else_helps(given: str | None) -> None:
    headers = [] if given is None else [(b"Authorization", given.encode("latin-1"))]
    async with client_of(token=TOKEN) as client:
        answer = await client.get("/metrics", headers=headers)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="metrics"'
    assert answer.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    assert TOKEN not in answer.text


@pytest.mark.parametrize("token", ["", "short"])
def test_a_token_that_can_be_guessed_is_no_setting(token: str) -> None:
    with pytest.raises(ValueError, match="at least 16"):
        MetricsSettings.model_validate({"token": token})


async def test_where_nothing_is_counted_there_is_no_page() -> None:
    async with client_of(counted=False) as client:
        assert (await client.get("/metrics")).status_code == 404


# What requests become


async def test_requests_count_by_method_route_and_class_of_status() -> None:
    async with client_of() as client:
        await client.get("/graphql", params={"query": "{ stats { imageCount } }"})
        await client.get("/livez")
        await client.get("/media/img_1/a.jpg")
        await client.get("/nothing/here")
        await client.put("/graphql")

        counts = await told(client)

    def count(method: str, route: str, status: str) -> float | None:
        return counts.get(sample(REQUESTS, method=method, route=route, status=status))

    assert count("GET", "/graphql", "2xx") == 1
    assert count("GET", "/livez", "2xx") == 1
    assert count("GET", "/media/{image}/{file}", "4xx") == 1
    assert count("GET", "none", "4xx") == 1
    assert count("other", "/graphql", "4xx") == 1
    assert count("GET", "/metrics", "2xx") is None  # it is not over yet


async def test_a_thousand_made_up_paths_methods_and_names_make_no_labels() -> None:
    async with client_of() as client:
        await _make_up(client, 1)
        few = set(await told(client))
        for number in range(2, 1000):
            await _make_up(client, number)
        many = set(await told(client))

    assert many == few | {(name, labels) for name, labels in many if dict(labels).get("route") == "/metrics"}
    assert len(many) < 250
    assert "Operation" not in str(many)


async def _make_up(client: httpx.AsyncClient, number: int) -> None:
    word = f"{number}{secrets.token_hex(4)}"
    await client.request(f"M{word}", f"/made/up/{word}")
    await client.get(f"/media/{word}/{word}", params={word: word})
    named = {"query": f"query Operation{word} {{ stats {{ imageCount }} }}", "operationName": f"Operation{word}"}
    await client.post("/graphql", json=named, headers={"X-Apollo-Operation-Name": word})
    await client.post("/graphql", json={"query": f"{{ field{word} }}"})


async def test_operations_count_by_kind_and_outcome() -> None:
    create = "mutation ($input: CreateTagInput!) { createTag(input: $input) { errors { code } } }"
    documents: list[dict[str, Any]] = [
        {"query": "{ stats { imageCount } }"},
        {"query": create, "variables": {"input": {"name": "sea"}}},
        {"query": create, "variables": {"input": {"name": ""}}},
        {"query": create, "variables": {"input": 5}},
        {"query": '{ node(id: "nonsense") { id } }'},
        {"query": "{ nothing"},
        {"query": "{ nothing }"},
    ]
    async with client_of() as client:
        for document in documents:
            await client.post("/graphql", json=document)
        await client.get("/graphql", params={"query": 'mutation { createTag(input: {name: "x"}) { errors { code } } }'})
        await client.post("/graphql", json={"not": "an operation"})
        counts = await operations(client)

    assert counts == {
        ("query", "ok"): 1,
        ("mutation", "ok"): 1,
        ("mutation", "user_errors"): 1,
        ("mutation", "refused"): 2,
        ("query", "errors"): 1,
        ("unknown", "refused"): 2,
    }
