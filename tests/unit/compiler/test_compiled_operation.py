"""What compiled operations promise beside the answer of graphql-core, with which the random tests compare them."""

from __future__ import annotations

import asyncio
import builtins
import keyword
import traceback
from typing import Any

import pytest
from graphql import (
    ExecutionResult,
    GraphQLResolveInfo,
    GraphQLSchema,
    build_schema,
    execute_sync,
    parse,
)

from gallery.compiler import CompiledOperation, NotCompiled, compile_operation
from gallery.compiler.emit import _mangled

SCHEMA = build_schema(
    """
    type Query { a: Int, b: Int!, late: Int!, node: Node, nodes: [Node!] }
    type Node { id: ID!, name: String, late: Int!, other: Int }
    type Mutation { first: Int, second: Int, third: Int! }
    type Subscription { a: Int }
    """
)


def compiled(text: str, schema: GraphQLSchema = SCHEMA) -> CompiledOperation:
    operation = compile_operation(schema, parse(text))
    assert isinstance(operation, CompiledOperation), operation
    return operation


def test_an_operation_that_waits_for_nothing_is_answered_at_once() -> None:
    result = compiled("{ a node { id } }").start({"a": 1, "node": {"id": 7}})

    assert result == ExecutionResult({"a": 1, "node": {"id": "7"}})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{ __schema { description } }", "introspection"),
        ('{ __type(name: "Query") { name } }', "introspection"),
        ("subscription { a }", "subscription, or an operation that the schema does not have"),
        ("{ ... @defer { a } }", "@defer"),
        ("{ nodes @stream { id } }", "@stream"),
        ("query @experimental_disableErrorPropagation { a }", "@experimental_disableErrorPropagation"),
        ("query A { a } query B { a }", "no such operation"),
        ("query ($x: Boolean!) { a @skip(if: $x) }", "a condition has no Boolean value"),
        (f"{{ {' '.join(f'x{number}: a' for number in range(501))} }}", "more than 500 fields"),
    ],
)
def test_what_is_not_compiled_is_told_before_anything_is_executed(text: str, reason: str) -> None:
    assert compile_operation(SCHEMA, parse(text)) == NotCompiled(reason)


def test_nesting_is_bounded() -> None:
    schema = build_schema("type Query { a: Query, b: Int }")

    assert compile_operation(schema, parse("{ a " * 60 + "{ b }" + "}" * 60)) == NotCompiled("more than 40 levels")


def test_no_name_of_a_client_meets_a_name_of_python() -> None:
    names = [
        *keyword.kwlist,
        *keyword.softkwlist,
        *dir(builtins),
        "run",
        "source",
        "at",
        "value",
        "items",
        "v0",
        "plain",
    ]
    aliases = sorted({name for name in names if not name.startswith("__")})
    text = f"{{ {' '.join(f'{alias}: node {{ id }}' for alias in aliases)} }}"

    result = compiled(text).start({"node": {"id": "1"}})

    assert result == ExecutionResult({alias: {"id": "1"} for alias in aliases})


def test_strings_of_a_client_are_constants_at_most() -> None:
    schema = build_schema('type Query { say(text: String = "none"): String }')
    text = '{ say(text: "\\"\\"\\"\\n\'); import os; raise SystemExit #") }'

    operation = compiled(text, schema)

    assert "SystemExit" not in operation.source
    result = operation.start({"say": lambda _info, text: text})
    assert result == execute_sync(schema, parse(text), {"say": lambda _info, text: text})


def test_the_source_reads_and_tracebacks_show_it() -> None:
    def fail(_info: GraphQLResolveInfo[Any]) -> int:
        message = "no name"
        raise ValueError(message)

    operation = compiled("{ node { name } }")

    result = operation.start({"node": {"name": fail}})

    assert isinstance(result, ExecutionResult)
    assert result.errors is not None
    assert "# node: Node" in operation.source
    lines = "".join(traceback.format_exception(result.errors[0].original_error))
    assert "in node_1\n    if callable(v1): v1 = v1(run.info(field1, at))" in lines


def test_what_is_selected_can_be_known_before() -> None:
    operation = compiled("{ list: nodes { id ...more } a } fragment more on Node { label: name __typename }")

    assert operation.selected == {"list": {"Node.id", "Node.name"}}


async def test_the_rest_of_a_mutation_waits_for_each_of_its_fields() -> None:
    done: list[str] = []

    def slow(name: str, turns: int) -> Any:
        async def resolve(_info: GraphQLResolveInfo[Any]) -> int:
            for _ in range(turns):
                await asyncio.sleep(0)
            done.append(name)
            return len(done)

        return resolve

    operation = compiled("mutation { first second again: first third }")

    result = await operation.execute({"first": slow("first", 5), "second": slow("second", 2), "third": lambda _: 9})

    assert result == ExecutionResult({"first": 1, "second": 2, "again": 3, "third": 9})
    assert done == ["first", "second", "first"]


async def test_nothing_of_a_mutation_is_done_after_all_of_it_is_null() -> None:
    done: list[str] = []
    operation = compiled("mutation { third first }")

    result = await operation.execute({"third": None, "first": lambda _info: done.append("first")})

    assert result.data is None
    assert done == []


async def test_what_can_only_fill_a_place_that_is_null_is_cancelled() -> None:
    ended: list[str] = []

    async def fail(_info: GraphQLResolveInfo[Any]) -> int:
        await asyncio.sleep(0)
        message = "late"
        raise ValueError(message)

    async def hang(_info: GraphQLResolveInfo[Any]) -> int:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise
        return 1

    async def succeed(_info: GraphQLResolveInfo[Any]) -> int:
        for _ in range(9):
            await asyncio.sleep(0)
        return 5

    operation = compiled("{ node { late other } a }")

    result = await operation.execute({"node": {"late": fail, "other": hang}, "a": succeed})

    assert result.data == {"node": None, "a": 5}
    assert [error.path for error in result.errors or ()] == [["node", "late"]]
    assert ended == ["cancelled"]


async def test_whoever_cancels_an_operation_cancels_all_that_it_waits_for() -> None:
    begun, ended = asyncio.Event(), []

    async def hang(_info: GraphQLResolveInfo[Any]) -> int:
        begun.set()
        try:
            return await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    running = asyncio.ensure_future(compiled("{ a b }").execute({"a": hang, "b": hang}))
    await begun.wait()
    running.cancel()

    with pytest.raises(asyncio.CancelledError):
        await running
    assert ended == ["cancelled", "cancelled"]


def test_arguments_that_a_resolver_may_change_are_its_own() -> None:
    schema = build_schema("type Query { nodes: [Node] } type Node { take(items: [Int!]!): Int }")
    seen: list[list[int]] = []

    def take(_info: GraphQLResolveInfo[Any], items: list[int]) -> int:
        seen.append(list(items))
        items.append(9)
        return len(items)

    result = compiled("{ nodes { take(items: [1]) } }", schema).start({"nodes": [{"take": take}, {"take": take}]})

    assert result == ExecutionResult({"nodes": [{"take": 2}, {"take": 2}]})
    assert seen == [[1], [1]]


def test_variables_that_are_wrong_execute_nothing() -> None:
    schema = build_schema("type Query { double(n: Int!): Int }")
    called: list[int] = []
    text = "query ($n: Int!) { double(n: $n) }"

    result = compiled(text, schema).start({"double": lambda _info, n: called.append(n)}, None, {"n": "x"})

    assert result == execute_sync(schema, parse(text), None, None, {"n": "x"})
    assert called == []


def test_an_exception_that_is_raised_again_and_again_is_located_each_time() -> None:
    error = ValueError("the same")

    def fail(_info: GraphQLResolveInfo[Any]) -> None:
        raise error

    result = compiled("{ nodes { name other } }").start({"nodes": [{"name": fail, "other": fail}, {"name": fail}]})

    assert isinstance(result, ExecutionResult)
    paths = [found.path for found in result.errors or ()]
    assert paths == [["nodes", 0, "name"], ["nodes", 0, "other"], ["nodes", 1, "name"]]


def test_without_an_event_loop_nothing_is_left_to_be_awaited() -> None:
    begun: list[str] = []

    async def late(_info: GraphQLResolveInfo[Any]) -> int:
        begun.append("late")
        return 1

    result = compiled("{ late b }").start({"late": late, "b": None})

    assert isinstance(result, ExecutionResult)
    assert result.data is None
    assert begun == []


@pytest.mark.parametrize("name", ["x): raise SystemExit #", "a b", "", "1a", "\u00fc"])
def test_only_graphql_names_become_names_of_functions(name: str) -> None:
    with pytest.raises(ValueError, match="is no GraphQL name"):
        _mangled(name)
