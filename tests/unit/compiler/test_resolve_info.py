from __future__ import annotations

import asyncio
from typing import Any

from graphql import ExecutionResult, GraphQLResolveInfo, build_schema, execute_sync, parse

from gallery.compiler import EXTENSION, CompiledOperation, Direct, compile_operation


def test_the_info_of_a_declared_resolver_says_what_graphql_core_says() -> None:
    names = [name for name in GraphQLResolveInfo._fields if name != "async_helpers"]
    seen: list[dict[str, Any]] = []

    def resolve(_source: Any, info: Any, *_: Any, **__: Any) -> int:
        seen.append({name: getattr(info, name) for name in names})
        return 1

    schema = build_schema("type Query { nodes: [Node] } type Node { count(n: Int): Int }")
    field = schema.type_map["Node"].fields["count"]  # type: ignore[attr-defined]
    field.resolve, field.extensions[EXTENSION] = resolve, Direct(resolve)
    text = "query ($n: Int) { nodes { again: count(n: $n) ...f } } fragment f on Node { again: count(n: $n) }"
    document = parse(text)
    root: dict[str, Any] = {"nodes": [{}, {}]}

    expected = execute_sync(schema, document, root, "context", {"n": 1})
    operation = compile_operation(schema, document)
    assert isinstance(operation, CompiledOperation)
    result = operation.start(root, "context", {"n": 1})

    assert result == expected == ExecutionResult({"nodes": [{"again": 1}, {"again": 1}]})
    assert seen[2:] == [{**info, "is_awaitable": seen[2]["is_awaitable"]} for info in seen[:2]]


async def test_resolvers_may_gather_and_track_what_they_begin() -> None:
    done: list[str] = []

    async def work(name: str) -> int:
        await asyncio.sleep(0)
        done.append(name)
        return 1

    async def resolve(info: GraphQLResolveInfo[Any]) -> int:
        info.async_helpers.track([work("tracked"), "no work"])
        return sum(await info.async_helpers.gather([work("one"), work("two")]))

    operation = compile_operation(build_schema("type Query { a: Int }"), parse("{ a }"))
    assert isinstance(operation, CompiledOperation)

    assert await operation.execute({"a": resolve}) == ExecutionResult({"a": 2})
    assert done == ["tracked", "one", "two"]
