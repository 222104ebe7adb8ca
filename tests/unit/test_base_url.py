"""The address that URLs in answers begin with."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import HttpUrl
from starlette.requests import HTTPConnection

from gallery.settings import ServerSettings
from gallery.web.base_url import base_url_for


def connection(scheme: str = "http", host: str = "localhost:8000", **fields: Any) -> HTTPConnection:  # noqa: ANN401  # any field of a scope
    return HTTPConnection({"type": "http", "scheme": scheme, "headers": [(b"host", host.encode())], **fields})


@pytest.mark.parametrize(
    ("asked", "base_url"),
    [
        (connection(), "http://localhost:8000"),
        (connection("https", "photos.example"), "https://photos.example"),
        (connection("ws"), "http://localhost:8000"),
        (connection("wss", "photos.example"), "https://photos.example"),
        (connection(host="[::1]:8000"), "http://[::1]:8000"),
        (connection(root_path="/gallery"), "http://localhost:8000/gallery"),
        (connection(root_path="/gallery/"), "http://localhost:8000/gallery"),
    ],
)
def test_without_a_public_address_it_is_the_one_of_the_request(asked: HTTPConnection, base_url: str) -> None:
    assert base_url_for(ServerSettings())(asked) == base_url


@pytest.mark.parametrize("public_url", ["https://photos.example", "https://photos.example/"])
def test_public_address_goes_before_that_of_the_request(public_url: str) -> None:
    base_url = base_url_for(ServerSettings(public_url=HttpUrl(public_url)))
    assert base_url(connection()) == "https://photos.example"


def test_public_address_may_have_a_path() -> None:
    base_url = base_url_for(ServerSettings(public_url=HttpUrl("https://example.org/photos/")))
    assert base_url(connection(root_path="/other")) == "https://example.org/photos"
