"""What a schema may declare of fields and scalars, and what an operation looks at."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from graphql import (
    GraphQLField,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLString,
    parse,
)

from gallery.compiler import (
    EXTENSION,
    Attribute,
    CompiledOperation,
    Computed,
    Declaration,
    Serialized,
    compile_operation,
)

ROOT = SimpleNamespace(record=SimpleNamespace(**{"name": "sea", "no identifier": "sky"}), size=7)


def schema_of(type_: Any, declaration: Declaration) -> GraphQLSchema:  # any type
    return GraphQLSchema(
        GraphQLObjectType("Query", {"value": GraphQLField(type_, extensions={EXTENSION: declaration})})
    )


def compiled(schema: GraphQLSchema, text: str = "{ value }") -> CompiledOperation:
    operation = compile_operation(schema, parse(text))
    assert isinstance(operation, CompiledOperation), operation
    return operation


@pytest.mark.parametrize(
    ("declaration", "value"),
    [
        (Attribute("name", of="record"), "sea"),
        (Attribute("no identifier", of="record"), "sky"),
        (Computed(lambda parent, context: f"{context} {parent.size}"), "context 7"),
    ],
    ids=["attribute of an attribute", "name that is no identifier", "computed"],
)
async def test_a_field_is_what_is_declared(declaration: Declaration, value: str) -> None:
    operation = compiled(schema_of(GraphQLString, declaration))

    assert (await operation.execute(ROOT, "context")).data == {"value": value}


async def test_what_cannot_be_computed_is_an_error_of_the_field() -> None:
    operation = compiled(schema_of(GraphQLString, Computed(lambda parent, _: parent.missing)))

    result = await operation.execute(ROOT, None)

    assert result.data == {"value": None}
    assert [error.path for error in result.errors or ()] == [["value"]]


@pytest.mark.parametrize("is_non_null", [False, True], ids=["nullable", "non-null"])
@pytest.mark.parametrize(
    ("serialized", "value", "shown"),
    [
        (Serialized(int), 7, 7),
        (Serialized(int), "7", "slow 7"),
        (Serialized(int, lambda value: value + 1), 7, 8),
        (Serialized(int, lambda value: value + 1), True, "slow True"),
    ],
    ids=["as it is", "of another class", "by a function", "of another class than for the function"],
)
async def test_a_scalar_is_serialized_as_declared_or_else_as_always(
    is_non_null: bool, serialized: Serialized, value: object, shown: object
) -> None:
    size = GraphQLScalarType("Size", serialize=lambda value: f"slow {value}", extensions={EXTENSION: serialized})
    type_ = GraphQLNonNull(size) if is_non_null else size
    operation = compiled(schema_of(type_, Computed(lambda _parent, context: context)))

    assert (await operation.execute(ROOT, value)).data == {"value": shown}


@pytest.mark.parametrize("serialized", [Serialized(int), Serialized(int, str)], ids=["as it is", "by a function"])
async def test_null_is_not_serialized(serialized: Serialized) -> None:
    size = GraphQLScalarType("Size", extensions={EXTENSION: serialized})
    operation = compiled(schema_of(size, Computed(lambda _parent, context: context)))

    assert (await operation.execute(ROOT, None)).data == {"value": None}


def test_an_operation_tells_what_it_selects_of_each_type_wherever() -> None:
    node = GraphQLObjectType(
        "Node",
        lambda: {
            "name": GraphQLField(GraphQLString),
            "size": GraphQLField(GraphQLInt),
            "next": GraphQLField(node),
            "unused": GraphQLField(GraphQLInt),
        },
    )
    query = {"one": GraphQLField(node), "many": GraphQLField(GraphQLList(node))}
    operation = compiled(
        GraphQLSchema(GraphQLObjectType("Query", query)), "{ one { __typename next { name } } many { size } }"
    )

    assert operation.selected_by_type == {"Query": {"one", "many"}, "Node": {"next", "name", "size"}}
