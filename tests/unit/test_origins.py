"""Which web pages may open a WebSocket."""

from __future__ import annotations

import pytest
from starlette.requests import HTTPConnection

from gallery.settings import ServerSettings
from gallery.web.origins import origin_check

LOCAL = "127.0.0.1:8000"


def is_allowed(*origins: str, host: str = LOCAL, **settings: str) -> bool:
    headers = [(b"host", host.encode()), *((b"origin", origin.encode()) for origin in origins)]
    connection = HTTPConnection({"type": "websocket", "headers": headers})
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
        "null",
        "",
    ],
)
def test_other_pages_are_not(origin: str) -> None:
    assert not is_allowed(origin)


def test_pages_that_cors_lets_in_are_let_in() -> None:
    origins = "https://app.example/,http://localhost:3000"

    assert is_allowed("https://app.example", cors_origins=origins)
    assert is_allowed("http://localhost:3000", cors_origins=origins)
    assert not is_allowed("https://app.example:444", cors_origins=origins)
    assert is_allowed("https://evil.example", cors_origins="*")


def test_the_page_at_the_public_address_is_let_in_whatever_a_proxy_makes_of_the_host() -> None:
    public = "https://photos.example:8443/gallery"

    assert is_allowed("https://photos.example:8443", host="photos.example", public_url=public)
    assert not is_allowed("http://photos.example:8443", host="photos.example", public_url=public)


def test_several_origins_are_none() -> None:
    assert not is_allowed(f"http://{LOCAL}", "https://evil.example")
