"""A fixed budget of random operations; `python -m tests.unit.compiler.differential` compares as many as one likes."""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections import Counter
from inspect import isawaitable
from random import Random

import pytest
from graphql import parse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gallery.compiler import CompiledOperation, compile_operation
from tests.unit.compiler.differential import compare_random, name_in, settle
from tests.unit.compiler.random_queries import QueryMaker
from tests.unit.compiler.random_schemas import CONTEXT, World
from tests.unit.compiler.random_values import Node

SEEDS = range(40)


@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_compiled_operations_answer_as_graphql_core_does(seed: int) -> None:
    seen = asyncio.run(compare_random(Random(seed)))

    assert not [kind for kind in seen if kind.startswith("not compiled")]


@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_random_operations_are_of_all_kinds() -> None:
    seen = sum((asyncio.run(compare_random(Random(seed))) for seed in SEEDS), Counter[str]())

    assert {"asynchronous", "asynchronous with errors", "synchronous", "synchronous with errors"} <= set(seen)
    assert seen["invalid"] < seen.total() / 4


def test_nothing_that_a_resolver_gives_is_left_dangling() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        gc.collect()
        caught.clear()  # graphql-core's own, of the tests before
        executed = sum(asyncio.run(execute_some(Random(seed))) for seed in SEEDS)
        gc.collect()

    assert executed > len(SEEDS)
    assert [str(warning.message) for warning in caught if "never awaited" in str(warning.message)] == []


async def execute_some(rng: Random) -> int:
    """Executes some random operations, compiled alone."""
    world = World(rng)
    executed = 0
    for _ in range(4):
        maker = QueryMaker(rng, world.schema)
        document, variables = parse(maker.make()), maker.variables()
        compiled = compile_operation(world.schema, document, name_in(document), variables)
        if isinstance(compiled, CompiledOperation):
            root = Node(world, compiled.definition.operation.name.title(), "root")
            result = compiled.start(root, CONTEXT, variables)
            await result if isawaitable(result) else None
            await settle()
            executed += 1
    return executed
