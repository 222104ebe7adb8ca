from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from graphql import (
    ExecutionResult,
    GraphQLArgument,
    GraphQLField,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLString,
    build_schema,
    parse,
)

from gallery.compiler import (
    EXTENSION,
    Attribute,
    Batch,
    CompiledOperation,
    Direct,
    Item,
    Key,
    ResolveInfo,
    compile_operation,
)


def compiled(text: str, schema: GraphQLSchema) -> CompiledOperation:
    operation = compile_operation(schema, parse(text))
    assert isinstance(operation, CompiledOperation), operation
    return operation


class Parents:
    """A schema whose nodes are resolved in batches, and what was asked for."""

    def __init__(self) -> None:
        self.calls: list[tuple[list[Any], dict[str, Any], frozenset[str]]] = []
        tag = GraphQLObjectType("Tag", {"name": GraphQLField(GraphQLString, extensions={EXTENSION: Item(0)})})
        batch = {EXTENSION: Batch(self.tags)}
        arguments = {"first": GraphQLArgument(GraphQLInt, default_value=2)}
        node = GraphQLObjectType(
            "Node",
            {
                "id": GraphQLField(GraphQLInt, extensions={EXTENSION: Attribute("real")}),
                "tags": GraphQLField(GraphQLNonNull(GraphQLList(tag)), arguments, extensions=batch),
            },
        )
        many = {EXTENSION: Key("many")}
        direct = {EXTENSION: Direct(lambda source, info, _arguments: source[info.context])}
        self.schema = GraphQLSchema(
            GraphQLObjectType(
                "Query",
                {
                    "many": GraphQLField(GraphQLList(GraphQLList(node)), extensions=many),
                    "one": GraphQLField(node, extensions=direct),
                },
            )
        )

    async def tags(self, parents: Sequence[Any], info: ResolveInfo, arguments: dict[str, Any]) -> list[Any]:
        self.calls.append((list(parents), arguments, info.selected))
        await asyncio.sleep(0)
        return [ValueError(f"no tags of {parent}") if parent < 0 else [(f"tag {parent}",)] for parent in parents]


async def test_a_batch_gets_all_parents_of_a_level_in_one_call() -> None:
    parents = Parents()
    operation = compiled("{ many { id tags { name } } one { tags(first: 5) { name } } }", parents.schema)

    result = await operation.execute({"many": [[1, 2], None, [3]], "one": 4}, "one")

    assert result == ExecutionResult(
        {
            "many": [
                [{"id": 1, "tags": [{"name": "tag 1"}]}, {"id": 2, "tags": [{"name": "tag 2"}]}],
                None,
                [{"id": 3, "tags": [{"name": "tag 3"}]}],
            ],
            "one": {"tags": [{"name": "tag 4"}]},
        }
    )
    selected = frozenset({"Tag.name"})
    assert parents.calls == [([1, 2, 3], {"first": 2}, selected), ([4], {"first": 5}, selected)]


async def test_an_exception_among_the_values_of_a_batch_is_the_error_of_its_parent() -> None:
    parents = Parents()

    result = await compiled("{ many { tags { name } } }", parents.schema).execute({"many": [[1, -2]]})

    assert result.data == {"many": [[{"tags": [{"name": "tag 1"}]}, None]]}
    assert [(error.message, error.path) for error in result.errors or ()] == [("no tags of -2", ["many", 0, 1, "tags"])]


@pytest.mark.parametrize("values", [[], [[]] * 3])
async def test_a_batch_that_gives_too_few_or_too_many_values_fails_for_each_parent(values: list[Any]) -> None:
    async def tags(_parents: Sequence[Any], _info: ResolveInfo, _arguments: dict[str, Any]) -> list[Any]:
        return values

    parents = Parents()
    parents.schema.type_map["Node"].fields["tags"].extensions[EXTENSION] = Batch(tags)  # type: ignore[attr-defined]

    result = await compiled("{ many { tags { name } } }", parents.schema).execute({"many": [[1, 2]]})

    message = f"The batch of Node.tags gave {len(values)} values for 2 parents."
    assert result.data == {"many": [[None, None]]}
    assert [error.message for error in result.errors or ()] == [message, message]


async def test_a_batch_of_a_mutation_fills_its_place() -> None:
    async def answers(parents: Sequence[Any], _info: ResolveInfo, _arguments: dict[str, Any]) -> list[int]:
        return [41 + len(parents)]

    schema = build_schema("type Query { a: Int } type Mutation { first: Int, second: Int }")
    schema.mutation_type.fields["second"].extensions[EXTENSION] = Batch(answers)  # type: ignore[union-attr]

    result = await compiled("mutation { second first }", schema).execute({"first": 1})

    assert result == ExecutionResult({"second": 42, "first": 1})
