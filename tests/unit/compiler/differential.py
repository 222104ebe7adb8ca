"""Executes random operations compiled and by graphql-core, and compares.

python -m tests.unit.compiler.differential [--queries 100000] [--seed 0]
"""

from __future__ import annotations

import argparse
import asyncio
import math
import re
import warnings
from collections import Counter
from inspect import isawaitable
from random import Random
from typing import Any

from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    OperationDefinitionNode,
    OverlappingFieldsCanBeMergedRule,
    execute,
    parse,
    validate,
)

from gallery.compiler import CompiledOperation, compile_operation
from tests.unit.compiler.random_queries import QueryMaker
from tests.unit.compiler.random_schemas import CONTEXT, World
from tests.unit.compiler.random_values import Node

DOCUMENTS_OF_A_WORLD = 5
VARIABLES_OF_A_DOCUMENT = 3

Calls = list[tuple[str, tuple[str | int, ...]]]


class DifferenceError(AssertionError):
    """The two do not answer the same."""


async def compare(world: World, document: DocumentNode, variables: dict[str, Any]) -> str:
    """Compares one operation, and says of which kind it was."""
    name = name_in(document)
    compiled = compile_operation(world.schema, document, name, variables)
    if not isinstance(compiled, CompiledOperation):
        return f"not compiled: {compiled.reason}"
    operation = compiled.definition.operation.name.title()
    root = Node(world, operation, "root")
    expected_calls: Calls = []
    world.calls = expected_calls
    result = execute(world.schema, document, root, CONTEXT, variables, name)
    is_late = isawaitable(result)
    expected = await result if isawaitable(result) else result
    await settle()
    root = Node(world, operation, "root")
    actual_calls: Calls = []
    world.calls = actual_calls
    started = compiled.start(root, CONTEXT, variables)
    actual = await started if isawaitable(started) else started
    await settle()
    check(same_data(expected.data, actual.data), "data", expected, actual)
    check(len(set(actual_calls)) == len(actual_calls), "a resolver was called twice", expected, actual)
    # Batches come later than resolvers; known classes come earlier than asynchronous answers of what type they are.
    is_in_step = not (is_late or isawaitable(started) or world.has_batches or world.has_classes)
    if is_in_step:
        check(
            list(map(told, expected.errors or [])) == list(map(told, actual.errors or [])), "errors", expected, actual
        )
        # When null spreads, what was begun is not carried on at the same places.
        check(bool(expected.errors) or expected_calls == actual_calls, "calls", expected, actual)
        return "synchronous with errors" if expected.errors else "synchronous"
    return compare_late(expected, actual, is_sooner=world.has_batches or world.has_classes)


def name_in(document: DocumentNode) -> str | None:
    """The name of the operation to execute, where there are others."""
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    return "Q" if len(operations) > 1 else None


def compare_late(expected: ExecutionResult, actual: ExecutionResult, *, is_sooner: bool) -> str:
    """Errors of what is awaited come in any order; of several that null the same place, others may be told.

    What is known sooner, by batches and declared classes, may fail before the list is at its end that fails there.
    """
    left, right = Counter(map(told, expected.errors or [])), Counter(map(told, actual.errors or []))
    if left == right:
        return "asynchronous with errors" if left else "asynchronous"
    nulls_left, nulls_right = (
        {nulled(expected.data, error) for error in errors} for errors in (expected.errors or [], actual.errors or [])
    )
    check(nulls_left == nulls_right, "errors", expected, actual)
    for error in [*(expected.errors or []), *(actual.errors or [])]:
        if told(error) not in left or told(error) not in right:
            is_below = len(error.path or []) > len(nulled(expected.data, error))
            check(is_sooner or is_below, "errors", expected, actual)
    return "asynchronous with several errors of one null"


def told(error: GraphQLError) -> tuple[Any, ...]:
    """What a client is told of an error."""
    message = re.sub("0x[0-9a-f]+", "0x", error.message)
    return message, tuple(error.path or ()), tuple(error.locations or ()), type(error.original_error)


def nulled(data: Any, error: GraphQLError) -> tuple[str | int, ...]:
    """The place that an error made null."""
    place = []
    for key in error.path or ():
        if data is None:
            break
        data = data[key]
        place.append(key)
    return tuple(place)


def same_data(left: Any, right: Any) -> bool:
    """Whether data are the same, keys in the same order, numbers of the same type."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return list(left) == list(right) and all(same_data(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same_data, left, right))
    if isinstance(left, float) and math.isnan(left):
        return math.isnan(right)
    return bool(left == right)


def check(is_so: bool, what: str, expected: ExecutionResult, actual: ExecutionResult) -> None:
    """Raises if something differs."""
    if not is_so:
        message = f"{what}:\n graphql-core: {shown(expected)}\n compiled:     {shown(actual)}"
        raise DifferenceError(message)


def shown(result: ExecutionResult) -> str:
    return f"{result.data}\n   " + "\n   ".join(str(told(error)) for error in result.errors or [])


async def settle() -> None:
    """Lets what runs in the background come to its end."""
    while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(tasks)


async def compare_random(rng: Random, documents: int = DOCUMENTS_OF_A_WORLD) -> Counter[str]:
    """Compares some random operations of one random schema, each with several values of its variables."""
    world, seen = World(rng), Counter[str]()
    for _ in range(documents):
        maker = QueryMaker(rng, world.schema)
        text = maker.make()
        document = parse(text)
        if validate(world.schema, document, [OverlappingFieldsCanBeMergedRule]):
            seen["invalid"] += 1
            continue
        for _ in range(VARIABLES_OF_A_DOCUMENT):
            variables = maker.variables()
            try:
                seen[await compare(world, document, variables)] += 1
            except Exception as error:
                error.add_note(f"{text}\n{variables}")
                raise
    return seen


def main() -> None:
    """Compares as many as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    warnings.simplefilter("ignore", RuntimeWarning)
    seen, seed = Counter[str](), options.seed
    while sum(count for kind, count in seen.items() if kind != "invalid") < options.queries:
        try:
            seen += asyncio.run(compare_random(Random(seed)))
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise
        seed += 1
    for kind, count in seen.most_common():
        print(f"{count:8} {kind}")


if __name__ == "__main__":
    main()
