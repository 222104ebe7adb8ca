"""Who is told the schema, and what those learn of it who are not."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

import httpx
import pytest
from graphql import GraphQLError, get_introspection_query

from gallery.domain.access import ANONYMOUS, LOCAL_ADMINISTRATOR, Right, Viewer
from gallery.domain.errors import OverloadedError
from gallery.domain.ids import UserId
from gallery.settings import Settings
from gallery.settings_auth import AuthMode, AuthSettings
from gallery.settings_graphql import Exposed, GraphQLSettings
from gallery.web.app import create_web_app
from gallery.web.authentication import VIEWER
from gallery.web.errors import RequestCode
from gallery.web.graphql.errors import with_code
from gallery.web.graphql.exposure import EXPOSED, HIDDEN, Exposure, shown_to
from tests.fakes.gallery import MemoryGallery
from tests.unit.test_app import parts_of

READER = Viewer(id=UserId(UUID(int=7)), rights=frozenset({Right.READ}))
STRANGER = replace(ANONYMOUS, rights=frozenset({Right.READ}))
"""Of a gallery that shows itself to whoever comes."""

GUESSES = {
    "field": "{ imagez(first: 1) { nodes { id } } }",
    "field-of-type": "{ images(first: 1) { nodes { titel } } }",
    "type": "query ($a: ImageSor) { images(sort: $a) { totalCount } }",
    "argument": "{ images(frist: 1) { totalCount } }",
    "input-field": "mutation { createTag(input: {nmae: 1}) { tag { id } } }",
    "enum-value": "{ images(sort: {field: UPLOADED_A, direction: DESC}) { totalCount } }",
    "selection": "{ images }",
    "fragment": "{ node(id: 1) { title } }",
    "required": "{ node { id } }",
    "directive": "{ images @skipp(if: true) { totalCount } }",
}
ENUM_IN_VARIABLE = {
    "query": "query ($sort: ImageSort) { images(sort: $sort) { totalCount } }",
    "variables": {"sort": {"field": "UPLOADED_A", "direction": "DESC"}},
}
FIELD_IN_VARIABLE = {
    "query": "mutation ($input: CreateTagInput!) { createTag(input: $input) { tag { id } } }",
    "variables": {"input": {"nmae": "x"}},
}


@asynccontextmanager
async def asking(viewer: Viewer, mode: AuthMode = AuthMode.TOKEN, **graphql: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a gallery with these settings, who is known to be the viewer."""
    settings = Settings(auth=AuthSettings(mode=mode), graphql=GraphQLSettings.model_validate(graphql))
    app = create_web_app(replace(parts_of(MemoryGallery()), settings=settings))

    async def known(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401  # ASGI
        scope[VIEWER] = viewer
        await app(scope, receive, send)

    transport = httpx.ASGITransport(known, client=("127.0.0.1", 50_000))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        yield client


async def post(client: httpx.AsyncClient, document: str | Mapping[str, object]) -> dict[str, Any]:
    body = {"query": document} if isinstance(document, str) else dict(document)
    answer: dict[str, Any] = (await client.post("/graphql", json=body)).json()
    return answer


def codes(answer: Mapping[str, Any]) -> list[str]:
    return [error["extensions"]["code"] for error in answer["errors"]]


# Introspection

INTROSPECTION = {
    "whole": get_introspection_query(),
    "schema": "{ __schema { queryType { name } } }",
    "type": '{ __type(name: "Image") { name } }',
    "alias": "{ harmless: __schema { queryType { name } } }",
    "fragment": 'query { ...A } fragment A on Query { ... { __type(name: "Image") { name } } }',
    "skipped": "query ($no: Boolean = false) { __schema @include(if: $no) { queryType { name } } }",
    "beside": "{ __typename tags { totalCount } __schema { queryType { name } } }",
}


@pytest.mark.parametrize("document", INTROSPECTION.values(), ids=INTROSPECTION.keys())
async def test_the_schema_is_told_to_those_who_are_known_and_to_nobody_else(document: str) -> None:
    async with asking(READER) as client:
        assert "errors" not in await post(client, document)
    for viewer, exposed in ((STRANGER, "auto"), (READER, "off")):
        async with asking(viewer, introspection=exposed) as client:
            answer = await post(client, document)
            assert "data" not in answer
            if viewer is READER:
                assert codes(answer) == ["INTROSPECTION_DISABLED"]


async def test_everybody_is_told_the_schema_if_it_is_on() -> None:
    async with asking(READER, introspection="on") as client:
        assert "errors" not in await post(client, get_introspection_query())


@pytest.mark.parametrize("mode", [AuthMode.LOCAL, AuthMode.OPEN])
async def test_a_gallery_that_asks_nobody_who_they_are_tells_its_schema(mode: AuthMode) -> None:
    async with asking(LOCAL_ADMINISTRATOR, mode) as client:
        assert "errors" not in await post(client, get_introspection_query())
        assert "type Image" in (await client.get("/schema.graphql")).text


async def test_the_name_of_a_type_is_told_as_ever() -> None:
    async with asking(READER, introspection="off") as client:
        assert await post(client, "{ tags { __typename } }") == {"data": {"tags": {"__typename": "TagConnection"}}}


@pytest.mark.parametrize(
    ("viewer", "exposed", "status"),
    [
        pytest.param(READER, "auto", 200, id="known"),
        pytest.param(STRANGER, "auto", 401, id="stranger"),
        pytest.param(STRANGER, "on", 200, id="stranger-on"),
        pytest.param(READER, "off", 404, id="known-off"),
    ],
)
async def test_the_schema_as_text_is_told_to_the_same(viewer: Viewer, exposed: str, status: int) -> None:
    async with asking(viewer if viewer is READER else ANONYMOUS, introspection=exposed) as client:
        answer = await client.get("/schema.graphql")
        assert answer.status_code == status
        assert ("type Image" in answer.text) == (status == 200)


# GraphiQL


@pytest.mark.parametrize(
    ("viewer", "exposed", "status"),
    [
        pytest.param(ANONYMOUS, "auto", 303, id="stranger"),
        pytest.param(ANONYMOUS, "signed-in", 303, id="stranger-signed-in"),
        pytest.param(READER, "signed-in", 200, id="known-signed-in"),
        pytest.param(READER, "off", 406, id="off"),
    ],
)
async def test_graphiql_is_for_those_whom_the_settings_name(viewer: Viewer, exposed: str, status: int) -> None:
    async with asking(viewer, graphiql=exposed) as client:
        answer = await client.get("/graphql", headers={"Accept": "text/html", "X-GraphQL-CSRF": "1"})
    assert answer.status_code == status
    assert answer.headers.get("content-type", "").startswith("text/html") == (status == 200)
    assert answer.headers.get("location", "").startswith("/auth/login?") == (status == 303)


# Errors


@pytest.mark.parametrize("document", GUESSES.values(), ids=GUESSES.keys())
async def test_where_suggestions_are_off_nothing_is_suggested(document: str) -> None:
    async with asking(READER, suggestions="off") as client:
        answer = await post(client, document)
    assert "Did you mean" not in json.dumps(answer)
    assert set(codes(answer)) == {"GRAPHQL_VALIDATION_FAILED"}


@pytest.mark.parametrize("document", [ENUM_IN_VARIABLE, FIELD_IN_VARIABLE], ids=["enum-value", "input-field"])
async def test_nor_are_parts_of_variables(document: Mapping[str, object]) -> None:
    async with asking(READER) as client:
        assert "Did you mean" in json.dumps(await post(client, document))
    async with asking(READER, suggestions="off") as client:
        answer = await post(client, document)
    assert "Did you mean" not in json.dumps(answer)
    assert set(codes(answer)) == {"BAD_USER_INPUT"}


async def test_those_who_are_known_are_helped() -> None:
    async with asking(READER) as client:
        answer = await post(client, GUESSES["field"])
    assert "Did you mean" in answer["errors"][0]["message"]


def validation_errors(*messages: str) -> list[GraphQLError]:
    return [with_code(GraphQLError(message), RequestCode.GRAPHQL_VALIDATION_FAILED) for message in messages]


def test_strangers_learn_that_something_is_wrong_and_no_name() -> None:
    exposure = Exposure.of(GraphQLSettings(), AuthMode.TOKEN)
    errors = validation_errors(
        "Cannot query field 'titel' on type 'Image'. Did you mean 'title'?",
        "Argument 'Query.node(id:)' of type 'ID!' is required, but it was not provided.",
    )
    (told,) = exposure.told(errors, STRANGER)
    assert told.message == "The document does not suit the schema."
    assert told.locations is None
    assert told.extensions == {"code": "GRAPHQL_VALIDATION_FAILED"}
    assert exposure.told(errors, READER) == errors


def test_strangers_learn_as_little_of_variables() -> None:
    (told,) = HIDDEN.told([GraphQLError("Variable '$a' got invalid value; Value 'X' is not of 'ImageSort'.")], STRANGER)
    assert told.message == "The variables do not suit the operation."


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(with_code(GraphQLError("Syntax Error"), RequestCode.GRAPHQL_PARSE_FAILED), id="syntax"),
        pytest.param(GraphQLError("too much to do", original_error=OverloadedError()), id="overload"),
    ],
)
def test_strangers_are_told_what_tells_nothing_of_the_schema(error: GraphQLError) -> None:
    assert HIDDEN.told([error], STRANGER) == [error]


def test_a_part_of_what_was_sent_that_looks_like_a_suggestion_keeps_nothing_of_a_real_one() -> None:
    errors = validation_errors("Unknown type 'A Did you mean B?'. Did you mean 'Image' or 'Tag'?")
    assert [error.message for error in HIDDEN.told(errors, READER)] == ["Unknown type 'A"]


# Settings


@pytest.mark.parametrize(
    ("mode", "usual"),
    [
        pytest.param(AuthMode.LOCAL, Exposed.ON, id="local"),
        pytest.param(AuthMode.OPEN, Exposed.ON, id="open"),
        pytest.param(AuthMode.TOKEN, Exposed.SIGNED_IN, id="token"),
        pytest.param(AuthMode.OIDC, Exposed.SIGNED_IN, id="oidc"),
    ],
)
def test_what_settings_leave_open_goes_by_the_mode(mode: AuthMode, usual: Exposed) -> None:
    exposure = Exposure.of(GraphQLSettings(), mode)
    assert (exposure.introspection, exposure.suggestions, exposure.graphiql) == (usual, usual, usual)


def test_what_settings_say_counts_in_every_mode() -> None:
    settings = GraphQLSettings(introspection=Exposed.OFF, suggestions=Exposed.OFF, graphiql=Exposed.SIGNED_IN)
    exposure = Exposure.of(settings, AuthMode.LOCAL)
    assert (exposure.introspection, exposure.suggestions) == (Exposed.OFF, Exposed.OFF)
    assert exposure.graphiql is Exposed.SIGNED_IN


@pytest.mark.parametrize("exposed", [Exposed.ON, Exposed.SIGNED_IN, Exposed.OFF])
def test_who_is_shown_what(exposed: Exposed) -> None:
    shown = (shown_to(exposed, STRANGER), shown_to(exposed, READER))
    assert shown == {
        Exposed.ON: (True, True), Exposed.SIGNED_IN: (False, True), Exposed.OFF: (False, False)
    }[exposed]  # fmt: skip
    assert shown_to(EXPOSED.introspection, STRANGER)
