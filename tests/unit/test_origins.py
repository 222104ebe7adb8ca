"""Which web pages may open a WebSocket."""

from __future__ import annotations

import pytest
from starlette.requests import HTTPConnection

from gallery.settings import ServerSettings
from gallery.web.origins import origin_check

LOCAL = "127.0.0.1:8000"


def is_allowed(*origins: str, host: str = LOCAL, scheme: str = "ws", **settings: str) -> bool:
    headers = [(b"host", host.encode()), *((b"origin", origin.encode()) for origin in origins)]
    connection = HTTPConnection({"type": "websocket", "scheme": scheme, "headers": headers})
    return origin_check(ServerSettings.model_validate(settings))(connection)


@pytest.mark.parametrize("origin", [f"http://{LOCAL}", f"HTTP://{LOCAL}"])
def test_the_gallerys_own_page_is_let_in(origin: str) -> None:
    assert is_allowed(origin)


def test_programs_that_are_no_pages_are_let_in() -> None:
    assert is_allowed()


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://127.0.0.1",
        "http://127.0.0.1:8001",
        f"http://{LOCAL}.evil.example",
        f"http://evil.example/{LOCAL}",
        f"https://{LOCAL}",
        f"ws://{LOCAL}",
        LOCAL,
        "null",
        "",
    ],
)
def test_other_pages_are_not(origin: str) -> None:
    assert not is_allowed(origin)


@pytest.mark.parametrize(
    ("scheme", "host", "origin"),
    [
        ("wss", "photos.example", "https://photos.example"),
        ("wss", "photos.example:443", "https://photos.example"),
        ("wss", "photos.example", "https://photos.example:443"),
        ("ws", "photos.example:80", "http://photos.example"),
        ("ws", "PHOTOS.example:8000", "http://photos.example:8000"),
        ("ws", "[::1]:80", "http://[::1]"),
    ],
)
def test_ports_that_need_not_be_said_make_no_difference(scheme: str, host: str, origin: str) -> None:
    assert is_allowed(origin, host=host, scheme=scheme)


@pytest.mark.parametrize(
    ("scheme", "host", "origin"),
    [
        ("wss", "photos.example", "http://photos.example"),
        ("wss", "photos.example", "http://photos.example:443"),
        ("wss", "photos.example:80", "https://photos.example"),
        ("ws", "photos.example:443", "http://photos.example"),
        ("ws", "photos.example", "https://photos.example"),
    ],
)
def test_a_page_of_the_same_host_by_another_scheme_or_port_is_another(scheme: str, host: str, origin: str) -> None:
    assert not is_allowed(origin, host=host, scheme=scheme)


def test_pages_that_cors_lets_in_are_let_in() -> None:
    origins = "https://app.example/,http://localhost:3000"

    assert is_allowed("https://app.example", cors_origins=origins)
    assert is_allowed("http://localhost:3000", cors_origins=origins)
    assert is_allowed("https://app.example:443", cors_origins=origins)
    assert not is_allowed("http://app.example", cors_origins=origins)
    assert not is_allowed("https://app.example:444", cors_origins=origins)
    assert is_allowed("https://evil.example", cors_origins="*")


def test_the_page_at_the_public_address_is_let_in_whatever_a_proxy_makes_of_the_host() -> None:
    public = "https://photos.example:8443/gallery"

    assert is_allowed("https://photos.example:8443", host="photos.example", public_url=public)
    assert is_allowed("https://photos.example", public_url="https://photos.example:443/", host="10.0.0.1:8000")
    assert not is_allowed("http://photos.example:8443", host="photos.example", public_url=public)


def test_where_there_is_a_public_address_no_other_is_the_gallerys_own() -> None:
    public = "https://photos.example"

    assert not is_allowed(f"http://{LOCAL}", public_url=public)
    assert not is_allowed("http://photos.example", host="photos.example", public_url=public)
    assert is_allowed(f"http://{LOCAL}", public_url=public, cors_origins=f"http://{LOCAL}")


def test_several_origins_are_none() -> None:
    assert not is_allowed(f"http://{LOCAL}", "https://evil.example")
