"""Which media type an answer has."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gallery.web.errors import RequestError
from gallery.web.graphql.negotiation import MediaType, negotiate, prefers_html


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("", MediaType.JSON),
        (" ", MediaType.JSON),
        ("*/*", MediaType.JSON),
        ("application/json", MediaType.JSON),
        ("APPLICATION/GraphQL-Response+JSON", MediaType.GRAPHQL),
        ("application/graphql-response+json,application/json;q=0.9", MediaType.GRAPHQL),
        ("application/json, application/graphql-response+json", MediaType.GRAPHQL),
        ("application/json, */*", MediaType.JSON),
        ("application/graphql-response+json;q=0.2, */*;q=0.1", MediaType.GRAPHQL),
        ("application/graphql-response+json;q=0.1, */*;q=0.2", MediaType.JSON),
        ("application/graphql-response+json;q=0, */*", MediaType.JSON),
        ("application/json;q=0, */*", MediaType.GRAPHQL),
        ("application/json;charset=utf-8;q=0.5", MediaType.JSON),
        ("text/html,application/xhtml+xml,*/*;q=0.8", MediaType.JSON),
        ("text/event-stream", MediaType.EVENTS),
        ("text/event-stream, */*", MediaType.EVENTS),
        ("text/event-stream, application/json;q=0.9", MediaType.EVENTS),
        ("text/event-stream, application/json", MediaType.JSON),
        ("application/graphql-response+json, text/event-stream", MediaType.GRAPHQL),
    ],
)
def test_client_gets_what_it_likes_best(accept: str, media_type: MediaType) -> None:
    assert negotiate(accept) is media_type


@pytest.mark.parametrize(
    "accept",
    [
        "text/html",
        "text/*",
        "application/xml",
        "application/json;q=0",
        "text/event-stream;q=0",
        "*/*;q=0",
        "json",
        "application/json;q=high",
    ],
)
def test_client_that_takes_neither_is_refused(accept: str) -> None:
    with pytest.raises(RequestError) as refusal:
        negotiate(accept)

    assert refusal.value.status == 406


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", True),
        ("text/html", True),
        ("text/html, application/json;q=0.9", True),
        ("", False),
        ("*/*", False),
        ("text/*", False),
        ("application/json, text/html", False),
        ("application/json, text/html;q=0.9", False),
        ("text/html;q=0", False),
    ],
)
def test_page_is_for_those_who_ask_for_one(accept: str, expected: bool) -> None:  # a table of answers
    assert prefers_html(accept) is expected


@given(st.text(alphabet="*/,;=q.01 aplictonjshmgr+-", max_size=60))
def test_any_field_is_understood_or_refused(accept: str) -> None:
    prefers_html(accept)
    try:
        assert negotiate(accept) in MediaType
    except RequestError as refusal:
        assert refusal.status == 406  # noqa: PT017  # both endings are right
