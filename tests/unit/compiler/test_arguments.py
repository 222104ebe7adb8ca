"""Arguments that need no coercion: which these are, and that they are what graphql-core makes of them."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import (
    FieldNode,
    GraphQLArgument,
    GraphQLError,
    GraphQLField,
    GraphQLID,
    GraphQLInt,
    GraphQLNonNull,
    GraphQLString,
    OperationDefinitionNode,
    build_schema,
    parse,
)
from graphql.execution.values import VariableValues, get_argument_values, get_variable_values

from gallery.compiler.arguments import PlainArgument, plain_arguments
from gallery.compiler.operation import CompiledOperation, compile_operation

SCHEMA_TEXT = """
type Query {
  found(id: ID!, first: Int, after: String = null): String
  counted(first: Int = 10, tags: [String!]): String
}
"""
SCHEMA = build_schema(SCHEMA_TEXT)
assert SCHEMA.query_type is not None
FOUND, COUNTED = (SCHEMA.query_type.fields[name] for name in ("found", "counted"))


def field_in(text: str) -> FieldNode:
    operation = parse(text).definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    field = operation.selection_set.selections[0]
    assert isinstance(field, FieldNode)
    return field


def test_variables_and_what_is_null_by_default_are_plain() -> None:
    arguments = {
        "id": GraphQLArgument(GraphQLNonNull(GraphQLID), out_name="id_"),
        "first": GraphQLArgument(GraphQLInt),
        "after": GraphQLArgument(GraphQLString, default_value=None),
    }
    field = GraphQLField(GraphQLString, arguments)
    node = field_in("query ($id: ID!) { found(id: $id) }")

    plain = plain_arguments(field, node)

    assert plain == (PlainArgument("id_", "id"), PlainArgument("after", None))
    values = VariableValues({}, {"id": "7"})
    assert get_argument_values(field, node, values) == {"id_": "7", "after": None}


@pytest.mark.parametrize(
    "text",
    ['{ found(id: "7") }', "query ($id: ID!) { found(id: $id, first: 3) }", "query ($id: ID!) { found(first: $id) }"],
    ids=["a literal", "a literal beside a variable", "a required one is missing"],
)
def test_literals_and_missing_values_are_not(text: str) -> None:
    assert plain_arguments(FOUND, field_in(text)) is None


def test_a_default_that_is_not_null_has_to_be_coerced() -> None:
    assert plain_arguments(COUNTED, field_in("query ($tags: [String!]) { counted(tags: $tags) }")) is None


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ("query ($id: ID!, $n: Int) { found(id: $id, first: $n) }", {"id": "7", "n": 3}),
        ("query ($id: ID!, $n: Int) { found(id: $id, first: $n) }", {"id": "7", "n": None}),
        ("query ($id: ID!, $n: Int) { found(id: $id, first: $n) }", {"id": "7"}),
        ("query ($id: ID!, $n: Int = 5) { found(id: $id, first: $n) }", {"id": "7"}),
        ("query ($n: Int, $tags: [String!]) { counted(first: $n, tags: $tags) }", {}),
        ("query ($n: Int, $tags: [String!]) { counted(first: $n, tags: $tags) }", {"n": 1, "tags": "one"}),
    ],
    ids=["given", "null", "left out", "default of a variable", "default of an argument", "a list of one"],
)
async def test_resolvers_get_what_graphql_core_would_give_them(text: str, variables: dict[str, Any]) -> None:
    got: list[dict[str, Any]] = []
    schema = build_schema(SCHEMA_TEXT)
    assert schema.query_type is not None
    for field in schema.query_type.fields.values():
        field.resolve = lambda _source, _info, **arguments: got.append(arguments)
    compiled = compile_operation(schema, parse(text), None, variables)
    assert isinstance(compiled, CompiledOperation)

    await compiled.execute(None, None, variables)

    node, definitions = field_in(text), parse(text).definitions[0]
    assert isinstance(definitions, OperationDefinitionNode)
    values = get_variable_values(schema, definitions.variable_definitions or (), variables)
    assert isinstance(values, VariableValues)
    assert got == [get_argument_values(schema.query_type.fields[node.name.value], node, values)]


async def test_null_where_it_may_not_be_is_an_error_of_the_field() -> None:
    compiled = compile_operation(SCHEMA, parse("query ($id: ID = null) { found(id: $id) }"))
    assert isinstance(compiled, CompiledOperation)

    result = await compiled.execute(None, None, {})

    assert result.data == {"found": None}
    assert [type(error) for error in result.errors or ()] == [GraphQLError]
