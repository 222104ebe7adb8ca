"""Variables have the values that graphql-core gives them, however they come by them."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import GraphQLError, OperationDefinitionNode, build_schema, get_variable_values, parse
from graphql.execution.values import VariableValues

from gallery.compiler.variables import Variables

SCHEMA = build_schema(
    "input Filter { tag: String! } type Query { a(x: ID, y: String, z: Boolean, n: Int, f: Filter): Int }"
)
PLAIN = "($x: ID!, $y: String, $z: Boolean = true)"


def told(found: VariableValues | list[GraphQLError]) -> object:
    """All that can be told of values or errors: the types in them are made anew each time, and are the same as none."""
    if isinstance(found, list):
        return found
    sources = {name: (str(source.signature.type), source.value) for name, source in found.sources.items()}
    return found.coerced, sources


@pytest.mark.parametrize(
    ("declared", "values"),
    [
        ("", {"x": "unknown"}),
        (PLAIN, {"x": "1", "y": "two", "z": False}),
        (PLAIN, {"x": "1", "y": "two", "z": False, "unknown": 1}),
        (PLAIN, {"x": 1, "y": "two", "z": False}),
        (PLAIN, {"x": "1", "y": None}),
        (PLAIN, {"x": "1"}),
        (PLAIN, {}),
        (PLAIN, {"x": None, "y": 2, "z": "no"}),
        ("($n: Int)", {"n": 2**31}),
        ("($n: Int)", {"n": 1}),
        ("($f: Filter)", {"f": {"tag": "sea"}}),
        ("($f: Filter)", {"f": {}}),
        ("($ids: [ID!])", {"ids": "1"}),
        ("($x: Nothing)", {"x": "1"}),
    ],
    ids=str,
)
def test_values_and_what_is_wrong_with_them_are_those_of_graphql_core(declared: str, values: dict[str, Any]) -> None:
    [operation] = parse(f"query {declared} {{ a }}").definitions
    assert isinstance(operation, OperationDefinitionNode)
    definitions = operation.variable_definitions or ()

    found, expected = Variables(SCHEMA, definitions).coerced(values), get_variable_values(SCHEMA, definitions, values)

    assert told(found) == told(expected)
