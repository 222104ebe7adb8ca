"""Automatic persisted queries on a real socket."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from urllib.parse import urlencode

import pytest

from gallery.web.authentication import OPEN
from gallery.web.graphql.endpoint import GraphQLEndpoint
from gallery.web.graphql.persisted import KEPT_MAX_CHARACTERS
from tests.graphql_server import LIMITS, SCHEMA, GraphQLServer, Listener, Reply, graphql_server

JSON = "application/json"
GRAPHQL = "application/graphql-response+json"
GREETING = "query ($name: String) { greeting(name: $name) }"
HELLO = {"data": {"greeting": "Hello, world!"}}


def sha256_of(document: str) -> str:
    return hashlib.sha256(document.encode()).hexdigest()


def named(document: str, **changes: Any) -> dict[str, Any]:  # noqa: ANN401  # any JSON
    """The extensions by which a client names a document."""
    return {"persistedQuery": {"version": 1, "sha256Hash": sha256_of(document), **changes}}


async def post(server: GraphQLServer, accept: str = JSON, /, **parameters: Any) -> Reply:  # noqa: ANN401  # any JSON
    headers = {"Content-Type": JSON, "X-GraphQL-CSRF": "", "Accept": accept}
    return await server.post(json.dumps(parameters).encode(), **headers)


async def get(server: GraphQLServer, **fields: str) -> Reply:
    async with server.connection() as connection:
        await connection.send_head(f"/graphql?{urlencode(fields)}", "GET", Content_Type="")
        return await connection.reply()


@pytest.mark.parametrize(("accept", "status"), [(JSON, 200), (GRAPHQL, 400)])
async def test_a_document_that_nobody_told_is_not_found(server: GraphQLServer, accept: str, status: int) -> None:
    reply = await post(server, accept, extensions=named(GREETING))

    assert (reply.status, reply.codes) == (status, ["PERSISTED_QUERY_NOT_FOUND"])
    assert reply.json["errors"][0]["message"] == "PersistedQueryNotFound"
    assert "data" not in reply.json


async def test_a_document_that_was_told_once_is_known_by_its_hash(server: GraphQLServer) -> None:
    told = await post(server, query=GREETING, extensions=named(GREETING))
    by_hash = await post(server, extensions=named(GREETING), variables={"name": "Zoë"})
    empty = await post(server, query="", extensions=named(GREETING))

    assert told.json == empty.json == HELLO
    assert by_hash.json == {"data": {"greeting": "Hello, Zoë!"}}


async def test_a_document_is_named_by_get_as_well(server: GraphQLServer) -> None:
    await post(server, query=GREETING, extensions=named(GREETING))
    reply = await get(server, extensions=json.dumps(named(GREETING)), variables='{"name": "Zoë"}')

    assert (reply.status, reply.json) == (200, {"data": {"greeting": "Hello, Zoë!"}})


async def test_a_mutation_that_is_known_is_not_done_by_get(server: GraphQLServer) -> None:
    mutation = "mutation { patient }"
    await server.documents.keep(sha256_of(mutation), mutation)
    reply = await get(server, extensions=json.dumps(named(mutation)))

    assert (reply.status, reply.codes, reply.headers["allow"]) == (405, ["METHOD_NOT_ALLOWED"], "POST")
    assert not server.oddities.begun.is_set()


async def test_a_hash_of_another_document_is_refused_and_nothing_kept_or_done(server: GraphQLServer) -> None:
    reply = await post(server, query="mutation { patient }", extensions=named(GREETING))

    assert (reply.status, reply.codes) == (400, ["PERSISTED_QUERY_MISMATCH"])
    assert server.documents.documents == {}
    assert not server.oddities.begun.is_set()


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ("{ greeting", "GRAPHQL_PARSE_FAILED"),
        ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("query A { greeting } query B { greeting }", "OPERATION_NAME_REQUIRED"),
    ],
)
async def test_a_document_that_is_refused_is_not_kept(server: GraphQLServer, document: str, code: str) -> None:
    reply = await post(server, query=document, extensions=named(document))

    assert reply.codes == [code]
    assert server.documents.documents == {}


async def test_a_very_long_document_is_executed_but_not_kept(listener: Listener) -> None:
    async with graphql_server(listener, LIMITS.model_copy(update={"max_field_size": 1_000_000})) as server:
        document = GREETING + "#" * KEPT_MAX_CHARACTERS
        reply = await post(server, query=document, extensions=named(document))

        assert reply.json == HELLO
        assert server.documents.documents == {}


async def test_a_document_without_a_hash_is_not_kept(server: GraphQLServer) -> None:
    assert (await post(server, query=GREETING)).json == HELLO
    assert server.documents.documents == {}


@pytest.mark.parametrize(
    "extension",
    [7, {}, {"version": 1}, {"version": 2, "sha256Hash": "0" * 64}]
    + [{"version": 1, "sha256Hash": malformed} for malformed in (7, "", "0" * 63, "A" * 64, "0" * 63 + "\n")],
)
async def test_a_malformed_extension_is_refused(server: GraphQLServer, extension: object) -> None:
    reply = await post(server, query=GREETING, extensions={"persistedQuery": extension})

    assert (reply.status, reply.codes) == (400, ["BAD_REQUEST"])
    assert server.documents.documents == {}


async def test_an_extension_that_is_null_is_none(server: GraphQLServer) -> None:
    assert (await post(server, query=GREETING, extensions={"persistedQuery": None})).json == HELLO
    assert (await post(server, extensions={"persistedQuery": None})).codes == ["BAD_REQUEST"]


@pytest.mark.parametrize("query", [{}, {"query": GREETING}])
async def test_clients_are_told_where_there_are_no_persisted_queries(
    server: GraphQLServer, listener: Listener, query: dict[str, str]
) -> None:
    listener.app = GraphQLEndpoint(SCHEMA, server.use_cases, LIMITS, lambda _: "", OPEN)
    reply = await post(server, **query, extensions=named(GREETING))

    assert reply.codes == ["PERSISTED_QUERY_NOT_SUPPORTED"]
    assert reply.json["errors"][0]["message"] == "PersistedQueryNotSupported"
