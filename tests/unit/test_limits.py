"""Every limit is where it is said to be: what has just so much is taken, and one more is refused with its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from graphql import ExecutionResult, GraphQLError

from gallery.settings_limits import LimitSettings
from gallery.web.graphql.execution import format_result, prepare
from gallery.web.graphql.schema import schema
from gallery.web.graphql.validation import RefusedDocumentError
from gallery.web.graphql.variables import require_modest

Extensions = dict[str, Any] | None


def refusal_of(document: str, limits: LimitSettings) -> Extensions:
    with pytest.raises(RefusedDocumentError) as refused:
        prepare(schema, document, None, limits)
    (error,) = refused.value.errors
    return error.extensions


def lists_of_ids(count: int) -> str:
    return "{ nodes(ids: [" + '"a" ' * count + "]) { id } }"


DOCUMENTS: dict[str, tuple[str, str, int, Callable[[int], str]]] = {
    "characters": ("max_document_characters", "characters", 40, lambda n: "{ __typename #" + "a" * (n - 16) + "\n}"),
    "aliases": ("max_aliases", "aliases", 4, lambda n: "{ " + " ".join(f"a{i}: __typename" for i in range(n)) + " }"),
    "directives": (
        "max_directives",
        "directives",
        4,
        lambda n: "{ " + " ".join(f"a{i}: __typename @skip(if: true)" for i in range(n)) + " }",
    ),
    "directives of fragments": (
        "max_directives",
        "directives",
        2,
        lambda n: "{ " + "...F @skip(if: true) " * n + "} fragment F on Query { __typename }",
    ),
    "items of a list": ("max_list_items", "listItems", 4, lists_of_ids),
    "root fields": (
        "max_root_fields",
        "rootFields",
        4,
        lambda n: "{ " + " ".join(f"a{i}: stats {{ imageCount }}" for i in range(n)) + " }",
    ),
    "root fields of fragments": (
        "max_root_fields",
        "rootFields",
        3,
        lambda n: (
            "{ ...F ... { a: stats { imageCount } } } fragment F on Query { "
            + " ".join(f"b{i}: stats {{ imageCount }}" for i in range(n - 1))
            + " }"
        ),
    ),
    "depth": (
        "max_depth",
        "depth",
        4,
        lambda n: "{ images { nodes { tags { " + ("id" if n == 4 else "images { totalCount }") + " } } } }",
    ),
    "depth of fragments": (
        "max_depth",
        "depth",
        5,
        lambda n: (
            "{ images { nodes { ...F } } } fragment F on Image { tags { images { "
            + ("__typename" if n == 5 else "nodes { id }")
            + " } } }"
        ),
    ),
    "depth through fragments": (
        "max_depth",
        "depth",
        4,
        lambda n: (
            "{ images { nodes { ...F } } } fragment G on Image { tags { "
            + ("id" if n == 4 else "images { totalCount }")
            + " } } fragment F on Image { ... { ...G } }"
        ),
    ),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_may_have_so_much_and_no_more(name: str) -> None:
    setting, told, maximum, document = DOCUMENTS[name]
    limits = LimitSettings.model_validate({setting: maximum})

    assert prepare(schema, document(maximum), None, limits).root_fields is not None
    assert refusal_of(document(maximum + 1), limits) == {
        "code": "DOCUMENT_TOO_COMPLEX",
        "limit": told,
        "maximum": maximum,
    }


def test_tokens_are_counted_before_the_document_is_parsed_to_its_end() -> None:
    def document(tokens: int) -> str:
        return "{ stats {" + " imageCount" * (tokens - 5) + " } }"

    limits = LimitSettings(max_tokens=10)
    assert prepare(schema, document(10), None, limits).root_fields == ("stats",)
    assert refusal_of(document(11), limits) == {"code": "DOCUMENT_TOO_COMPLEX"}


def test_lists_of_the_schema_are_counted() -> None:
    limits = LimitSettings(max_introspected_lists=1)
    assert prepare(schema, "{ __schema { types { name } } }", None, limits).root_fields == ("__schema",)
    assert refusal_of("{ __schema { types { name } directives { name } } }", limits) == {
        "code": "GRAPHQL_VALIDATION_FAILED"
    }


def test_circles_in_the_schema_are_not_gone_round() -> None:
    circle = '{ __type(name: "Image") { ' + "fields { type { " * 3 + "name" + " } }" * 3 + " } }"
    assert refusal_of(circle, LimitSettings()) == {"code": "GRAPHQL_VALIDATION_FAILED"}


def test_a_fragment_that_spreads_itself_is_refused_as_wrong() -> None:
    circle = "{ ...F } fragment F on Query { stats { imageCount } ...G } fragment G on Query { ...F }"
    with pytest.raises(RefusedDocumentError) as refused:
        prepare(schema, circle, None)
    assert {(error.extensions or {})["code"] for error in refused.value.errors} == {"GRAPHQL_VALIDATION_FAILED"}


def deep(depth: int) -> object:
    value: object = 1
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value


@pytest.mark.parametrize(
    ("setting", "told", "maximum", "value"),
    [
        ("max_list_items", "listItems", 4, lambda n: ["a"] * n),
        ("max_list_items", "listItems", 4, lambda n: {"ids": ["a"] * n}),
        ("max_variable_values", "values", 4, lambda n: ["a"] * (n - 1)),
        ("max_variable_values", "values", 4, lambda n: {str(one): one for one in range(n - 1)}),
        ("max_variable_values", "values", 4, lambda n: [[1] * (n - 2)]),
        ("max_variable_depth", "depth", 4, deep),
    ],
    ids=["list", "list in an object", "values of a list", "values of an object", "values in a list", "depth"],
)
def test_variables_may_have_so_much_and_no_more(
    setting: str, told: str, maximum: int, value: Callable[[int], object]
) -> None:
    limits = LimitSettings.model_validate({setting: maximum})

    require_modest({"a": value(maximum)}, limits)
    with pytest.raises(RefusedDocumentError) as refused:
        require_modest({"a": value(maximum + 1)}, limits)
    (error,) = refused.value.errors
    assert error.extensions == {"code": "VARIABLES_TOO_COMPLEX", "limit": told, "maximum": maximum}


def test_many_variables_are_many_values() -> None:
    limits = LimitSettings(max_variable_values=2)
    require_modest({"a": 1, "b": 2}, limits)
    with pytest.raises(RefusedDocumentError):
        require_modest({"a": 1, "b": 2, "c": 3}, limits)


def test_variables_of_any_depth_are_looked_at_without_recursion() -> None:
    with pytest.raises(RefusedDocumentError):
        require_modest({"a": deep(100_000)}, LimitSettings())


@pytest.mark.parametrize(("count", "told"), [(3, 3), (4, 4)])
def test_of_many_errors_some_are_told_and_how_many_there_are(count: int, told: int) -> None:
    errors = [GraphQLError(f"error {number}", path=["a", number]) for number in range(count)]
    answer = format_result(ExecutionResult({"a": None}, errors), "1", 3)

    assert len(answer["errors"]) == told
    assert [error["message"] for error in answer["errors"][:3]] == ["error 0", "error 1", "error 2"]
    if count > 3:
        assert answer["errors"][3] == {
            "message": "1 more errors are not told.",
            "extensions": {"code": "TOO_MANY_ERRORS", "requestId": "1"},
        }


def test_a_bucket_that_holds_no_operation_is_refused() -> None:
    assert LimitSettings(max_cost=10, cost_bucket=10).cost_bucket == 10
    with pytest.raises(ValueError, match="GALLERY_GRAPHQL__COST_BUCKET is 10"):
        LimitSettings(max_cost=11, cost_bucket=10)
