"""Trusted documents on a real socket: beside other documents, and alone."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from gallery.web.authentication import OPEN
from gallery.web.graphql.endpoint import GraphQLEndpoint
from gallery.web.graphql.exposure import EXPOSED, HIDDEN
from gallery.web.graphql.persisted import OperationSource
from gallery.web.graphql.trusted import TrustedDocuments, sha256_of
from tests.graphql_server import LIMITS, SCHEMA, GraphQLServer, Listener, Reply

JSON = "application/json"
GRAPHQL = "application/graphql-response+json"
GREETING = "query ($name: String) { greeting(name: $name) }"
PATIENT = "mutation { patient }"
BOTH = "query A { greeting } query B { twice(number: 2) }"
DOCUMENTS = {"greeting": GREETING, "patient": PATIENT, "both": BOTH}
HELLO = {"data": {"greeting": "Hello, world!"}}


def put_behind(listener: Listener, server: GraphQLServer, *, exclusive: bool) -> None:
    operations = OperationSource(SCHEMA, server.documents, TrustedDocuments(DOCUMENTS, exclusive=exclusive))
    listener.app = GraphQLEndpoint(
        SCHEMA,
        server.use_cases,
        LIMITS,
        lambda _: "",
        OPEN,
        exposure=HIDDEN if exclusive else EXPOSED,
        operations=operations,
    )


@pytest.fixture(params=[False, True], ids=["beside others", "alone"])
def trusting(request: pytest.FixtureRequest, listener: Listener, server: GraphQLServer) -> GraphQLServer:
    put_behind(listener, server, exclusive=request.param)
    return server


@pytest.fixture
def strict(listener: Listener, server: GraphQLServer) -> GraphQLServer:
    put_behind(listener, server, exclusive=True)
    return server


async def post(server: GraphQLServer, accept: str = JSON, /, **parameters: Any) -> Reply:  # noqa: ANN401  # any JSON
    headers = {"Content-Type": JSON, "X-GraphQL-CSRF": "", "Accept": accept}
    return await server.post(json.dumps(parameters).encode(), **headers)


async def get(server: GraphQLServer, accept: str = JSON, /, **fields: str) -> Reply:
    async with server.connection() as connection:
        await connection.send_head(f"/graphql?{urlencode(fields)}", "GET", Content_Type="", Accept=accept)
        return await connection.reply()


@pytest.mark.parametrize("document_id", ["greeting", f"sha256:{sha256_of(GREETING)}"])
async def test_a_trusted_document_is_executed_by_its_id(trusting: GraphQLServer, document_id: str) -> None:
    by_post = await post(trusting, documentId=document_id, variables={"name": "Zoë"})
    by_get = await get(trusting, documentId=document_id, variables='{"name": "Zoë"}')

    assert by_post.json == by_get.json == {"data": {"greeting": "Hello, Zoë!"}}


async def test_a_trusted_document_is_executed_however_it_is_named(trusting: GraphQLServer) -> None:
    extensions = {"persistedQuery": {"version": 1, "sha256Hash": sha256_of(GREETING)}}

    assert (await post(trusting, extensions=extensions)).json == HELLO
    assert (await post(trusting, query=GREETING, extensions=extensions)).json == HELLO
    assert (await post(trusting, query=GREETING)).json == HELLO


async def test_an_operation_of_a_trusted_document_is_chosen(trusting: GraphQLServer) -> None:
    assert (await post(trusting, documentId="both", operationName="B")).json == {"data": {"twice": 4}}
    assert (await post(trusting, documentId="both")).codes == ["OPERATION_NAME_REQUIRED"]


@pytest.mark.parametrize(("accept", "status"), [(JSON, 200), (GRAPHQL, 400)])
@pytest.mark.parametrize("document_id", ["other", "Greeting", f"sha256:{sha256_of('{ greeting }')}"])
async def test_an_id_that_nobody_gave_is_not_found(
    trusting: GraphQLServer, document_id: str, accept: str, status: int
) -> None:
    reply = await post(trusting, accept, documentId=document_id)

    assert (reply.status, reply.codes) == (status, ["PERSISTED_DOCUMENT_NOT_FOUND"])
    assert "data" not in reply.json


async def test_a_trusted_mutation_is_not_done_by_get(trusting: GraphQLServer) -> None:
    reply = await get(trusting, documentId="patient")

    assert (reply.status, reply.codes) == (405, ["METHOD_NOT_ALLOWED"])
    assert not trusting.oddities.begun.is_set()


@pytest.mark.parametrize(
    "parameters",
    [
        {"documentId": 7},
        {"documentId": ""},
        {"documentId": "greeting", "query": PATIENT},
        {
            "documentId": "greeting",
            "extensions": {"persistedQuery": {"version": 1, "sha256Hash": sha256_of(GREETING)}},
        },
    ],
)
async def test_a_malformed_or_ambiguous_request_is_refused(trusting: GraphQLServer, parameters: dict[str, Any]) -> None:
    reply = await post(trusting, **parameters)

    assert (reply.status, reply.codes) == (400, ["BAD_REQUEST"])
    assert not trusting.oddities.begun.is_set()


@pytest.mark.parametrize("document", ["{ greeting }", "{ __schema { queryType { name } } }", f"{PATIENT} "])
async def test_nothing_else_is_executed_where_only_they_are_trusted(strict: GraphQLServer, document: str) -> None:
    reply = await post(strict, query=document)

    assert (reply.status, reply.codes) == (200, ["DOCUMENT_NOT_TRUSTED"])
    assert "data" not in reply.json
    assert not strict.oddities.begun.is_set()


async def test_nobody_can_make_a_document_trusted(strict: GraphQLServer) -> None:
    extensions = {"persistedQuery": {"version": 1, "sha256Hash": sha256_of("{ greeting }")}}
    told = await post(strict, query="{ greeting }", extensions=extensions)
    by_hash = await post(strict, extensions=extensions)

    assert told.codes == by_hash.codes == ["DOCUMENT_NOT_TRUSTED"]
    assert strict.documents.documents == {}


async def test_other_documents_are_executed_where_not_only_they_are_trusted(
    listener: Listener, server: GraphQLServer
) -> None:
    put_behind(listener, server, exclusive=False)

    assert (await post(server, query="{ greeting }")).json == HELLO
