from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Executor, ThreadPoolExecutor
from hashlib import sha256
from typing import Any

from graphql import DocumentNode, build_schema, parse

from gallery.compiler import CompiledOperation, NotCompiled, OperationCache
from gallery.compiler.cache import MOST_VARIANTS

SCHEMA = build_schema("type Query { a: Int, b: Int }")


def ask(cache: OperationCache, text: str, variables: dict[str, Any] | None = None) -> CompiledOperation | NotCompiled:
    document: DocumentNode = parse(text)
    return cache.get(sha256(text.encode()).digest(), document, None, variables or {})


async def done(executor: Executor) -> None:
    """Returns once all that the executor was asked for before is done, and the event loop knows."""
    executor.submit(lambda: None).result()
    for _ in range(5):  # the result of a thread reaches a callback in some turns of the loop
        await asyncio.sleep(0)


def test_an_operation_is_compiled_when_it_comes_for_the_second_time() -> None:
    cache = OperationCache(SCHEMA)

    first, second, third = (ask(cache, "{ a }") for _ in range(3))

    assert first == NotCompiled("comes for the first time")
    assert isinstance(second, CompiledOperation)
    assert third is second


def test_each_choice_of_what_is_left_is_compiled_by_itself() -> None:
    cache = OperationCache(SCHEMA)
    text = "query ($x: Boolean!, $y: Int) { a @skip(if: $x) b @include(if: $x) }"
    ask(cache, text)

    with_a, with_b, same = (ask(cache, text, {"x": x, "y": y}) for x, y in [(False, 1), (True, 1), (False, 2)])

    assert isinstance(with_a, CompiledOperation)
    assert isinstance(with_b, CompiledOperation)
    assert with_a is same
    assert with_a is not with_b
    result = with_a.start({"a": 1, "b": 2}, None, {"x": False})
    assert result == ({"a": 1}, None)
    assert with_b.start({"a": 1, "b": 2}, None, {"x": True}) == ({"b": 2}, None)


def test_a_condition_without_a_boolean_is_left_to_graphql_core() -> None:
    cache = OperationCache(SCHEMA)
    text = "query ($x: Boolean!) { a @skip(if: $x) }"
    ask(cache, text)

    assert ask(cache, text, {"x": "yes"}) == NotCompiled("a condition has no Boolean value")
    assert ask(cache, text) == NotCompiled("a condition has no Boolean value")


def test_a_default_is_the_value_of_a_condition() -> None:
    cache = OperationCache(SCHEMA)
    text = "query ($x: Boolean = true) { a @skip(if: $x) b }"
    ask(cache, text)

    compiled = ask(cache, text)

    assert isinstance(compiled, CompiledOperation)
    assert compiled.start({"a": 1, "b": 2}) == ({"b": 2}, None)


def test_what_cannot_be_compiled_is_found_out_once() -> None:
    cache = OperationCache(SCHEMA)
    text = "{ __schema { description } }"
    ask(cache, text)

    refused = ask(cache, text)

    assert refused == NotCompiled("introspection")
    assert ask(cache, text) is refused


def test_a_stream_of_operations_fills_nothing_and_pushes_out_nothing_that_is_used() -> None:
    cache = OperationCache(SCHEMA, most_fields=8)
    _, used, *_ = [ask(cache, "{ a b }") for _ in range(4)]

    for number in range(200):
        for _ in range(2):
            ask(cache, f"{{ x{number}: a }}")

    assert cache.field_count <= 8
    assert ask(cache, "{ a b }") is used


def test_the_choices_of_one_operation_are_bounded() -> None:
    cache = OperationCache(SCHEMA)
    names = [f"v{number}" for number in range(5)]
    declared = ", ".join(f"${name}: Boolean!" for name in names)
    text = f"query ({declared}) {{ {' '.join(f'{name}: a @skip(if: ${name})' for name in names)} b }}"
    ask(cache, text)

    answers = [
        ask(cache, text, {name: bool(number >> index & 1) for index, name in enumerate(names)}) for number in range(32)
    ]

    assert sum(isinstance(answer, CompiledOperation) for answer in answers) == MOST_VARIANTS
    assert answers[-1] == NotCompiled("more than 16 choices of @skip and @include")


def test_large_operations_take_the_place_of_several_small_ones() -> None:
    cache = OperationCache(SCHEMA, most_fields=80)
    for number in range(30):
        for _ in range(2):
            ask(cache, f"{{ {' '.join(f'x{number}y{field}: a' for field in range(10))} }}")

    assert cache.field_count == 20


async def test_a_thread_compiles_while_the_operation_is_executed_otherwise() -> None:
    with ThreadPoolExecutor(max_workers=1) as executor:
        cache = OperationCache(SCHEMA, executor=executor)

        first, second = ask(cache, "{ a }"), ask(cache, "{ a }")
        await done(executor)

        assert first == NotCompiled("comes for the first time")
        assert second == NotCompiled("is being compiled, or waits for it")
        assert isinstance(ask(cache, "{ a }"), CompiledOperation)


async def test_few_operations_wait_for_the_thread() -> None:
    busy = threading.Event()
    with ThreadPoolExecutor(max_workers=1) as executor:
        cache = OperationCache(SCHEMA, executor=executor)
        executor.submit(busy.wait)
        for number in range(20):
            for _ in range(3):
                assert isinstance(ask(cache, f"{{ x{number}: a }}"), NotCompiled)
        busy.set()
        await done(executor)

        compiled = [isinstance(ask(cache, f"{{ x{number}: a }}"), CompiledOperation) for number in range(20)]

    assert sum(compiled) == 8


def test_a_large_document_counts_beside_the_fields_that_are_asked_for() -> None:
    cache = OperationCache(SCHEMA)
    text = "{ a }"
    for _ in range(2):
        cache.get(sha256(text.encode()).digest(), parse(text), None, {}, size_bytes=400_000)

    assert cache.field_count == 98


def test_operations_of_one_document_are_told_apart_by_their_names() -> None:
    cache = OperationCache(SCHEMA)
    text = "query A { a } query B { b }"
    document = parse(text)

    def ask_for(name: str) -> CompiledOperation | NotCompiled:
        return cache.get(sha256(text.encode()).digest(), document, name, {})

    (_, a), (_, b) = [[ask_for(name) for _ in range(2)] for name in "AB"]

    assert isinstance(a, CompiledOperation)
    assert isinstance(b, CompiledOperation)
    assert a.start({"a": 1, "b": 2}) == ({"a": 1}, None)
    assert b.start({"a": 1, "b": 2}) == ({"b": 2}, None)
