"""Every address with every method: what browsers are told of each answer, and what pages of other origins may read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest

from gallery.settings import MetricsSettings, ServerSettings, Settings
from gallery.settings_auth import AuthMode, AuthSettings
from gallery.web.app import create_web_app
from gallery.web.graphiql.assets import ASSETS_PATH
from gallery.web.media_urls import original_url
from tests.entities import an_image
from tests.fakes.gallery import MemoryGallery
from tests.unit.test_app import parts_of
from tests.unit.test_metrics_http import counting

APP = "https://app.example"
EVIL = "https://evil.example"
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "NONSENSE"]
PATHS = [
    "/",
    "/graphql",
    "/graphql?query={__typename}",
    "/graphql/",
    "/graphql/more",
    "/schema.graphql",
    "/media/images/2026/01/nothing.jpg",
    "/media/a/b",
    "ORIGINAL",
    f"{ASSETS_PATH}/LICENSES.txt",
    f"{ASSETS_PATH}/nothing.js",
    "/livez",
    "/readyz",
    "/healthz",
    "/metrics",
    "/nothing/here",
    "//graphql",
    "/%2e%2e/etc/passwd",
]
ACCEPTS = {"html": "text/html", "json": "application/json", "events": "text/event-stream", "odd": "image/png"}


def settings(mode: AuthMode, cors_origins: tuple[str, ...]) -> Settings:
    return Settings(
        auth=AuthSettings(mode=mode),
        metrics=MetricsSettings.model_validate({"token": "a token of some length"}),
        server=ServerSettings(cors_origins=cors_origins),
    )


@asynccontextmanager
async def surface(
    mode: AuthMode = AuthMode.LOCAL, cors_origins: tuple[str, ...] = (APP,)
) -> AsyncIterator[tuple[httpx.AsyncClient, str]]:
    """A client, and the address of an image that there is."""
    gallery = MemoryGallery()
    image = an_image(file_size_bytes=16)
    gallery.holds(image)
    parts = replace(parts_of(gallery), settings=settings(mode, cors_origins), counting=counting())
    transport = httpx.ASGITransport(create_web_app(parts), client=("127.0.0.1", 50_000))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        yield client, original_url("", image)
        await gallery.authenticator.settle()


def assert_is_guarded(answer: httpx.Response) -> None:
    """Whatever the answer is, a browser neither guesses what it is, nor runs or frames it where it should not."""
    headers = answer.headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] in {"no-referrer", "same-origin"}  # the latter where there is a form
    assert headers["x-frame-options"] == "DENY"
    assert headers["cross-origin-resource-policy"] in {"same-origin", "cross-origin"}
    assert headers["x-request-id"]
    policy = dict(part.strip().partition(" ")[::2] for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert "'unsafe-eval'" not in headers["content-security-policy"]
    assert "*" not in headers["content-security-policy"].replace("blob:", "")
    assert "server" not in headers
    for name in ("content-security-policy", "x-frame-options", "x-content-type-options", "x-request-id"):
        assert len(headers.get_list(name)) == 1


@pytest.mark.parametrize("mode", [AuthMode.LOCAL, AuthMode.TOKEN])
@pytest.mark.parametrize("path", PATHS)
async def test_every_answer_tells_browsers_what_not_to_do_with_it(mode: AuthMode, path: str) -> None:
    async with surface(mode) as (client, original):
        for method in METHODS:
            for accept in ACCEPTS.values():
                answer = await client.request(method, path.replace("ORIGINAL", original), headers={"Accept": accept})
                assert_is_guarded(answer)
                assert answer.status_code < 500, (method, accept)
                if answer.status_code == httpx.codes.METHOD_NOT_ALLOWED:
                    assert method not in answer.headers["allow"].split(", ")
                    assert set(answer.headers["allow"].split(", ")) <= {"GET", "HEAD", "POST"}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "NONSENSE"])
async def test_methods_that_nothing_takes_are_refused(path: str, method: str) -> None:
    async with surface() as (client, original):
        answer = await client.request(method, path.replace("ORIGINAL", original))
    assert answer.status_code in {404, 405}
    assert answer.json()["errors"][0]["extensions"]["requestId"] == answer.headers["x-request-id"]
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "request_of",
    [
        pytest.param({"method": "POST", "url": "/graphql", "content": b"{"}, id="not-json"),
        pytest.param({"method": "POST", "url": "/graphql", "json": {"query": "{ nothing }"}}, id="not-valid"),
        pytest.param({"method": "POST", "url": "/graphql", "data": {"query": "{a}"}}, id="a-form"),
        pytest.param({"method": "GET", "url": "/graphql?query={a}"}, id="no-csrf-header"),
        pytest.param({"method": "GET", "url": "/livez", "headers": {"Host": "evil.example", "X": "1"}}, id="probe"),
        pytest.param({"method": "GET", "url": "/", "headers": {"Host": "evil.example"}}, id="other-host"),
        pytest.param({"method": "GET", "url": "/", "headers": {"Host": "a b"}}, id="no-host"),
        pytest.param({"method": "GET", "url": "ORIGINAL", "headers": {"Range": "bytes=99-"}}, id="range"),
    ],
)
async def test_every_refusal_does_so_too(request_of: dict[str, Any]) -> None:
    async with surface() as (client, original):
        request_of = request_of | {"url": request_of["url"].replace("ORIGINAL", original)}
        assert_is_guarded(await client.request(**request_of))


# Pages of other origins


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "PUT"])
async def test_every_answer_can_be_read_by_pages_of_the_origins_that_are_named_and_by_no_others(
    path: str, method: str
) -> None:
    async with surface() as (client, original):
        path = path.replace("ORIGINAL", original)
        named = await client.request(method, path, headers={"Origin": APP})
        evil = await client.request(method, path, headers={"Origin": EVIL})
        none = await client.request(method, path)
    assert named.headers["access-control-allow-origin"] == APP
    for other in (evil, none):
        assert "access-control-allow-origin" not in other.headers
    for answer in (named, evil, none):
        assert "access-control-allow-credentials" not in answer.headers
        vary = ", ".join(answer.headers.get_list("vary")).lower().split(", ")
        assert "origin" in vary, "what is kept for one origin is not for another"


LOOKALIKES = [
    "http://app.example",
    "https://app.example:8443",
    "https://app.example.evil.example",
    "https://evil-app.example",
    "https://app.example/",
    "https://sub.app.example",
    "null",
    "*",
    "",
    f"{APP}, {EVIL}",
]


@pytest.mark.parametrize("origin", LOOKALIKES, ids=range(len(LOOKALIKES)))
async def test_an_origin_is_that_very_one(origin: str) -> None:
    async with surface() as (client, _):
        answer = await client.get("/livez", headers={"Origin": origin})
        preflight = await client.options(
            "/graphql", headers={"Origin": origin, "Access-Control-Request-Method": "POST"}
        )
    assert "access-control-allow-origin" not in answer.headers
    assert "access-control-allow-origin" not in preflight.headers
    assert preflight.status_code == 400
    assert_is_guarded(preflight)


async def test_origins_may_be_named_in_capitals() -> None:
    async with surface(cors_origins=("HTTPS://App.Example",)) as (client, _):
        answer = await client.get("/livez", headers={"Origin": APP})
    assert answer.headers["access-control-allow-origin"] == APP


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE", "NONSENSE", "get"])
async def test_pages_may_send_no_other_methods_than_the_gallery_takes(method: str) -> None:
    async with surface() as (client, _):
        preflight = await client.options("/graphql", headers={"Origin": APP, "Access-Control-Request-Method": method})
    assert preflight.status_code == 400
    assert set(preflight.headers["access-control-allow-methods"].split(", ")) == {"GET", "POST"}


@pytest.mark.parametrize(
    ("header", "status"),
    [("authorization", 200), ("content-type", 200), ("x-graphql-csrf", 200), ("x-secret", 400), ("cookie", 400)],
)
async def test_pages_may_send_the_headers_that_the_gallery_reads(header: str, status: int) -> None:
    asked = {"Origin": APP, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": header}
    async with surface() as (client, _):
        preflight = await client.options("/graphql", headers=asked)
    assert preflight.status_code == status
    assert "access-control-allow-credentials" not in preflight.headers
    assert "origin" in preflight.headers["vary"].lower()
    assert_is_guarded(preflight)


@pytest.mark.parametrize("path", PATHS)
async def test_any_origin_is_told_so_without_credentials(path: str) -> None:
    async with surface(cors_origins=("*",)) as (client, original):
        answer = await client.get(path.replace("ORIGINAL", original), headers={"Origin": EVIL, "Cookie": "a=b"})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("path", PATHS)
async def test_without_origins_nothing_is_said_to_pages_of_others(path: str) -> None:
    async with surface(cors_origins=()) as (client, original):
        path = path.replace("ORIGINAL", original)
        answer = await client.get(path, headers={"Origin": EVIL})
        preflight = await client.options(path, headers={"Origin": EVIL, "Access-Control-Request-Method": "POST"})
    for told in (answer, preflight):
        assert not [name for name in told.headers if name.startswith("access-control-")]
    assert preflight.status_code in {404, 405}
