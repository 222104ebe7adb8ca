"""The web pages that may send files to the storage."""

from __future__ import annotations

import pytest
from pydantic import HttpUrl

from gallery.cli.migrate import upload_origins
from gallery.settings import ServerSettings


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://photos.example", "https://photos.example"),
        ("https://photos.example:443/gallery/", "https://photos.example"),
        ("http://photos.example:8080/", "http://photos.example:8080"),
        ("https://[::1]:8443/", "https://[::1]:8443"),
    ],
)
def test_pages_of_the_public_address_may(url: str, origin: str) -> None:
    assert upload_origins(ServerSettings(public_url=HttpUrl(url))) == (origin,)


def test_without_a_public_address_pages_of_this_computer_may() -> None:
    assert upload_origins(ServerSettings(port=8123)) == ("http://127.0.0.1:8123", "http://localhost:8123")


def test_pages_that_may_call_the_api_may_each_named_once() -> None:
    server = ServerSettings(
        public_url=HttpUrl("https://photos.example"),
        cors_origins=("https://app.example", "https://photos.example", "https://other.example"),
    )

    assert upload_origins(server) == ("https://photos.example", "https://app.example", "https://other.example")
