"""The page at /graphql in a real Chromium against a real server: it works, and it talks to nobody else."""

import uuid
from typing import Any, Protocol

import pytest

from tests.e2e.chromium import chromium
from tests.e2e.node_clients import run_script
from tests.photographs import jpeg


class Server(Protocol):
    url: str
    graphql_url: str


@pytest.fixture(scope="module")
async def seen(server: Server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("browser")
    photo, text = folder / "Four Quarters.jpg", folder / "notes.jpg"
    photo.write_bytes(jpeg(1280, 800) + uuid.uuid4().bytes)
    text.write_text("no picture at all")
    return await run_script("browser.mjs", chromium(), server.graphql_url, photo, text)


def test_page_breaks_no_policy_calls_no_other_host_and_logs_no_error(seen: dict[str, Any]) -> None:
    assert seen["complaints"] == []


def test_page_opens_with_examples(seen: dict[str, Any]) -> None:
    assert seen["opened"] == {"title": "Gallery", "tabs": ["LatestImages", "Search", "CreateAlbum"]}


def test_upload_panel_stores_photographs_and_shows_why_one_was_refused(seen: dict[str, Any], server: Server) -> None:
    uploaded = seen["uploaded"]

    assert uploaded["count"] == 2
    assert uploaded["id"].startswith("img_")
    assert uploaded["name"] == "Four Quarters.jpg"
    assert uploaded["url"].startswith(f"{server.url}/media/")
    assert uploaded["thumbnailWidth"] > 0
    name, reason = uploaded["refused"].splitlines()
    assert name == "notes.jpg"
    assert "not an image" in reason


def test_first_example_lists_what_was_uploaded(seen: dict[str, Any]) -> None:
    assert seen["queried"]["csrf"] == "1"
    answer = seen["queried"]["answer"]
    assert "errors" not in answer
    newest = answer["data"]["images"]["nodes"][0]
    assert newest["id"] == seen["uploaded"]["id"]
    assert (newest["width"], newest["height"]) == (1280, 800)
    assert {tag["name"] for tag in newest["tags"]} == {"seaside", "holiday"}
    assert newest["thumbnails"]["small"]["width"] == seen["uploaded"]["thumbnailWidth"]


def test_history_remembers_what_was_run(seen: dict[str, Any]) -> None:
    assert seen["panels"]["history"] == ["LatestImages"]


def test_link_with_a_query_opens_it_and_unknown_fields_are_marked(seen: dict[str, Any]) -> None:
    assert seen["linked"] == ["query FromLink {", "  noSuchField", "}", ""]
