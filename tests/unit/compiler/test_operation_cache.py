from __future__ import annotations

from hashlib import sha256
from typing import Any

from graphql import DocumentNode, build_schema, parse

from gallery.compiler import CompiledOperation, NotCompiled, OperationCache
from gallery.compiler.cache import MOST_VARIANTS

SCHEMA = build_schema("type Query { a: Int, b: Int }")


def ask(cache: OperationCache, text: str, variables: dict[str, Any] | None = None) -> CompiledOperation | NotCompiled:
    document: DocumentNode = parse(text)
    return cache.get(sha256(text.encode()).digest(), document, None, variables or {})


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
