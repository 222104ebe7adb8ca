"""The GraphiQL page and its assets, asked for over ASGI."""

import gzip
import hashlib
import json
import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest
from graphql import OperationDefinitionNode, parse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gallery.web.graphiql import example_queries, graphiql_assets, graphiql_page

STATIC = Path(__file__).parents[2] / "gallery" / "web" / "graphiql" / "static"
MANIFEST = json.loads((STATIC / "manifest.json").read_text("utf-8"))
SCRIPT = MANIFEST["script"]


class Page(HTMLParser):
    """What a page refers to, and what it runs inline."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.inline_script = ""
        self._in_script = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self._in_script = tag == "script"

    def handle_endtag(self, tag: str) -> None:
        self._in_script = self._in_script and tag != "script"

    def handle_data(self, data: str) -> None:
        if self._in_script:
            self.inline_script += data

    @property
    def addresses(self) -> list[str]:
        return [
            value
            for _, attributes in self.elements
            for name, value in attributes.items()
            if name in {"src", "href"} and not value.startswith("data:")
        ]

    @property
    def config(self) -> dict[str, object]:
        [text] = [attributes["data-config"] for _, attributes in self.elements if "data-config" in attributes]
        config: dict[str, object] = json.loads(text)
        return config


async def _page(_request: Request) -> Response:
    return graphiql_page()


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = Starlette(routes=[Route("/graphql", _page), graphiql_assets()])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gallery") as client:
        yield client


async def _get_asset(client: httpx.AsyncClient, name: str, **headers: str) -> httpx.Response:
    fields = {"Accept-Encoding": "identity"} | {key.replace("_", "-"): value for key, value in headers.items()}
    return await client.get(f"/graphiql/static/{name}", headers=fields)


async def test_page_is_html_under_a_strict_policy(client: httpx.AsyncClient) -> None:
    response = await client.get("/graphql")

    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["content-security-policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "font-src 'self'; connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert response.headers["vary"] == "Accept"
    assert response.headers["cache-control"] == "no-cache"


async def test_page_runs_nothing_inline_and_names_no_other_host(client: httpx.AsyncClient) -> None:
    page = Page((await client.get("/graphql")).text)

    assert page.inline_script.strip() == ""
    assert [name for _, attributes in page.elements for name in attributes if name.startswith("on")] == []
    assert [address for address in page.addresses if not address.startswith("/graphiql/static/")] == []


async def test_page_loads_what_the_build_names(client: httpx.AsyncClient) -> None:
    page = Page((await client.get("/graphql")).text)

    assert len(page.addresses) == 2 + len(MANIFEST["preload"])
    for address in page.addresses:
        assert (await client.get(address)).status_code == 200, address
    for name in MANIFEST["workers"].values():
        assert (await _get_asset(client, name)).status_code == 200, name


async def test_page_tells_graphiql_where_to_send_and_with_which_header(client: httpx.AsyncClient) -> None:
    config = Page((await client.get("/graphql")).text).config

    assert config["endpoint"] == "/graphql"
    assert config["headers"] == {"X-GraphQL-CSRF": "1"}
    assert config["workers"] == MANIFEST["workers"]
    assert config["tabs"] == [{"query": f"{query}\n"} for query in example_queries()]


def test_page_is_made_for_an_endpoint_below_a_prefix() -> None:
    page = Page(bytes(graphiql_page("/photos/graphql", assets_path="/photos/graphiql/static").body).decode())

    assert page.config["endpoint"] == "/photos/graphql"
    assert all(address.startswith("/photos/graphiql/static/") for address in page.addresses)


def test_page_escapes_what_it_is_given() -> None:
    body = bytes(graphiql_page('/"><script>alert(1)</script>').body).decode()

    assert "<script>alert" not in body
    assert Page(body).config["endpoint"] == '/"><script>alert(1)</script>'


def test_examples_are_single_named_operations() -> None:
    names = []
    for query in example_queries():
        [definition] = parse(query).definitions
        assert isinstance(definition, OperationDefinitionNode)
        assert definition.name is not None
        names.append(definition.name.value)

    assert names == ["LatestImages", "Search", "CreateAlbum"]


async def test_hashed_asset_is_cached_for_ever(client: httpx.AsyncClient) -> None:
    response = await _get_asset(client, SCRIPT)

    assert response.status_code == 200
    assert response.content == (STATIC / SCRIPT).read_bytes()
    assert response.headers["content-type"] == "text/javascript; charset=utf-8"
    assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["vary"] == "Accept-Encoding"
    assert response.headers["etag"] == f'"{hashlib.sha256(response.content).hexdigest()[:20]}"'
    assert "content-encoding" not in response.headers


async def test_asset_without_a_hash_in_its_name_is_revalidated(client: httpx.AsyncClient) -> None:
    response = await _get_asset(client, "LICENSES.txt")

    assert response.headers["cache-control"] == "no-cache"
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert "graphiql 5." in response.text


@pytest.mark.parametrize("accept_encoding", ["gzip", "br, gzip;q=0.5", "*", "GZIP"])
async def test_asset_is_compressed_for_those_who_take_it(client: httpx.AsyncClient, accept_encoding: str) -> None:
    url = f"/graphiql/static/{SCRIPT}"
    async with client.stream("GET", url, headers={"Accept-Encoding": accept_encoding}) as response:
        compressed = b"".join([chunk async for chunk in response.aiter_raw()])

    assert response.headers["content-encoding"] == "gzip"
    assert response.headers["content-length"] == str(len(compressed))
    assert response.headers["etag"].endswith('-gzip"')
    assert gzip.decompress(compressed) == (STATIC / SCRIPT).read_bytes()


@pytest.mark.parametrize("accept_encoding", ["", "br", "gzip;q=0", "identity, gzip;q=0.0", "gzip;q=much"])
async def test_asset_is_not_compressed_for_those_who_do_not(client: httpx.AsyncClient, accept_encoding: str) -> None:
    response = await _get_asset(client, SCRIPT, Accept_Encoding=accept_encoding)

    assert "content-encoding" not in response.headers
    assert response.content == (STATIC / SCRIPT).read_bytes()


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*"])
async def test_known_etag_gets_304_without_a_body(client: httpx.AsyncClient, form: str) -> None:
    etag = (await _get_asset(client, SCRIPT)).headers["etag"]

    response = await _get_asset(client, SCRIPT, If_None_Match=form.format(etag))

    assert response.status_code == 304
    assert response.content == b""
    assert response.headers["etag"] == etag
    assert response.headers["cache-control"] == "public, max-age=31536000, immutable"


async def test_etag_of_one_encoding_does_not_match_another(client: httpx.AsyncClient) -> None:
    etag = (await _get_asset(client, SCRIPT)).headers["etag"]

    response = await _get_asset(client, SCRIPT, Accept_Encoding="gzip", If_None_Match=etag)

    assert response.status_code == 200


async def test_head_has_the_headers_of_get(client: httpx.AsyncClient) -> None:
    url, identity = f"/graphiql/static/{SCRIPT}", {"Accept-Encoding": "identity"}
    head = await client.head(url, headers=identity)
    get = await client.get(url, headers=identity)

    assert head.status_code == 200
    assert head.headers == get.headers


@pytest.mark.parametrize(
    "name",
    [
        "manifest.json",
        "nothing.js",
        "",
        "..%2fpage.py",
        "..%2f..%2fpage.py",
        "%2fetc%2fpasswd",
        "..%5cpage.py",
        f"{SCRIPT}%00",
    ],
)
async def test_only_built_files_are_served(client: httpx.AsyncClient, name: str) -> None:
    assert (await _get_asset(client, name)).status_code == 404


async def test_assets_cannot_be_posted_to(client: httpx.AsyncClient) -> None:
    assert (await client.post(f"/graphiql/static/{SCRIPT}")).status_code == 405


def test_build_refers_to_no_file_that_is_not_there() -> None:
    names = {file.name for file in STATIC.iterdir()}
    pattern = re.compile(r"""["'(]\./([\w.-]+-[0-9A-Z]{8}\.(?:js|css|ttf))["')]""")
    referred = {
        name
        for file in STATIC.iterdir()
        if file.suffix in {".js", ".css"}
        for name in pattern.findall(file.read_text("utf-8"))
    }

    assert referred - names == set()
    assert len(referred) > 10


def test_build_has_no_source_maps() -> None:
    assert [file.name for file in STATIC.iterdir() if b"sourceMappingURL=" in file.read_bytes()] == []


def test_every_file_but_the_lists_carries_a_hash() -> None:
    hashed = re.compile(r".+-[0-9A-Z]{8}\.(js|css|ttf)")

    assert sorted(file.name for file in STATIC.iterdir() if not hashed.fullmatch(file.name)) == [
        "LICENSES.txt",
        "manifest.json",
    ]
