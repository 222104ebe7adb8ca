"""The progress of uploads through the reference client of GraphQL over server-sent events, under Node."""

import uuid
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.e2e.node_clients import run_script
from tests.photographs import jpeg

FOLLOWING_BYTES = 3_000_000


class Server(Protocol):
    graphql_url: str


@pytest.fixture(scope="module")
async def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("photo") / "harbour.jpg"
    file.write_bytes(jpeg(1303, 900) + uuid.uuid4().bytes + bytes(FOLLOWING_BYTES))  # new to the gallery in every run
    return file


@pytest.fixture(scope="module")
async def facts(server: Server, photo: Path) -> dict[str, Any]:
    return await run_script("graphql-sse.mjs", server.graphql_url, photo, str(uuid.uuid4()))


def test_the_progress_of_an_upload_is_heard_to_its_end(facts: dict[str, Any], photo: Path) -> None:
    size_bytes = photo.stat().st_size
    moments = [result["data"]["uploadProgress"] for result in facts["progress"]]

    assert facts["uploaded"]["errors"] == []
    assert moments[-1] == {"receivedBytes": size_bytes, "totalBytes": size_bytes, "done": True}
    received = [moment["receivedBytes"] for moment in moments]
    assert received == sorted(received)
    assert any(0 < received_bytes < size_bytes for received_bytes in received)
    assert [moment["done"] for moment in moments[:-1]] == [False] * (len(moments) - 1)


def test_the_image_is_told_once_it_is_processed(facts: dict[str, Any]) -> None:
    image = {"id": facts["uploaded"]["image"]["id"], "processing": "READY"}

    assert facts["processed"] == [{"data": {"imageProcessed": image}}]


def test_a_query_has_one_result(facts: dict[str, Any]) -> None:
    assert facts["query"] == [{"data": {"__typename": "Query"}}]


def test_an_invalid_subscription_is_told_by_a_result(facts: dict[str, Any]) -> None:
    (result,) = facts["invalid"]

    assert [error["extensions"]["code"] for error in result["errors"]] == ["GRAPHQL_VALIDATION_FAILED"]
