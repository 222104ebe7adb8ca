"""Values of random schemas, errors and delays among them; they follow from a seed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Generator, Iterator
from functools import partial
from random import Random
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLEnumValue,
    GraphQLError,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)

from gallery.compiler import EXTENSION, Serialized

COLOR = GraphQLEnumType("Color", {"RED": GraphQLEnumValue(1), "BLUE": GraphQLEnumValue("blue"), "NONE": None})


def upper(value: Any) -> str | None:
    """Serializes a scalar of its own, and some values to nothing."""
    if not isinstance(value, str | int):
        message = f"no Upper: {type(value).__name__}"
        raise TypeError(message)
    return str(value).upper() or None


def lower(value: Any) -> str:
    """Serializes a scalar that declares what becomes of strings."""
    if not isinstance(value, str):
        message = f"no Lower: {type(value).__name__}"
        raise TypeError(message)
    return value.lower()


UPPER = GraphQLScalarType("Upper", serialize=upper, parse_value=upper)
LOWER = GraphQLScalarType("Lower", serialize=lower, extensions={EXTENSION: Serialized(str, str.lower)})
PLAIN = GraphQLScalarType("Plain", serialize=lambda value: value, extensions={EXTENSION: Serialized(str)})
GOOD: dict[str, list[Any]] = {
    "String": ["a", "\u00fc", ""],
    "Int": [0, -5, 2**31 - 1],
    "Float": [1.5, 0.0, -2.25],
    "Boolean": [True, False],
    "ID": ["i1", 7],
    "Color": [1, "blue"],
    "Upper": ["q", 3, "z"],
    "Lower": ["Q", "", "\u00dc"],
    "Plain": ["p", ""],
}
ODD: list[Any] = [
    None,
    "",
    3,
    True,
    2**40,
    "7",
    "zz",
    1.0,
    float("nan"),
    float("inf"),
    [],
    {"k": 1},
    b"x",
    ...,
    ValueError("given"),
]


class Node:
    """An object of a schema; what it holds follows from its seed."""

    def __init__(self, world: Values, type_name: str, seed: str) -> None:
        self.world, self.type_name, self.seed = world, type_name, seed
        for name in world.attributes.get(type_name, ()):
            setattr(self, name, world.value_of(self, name))
        for name in world.methods.get(type_name, ()):
            setattr(self, name, lambda _info, name=name: world.value_of(self, name, {}))

    def __getitem__(self, key: str | int) -> Any:
        return getattr(self, key if isinstance(key, str) else f"f{key}")

    def __repr__(self) -> str:
        return f"<{self.type_name} {self.seed}>"


class OtherNode(Node):
    """A class of its own, for types whose class is declared."""


class Values:
    """What the resolvers of a schema give."""

    schema: GraphQLSchema

    def __init__(self, rng: Random) -> None:
        self.salt = rng.random()
        self.trouble = rng.choice([0.0, 0.0, 0.02, 0.1, 0.3])
        self.delay = rng.choice([0.0, 0.0, 0.1, 0.5])
        self.has_batches = rng.random() < 0.5
        self.has_classes = rng.random() < 0.3
        self.attributes: dict[str, list[str]] = {}
        self.methods: dict[str, list[str]] = {}
        self.calls: list[tuple[str, tuple[str | int, ...]]] = []
        self.types: dict[str, GraphQLObjectType] = {}

    def random(self, *what: Any) -> Random:
        """Random numbers that follow from what is said."""
        return Random(f"{self.salt} {what}")

    async def wait(self, what: str) -> None:
        """A few turns of the event loop."""
        for _ in range(self.random("wait", what).choice([0, 1, 1, 2, 5])):
            await asyncio.sleep(0)

    def value_of(self, source: Any, name: str, arguments: dict[str, Any] | None = None) -> Any:
        """The value of a field, before it is completed."""
        owner = source.type_name if isinstance(source, Node) else source["type_name"]
        seed = f"{source.seed if isinstance(source, Node) else source['seed']}.{name}{arguments or ''}"
        rng = self.random("value", seed)
        if arguments is not None and rng.random() < self.trouble / 2:
            raise rng.choice([ValueError(f"raised {seed}"), GraphQLError(f"told {seed}"), KeyError("key")])
        return self._value(rng, self.types[owner].fields[name].type, seed)

    def _value(self, rng: Random, type_: Any, seed: str) -> Any:
        if rng.random() < self.trouble / 3:
            return rng.choice(ODD)
        value = self._right_value(rng, type_, seed)
        return Later(self, value, seed) if rng.random() < self.delay / 4 else value

    def _right_value(self, rng: Random, type_: Any, seed: str) -> Any:
        if is_non_null_type(type_):
            return self._right_value(rng, type_.of_type, seed)
        if rng.random() < 0.1 + self.trouble / 10 and self.trouble:
            return None
        if is_list_type(type_):
            items = [self._value(rng, type_.of_type, f"{seed}[{n}]") for n in range(rng.randint(0, 3))]
            kinds: list[Callable[[list[Any]], Any]] = [list, list, list, tuple, iter, self._failing, self._stream]
            kind = rng.choice(kinds)
            return list(items) if kind == self._stream and not self.delay else kind(items)
        if is_leaf_type(type_):
            return rng.choice(GOOD[type_.name])
        name = (
            rng.choice([t.name for t in self.schema.get_possible_types(type_)])
            if is_abstract_type(type_)
            else type_.name
        )
        declared = self.types[name].extensions.get(EXTENSION)
        return (OtherNode if declared and rng.random() < 0.8 else Node)(self, name, seed)

    def _failing(self, items: list[Any]) -> Iterator[Any]:
        yield from items
        if self.random("iterator", len(items)).random() < self.trouble:
            message = "the iterator fails"
            raise ValueError(message)

    def _stream(self, items: list[Any]) -> AsyncIterable[Any]:
        return Stream(partial(self._streamed, items))

    async def _streamed(self, items: list[Any]) -> AsyncIterator[Any]:
        for item in items:
            await asyncio.sleep(0)
            yield item
        if self.random("stream", len(items)).random() < self.trouble:
            message = "the stream fails"
            raise ValueError(message)


class Stream:
    """Items that come one after the other, for each who asks: a value may be asked for by two fields at once."""

    def __init__(self, make: Callable[[], AsyncIterator[Any]]) -> None:
        self._make = make

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._make()


class Later:
    """A value that has to be awaited, as often as anybody likes."""

    def __init__(self, world: Values, value: Any, seed: str) -> None:
        self._world, self._value, self._seed = world, value, seed

    def __repr__(self) -> str:
        return f"<later {self._seed}>"

    def __await__(self) -> Generator[Any, None, Any]:
        return self._wait().__await__()

    async def _wait(self) -> Any:
        await self._world.wait(self._seed)
        if self._world.random("later", self._seed).random() < self._world.trouble:
            message = f"late {self._seed}"
            raise ValueError(message)
        return self._value
