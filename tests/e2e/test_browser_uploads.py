"""Uploads from a page in a real Chromium: with fetch and XMLHttpRequest, through the gallery and past it.

Nothing is set for it: the bucket lets pages of the gallery's own origin send parts.
"""

from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.e2e.chromium import chromium
from tests.e2e.node_clients import run_script
from tests.photographs import jpeg

LARGE_BYTES = 12 * 1024 * 1024
PART_SIZES = [8 * 1024 * 1024, 4 * 1024 * 1024]
NAMES = {
    "fetched": "fetched.jpg",
    "watched": "watched.jpg",
    "stagedFetched": "staged-fetched.jpg",
    "stagedWatched": "staged-watched.jpg",
}


class Server(Protocol):
    graphql_url: str


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("browser") / "photo.jpg"
    path.write_bytes(jpeg(1280, 800))
    return path


@pytest.fixture(scope="module")
async def facts(server: Server, photo: Path) -> dict[str, Any]:
    return await run_script("browser-uploads.mjs", chromium(), server.graphql_url, photo, str(LARGE_BYTES))


@pytest.mark.parametrize("way", NAMES)
def test_file_becomes_an_image(way: str, facts: dict[str, Any]) -> None:
    seen = facts[way]
    image = seen["payload"].pop("image")

    assert seen["payload"] == {"outcome": "CREATED", "errors": []}
    assert (image["checksum"], image["originalFilename"]) == (seen["checksum"], NAMES[way])


def test_progress_of_a_streamed_upload_is_told_to_its_end(facts: dict[str, Any]) -> None:
    progress = facts["watched"]["progress"]

    assert progress[-1]["loaded"] == progress[-1]["total"] > LARGE_BYTES
    assert [step["loaded"] for step in progress] == sorted(step["loaded"] for step in progress)


@pytest.mark.parametrize("way", ["stagedFetched", "stagedWatched"])
def test_parts_are_taken_across_origins_and_answered_with_their_etag(way: str, facts: dict[str, Any]) -> None:
    assert [(part["status"], part["hasEtag"]) for part in facts[way]["parts"]] == [(200, True)] * len(PART_SIZES)


def test_progress_of_parts_is_told_across_origins(facts: dict[str, Any]) -> None:
    parts = facts["stagedWatched"]["parts"]

    assert [part["size"] for part in parts] == PART_SIZES
    assert [part["progress"][-1] for part in parts] == [{"loaded": size, "total": size} for size in PART_SIZES]


def test_page_talks_to_the_storage_alone_and_nothing_fails(facts: dict[str, Any]) -> None:
    assert facts["otherOrigins"] == 1
    assert facts["complaints"] == []
