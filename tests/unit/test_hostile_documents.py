"""Documents that are made to keep a server busy get the answer that the limits have for them."""

from __future__ import annotations

import gc
import weakref

import pytest
from graphql import SourceLocation, get_introspection_query

from benchmarks.hostile_documents import ACCEPTED, REFUSED
from gallery.web.graphql.execution import prepare
from gallery.web.graphql.schema import schema
from gallery.web.graphql.validation import (
    DEFAULT_LIMITS,
    MOST_COMMENTS,
    MOST_ERRORS,
    RefusedDocumentError,
    cut_tokens,
    parsed,
)

MOST_TOKENS, MOST_CHARACTERS = DEFAULT_LIMITS.max_tokens, DEFAULT_LIMITS.max_document_characters
MOST_INTROSPECTED_LISTS = DEFAULT_LIMITS.max_introspected_lists


def codes_of(document: str) -> list[str]:
    with pytest.raises(RefusedDocumentError) as refused:
        prepare(schema, document, None)
    return [(error.extensions or {})["code"] for error in refused.value.errors]


@pytest.mark.parametrize(("code", "document"), REFUSED.values(), ids=REFUSED)
def test_what_would_take_long_is_refused(code: str, document: str) -> None:
    codes = codes_of(document)
    assert set(codes) == {code}
    assert len(codes) <= MOST_ERRORS + 1  # the last says that there are more


@pytest.mark.parametrize("document", ACCEPTED.values(), ids=ACCEPTED)
def test_what_only_looks_as_if_is_executed(document: str) -> None:
    assert prepare(schema, document, None).root_fields is not None


def test_the_query_that_tools_send_for_the_schema_is_executed() -> None:
    query = get_introspection_query(
        specified_by_url=True, directive_is_repeatable=True, schema_description=True, input_value_deprecation=True
    )
    assert prepare(schema, query, None).root_fields == ("__schema",)


@pytest.mark.parametrize(
    ("fits", "too_much"),
    [
        # two braces, and the marks of the beginning and the end, are tokens as well
        ("{ " + "__typename " * (MOST_TOKENS - 3) + "}", "{ " + "__typename " * MOST_TOKENS + "}"),
        ("{ a " + " " * (MOST_CHARACTERS - 5) + "}", "{ a " + " " * (MOST_CHARACTERS - 4) + "}"),
        ("#\n" * MOST_COMMENTS + "{ a }", "#\n" * (MOST_COMMENTS + 1) + "{ a }"),
    ],
    ids=["tokens", "characters", "comments"],
)
def test_limits_are_where_they_are_said_to_be(fits: str, too_much: str) -> None:
    assert parsed(fits).definitions
    with pytest.raises(RefusedDocumentError) as refused:
        parsed(too_much)
    assert [(error.extensions or {})["code"] for error in refused.value.errors] == ["DOCUMENT_TOO_COMPLEX"]


def test_lists_of_the_schema_are_counted_wherever_they_stand() -> None:
    def document(lists: int) -> str:
        names = " ".join(f"a{number}: fields {{ name }}" for number in range(lists - 1))
        return f"{{ __schema {{ types {{ name ...F }} }} }} fragment F on __Type {{ {names} }}"

    assert prepare(schema, document(MOST_INTROSPECTED_LISTS), None).root_fields == ("__schema",)
    assert codes_of(document(MOST_INTROSPECTED_LISTS + 1)) == ["GRAPHQL_VALIDATION_FAILED"]


def test_tokens_are_counted_with_the_marks_of_beginning_and_end_and_are_no_chain_any_more() -> None:
    document = parsed("{ a(b: 1) # not one\n}")
    assert cut_tokens(document) == 11
    assert cut_tokens(document) == 1


def test_errors_have_their_locations_without_the_chain() -> None:
    with pytest.raises(RefusedDocumentError) as refused:
        prepare(schema, "{ stats { imageCount }\n  nothing }", None)
    assert [error.locations for error in refused.value.errors] == [[SourceLocation(2, 3)]]


def test_a_document_that_is_forgotten_gives_its_memory_back_at_once() -> None:
    operation = prepare(schema, "{ stats { imageCount } }", None)
    gc.collect()  # what validating has left behind
    document = weakref.ref(operation.document)
    gc.disable()
    try:
        del operation
        assert document() is None
    finally:
        gc.enable()
