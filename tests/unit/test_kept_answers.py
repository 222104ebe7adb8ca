"""Which answers to requests with a key are kept for those who send them again."""

from __future__ import annotations

from typing import Any

import pytest

from gallery.settings import UploadSettings
from gallery.web.graphql.context import Context
from gallery.web.graphql.documents import Documents
from gallery.web.graphql.idempotency import KEPT_ANSWER_MAX_BYTES, first_answer
from gallery.web.graphql.request import Parameters
from gallery.web.graphql.schema import schema
from tests.entities import ADA, a_claim
from tests.graphql_server import GraphQLServer

TAG = 'createTag(input: {name: "sea"}) { tag { id } }'
ONE, TWO = f"mutation {{ {TAG} }}", f"mutation {{ a: {TAG} b: {TAG} }}"
LARGEST = {"data": "x" * (KEPT_ANSWER_MAX_BYTES - len(b'{"data":""}'))}
CLAIM = a_claim()


@pytest.fixture
def server() -> GraphQLServer:
    """One that listens nowhere, and holds the claim."""
    server = GraphQLServer(0, UploadSettings())
    server.gallery.tables.claims[CLAIM.owner, CLAIM.key] = CLAIM
    return server


async def answered(server: GraphQLServer, answer: dict[str, Any], document: str = ONE, **context: Any) -> Any:  # noqa: ANN401  # JSON
    """What is sent to a client whose request was answered like this."""
    known = Context(viewer=ADA, use_cases=server.use_cases, base_url="", request_id="1", **context)
    parameters = Parameters(query=document, operation_name=None, variables={}, extensions={})
    return await first_answer(known, parameters, Documents(schema).prepare(document, None), answer)


async def test_the_first_answer_is_given_to_all(server: GraphQLServer) -> None:
    assert await answered(server, LARGEST, answer_key=CLAIM.key) == LARGEST
    assert await answered(server, {"data": "second"}, answer_key=CLAIM.key) == LARGEST


async def test_an_answer_that_is_too_large_is_not_kept(server: GraphQLServer) -> None:
    larger = {"data": LARGEST["data"] + "x"}

    assert await answered(server, larger, answer_key=CLAIM.key) == larger
    assert server.gallery.tables.answers == {}
    assert await answered(server, {"data": "second"}, answer_key=CLAIM.key) == {"data": "second"}


@pytest.mark.parametrize(
    ("answer", "document", "context"),
    [
        ({"data": None}, ONE, {"answer_key": None}),
        ({"data": None}, TWO, {"answer_key": CLAIM.key}),
        ({"data": None}, ONE, {"answer_key": CLAIM.key, "has_user_errors": True}),
        ({"data": None, "errors": []}, ONE, {"answer_key": CLAIM.key}),
    ],
    ids=["no key", "several fields", "errors in the payload", "errors at the top"],
)
async def test_other_answers_are_not_kept(
    server: GraphQLServer, answer: dict[str, Any], document: str, context: dict[str, Any]
) -> None:
    assert await answered(server, answer, document, **context) == answer

    assert server.gallery.tables.answers == {}


async def test_an_answer_is_sent_though_it_cannot_be_kept(
    server: GraphQLServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.gallery.database.unavailable = True

    assert await answered(server, {"data": "first"}, answer_key=CLAIM.key) == {"data": "first"}

    assert caplog.messages == ["the answer to a request with an idempotency key could not be kept: 1"]
