"""Automatic persisted queries through Apollo Client and its own link, under Node."""

import uuid
from typing import Any, Protocol

import pytest

from tests.e2e.node_clients import run_script

BY_HASH = {"method": "POST", "hasQuery": False}
BY_HASH_IN_URL = {"method": "GET", "hasQuery": False, "status": 200}
WHOLE = {"method": "POST", "hasQuery": True, "status": 200}


class Server(Protocol):
    graphql_url: str


@pytest.fixture(scope="module")
async def facts(server: Server) -> dict[str, Any]:
    return await run_script("apollo-persisted.mjs", server.graphql_url, f"Q{uuid.uuid4().hex}")


def test_a_new_document_is_told_after_its_hash_was_not_found(facts: dict[str, Any]) -> None:
    first, second = facts["told"]["sent"]

    assert first == BY_HASH | {"status": 400}
    assert second == WHOLE
    assert facts["told"]["data"]["stats"]["imageCount"] >= 0


def test_a_document_that_was_told_is_only_named_from_then_on_by_other_clients_as_well(facts: dict[str, Any]) -> None:
    assert facts["again"]["sent"] == [BY_HASH | {"status": 200}]
    assert facts["elsewhere"]["sent"] == [BY_HASH_IN_URL]
    assert facts["elsewhere"]["data"]["stats"]["imageCount"] >= 0


def test_a_new_document_that_was_asked_for_by_get_is_told_by_post(facts: dict[str, Any]) -> None:
    assert facts["newByGet"]["sent"] == [BY_HASH_IN_URL | {"status": 400}, WHOLE]
    assert facts["newByGet"]["data"]["stats"]["tagCount"] >= 0
