"""Random schemas whose values, errors and delays follow from a seed: the same for whoever executes an operation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Generator, Sequence
from random import Random
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLEnumValue,
    GraphQLError,
    GraphQLField,
    GraphQLFloat,
    GraphQLID,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInt,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLString,
    GraphQLUnionType,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)

from gallery.compiler import EXTENSION, Attribute, Batch, Direct, InstanceOf, ResolveInfo

COLOR = GraphQLEnumType("Color", {"RED": GraphQLEnumValue(1), "BLUE": GraphQLEnumValue("blue"), "NONE": None})


def upper(value: Any) -> str | None:
    """Serializes a scalar of its own, and some values to nothing."""
    if not isinstance(value, str | int):
        message = f"no Upper: {type(value).__name__}"
        raise TypeError(message)
    return str(value).upper() or None


UPPER = GraphQLScalarType("Upper", serialize=upper)
POINT = GraphQLInputObjectType(
    "Point",
    {"x": GraphQLInputField(GraphQLInt, default_value=3), "tags": GraphQLInputField(GraphQLList(GraphQLString))},
)
LEAVES = [GraphQLString, GraphQLInt, GraphQLFloat, GraphQLBoolean, GraphQLID, COLOR, UPPER]
GOOD: dict[str, list[Any]] = {
    "String": ["a", "\u00fc", ""],
    "Int": [0, -5, 2**31 - 1],
    "Float": [1.5, 0.0, -2.25],
    "Boolean": [True, False],
    "ID": ["i1", 7],
    "Color": [1, "blue"],
    "Upper": ["q", 3, "z"],
}
ODD = [
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

    def __init__(self, world: World, type_name: str, seed: str) -> None:
        self.world, self.type_name, self.seed = world, type_name, seed
        for name in world.attributes.get(type_name, ()):
            setattr(self, name, world.value_of(self, name))
        for name in world.methods.get(type_name, ()):
            setattr(self, name, lambda _info, name=name: world.value_of(self, name, {}))

    def __repr__(self) -> str:
        return f"<{self.type_name} {self.seed}>"


class OtherNode(Node):
    """A class of its own, for types whose class is declared."""


class World:
    """A random schema, and all that its resolvers give."""

    def __init__(self, rng: Random) -> None:
        self.salt = rng.random()
        self.trouble = rng.choice([0.0, 0.0, 0.02, 0.1, 0.3])
        self.delay = rng.choice([0.0, 0.0, 0.1, 0.5])
        self.has_batches = rng.random() < 0.5
        self.attributes: dict[str, list[str]] = {}
        self.methods: dict[str, list[str]] = {}
        self.calls: list[tuple[str, tuple[str | int, ...]]] = []
        self._types: dict[str, GraphQLObjectType] = {}
        self.schema = self._schema(rng)

    def _schema(self, rng: Random) -> GraphQLSchema:
        interfaces = [
            GraphQLInterfaceType(f"I{n}", self._interface_fields(n), resolve_type=self._resolve_type(rng))
            for n in range(2)
        ]
        names = [f"T{n}" for n in range(rng.randint(2, 4))]
        unions: list[GraphQLUnionType] = []
        for name in names:
            of = [interface for interface in interfaces if rng.random() < 0.5 or name == "T0"]
            self._types[name] = GraphQLObjectType(
                name,
                lambda name=name, of=of, seed=rng.random(): self._fields(Random(seed), name, of, interfaces, unions),
                interfaces=of,
                is_type_of=rng.choice([None, None, self._is_type_of(name, rng.random() < 0.3)]),
                extensions={},
            )
        members = rng.sample(names, 2)
        unions.append(
            GraphQLUnionType("U", [self._types[name] for name in members], resolve_type=self._resolve_type(rng))
        )
        for kind in ("Query", "Mutation"):
            self._types[kind] = GraphQLObjectType(
                kind, lambda kind=kind, seed=rng.random(): self._fields(Random(seed), kind, [], interfaces, unions)
            )
        if rng.random() < 0.3:
            self._types["T0"].extensions[EXTENSION] = InstanceOf(OtherNode)
        types = [self._types[name] for name in names]
        return GraphQLSchema(self._types["Query"], self._types["Mutation"], types=[*types, *interfaces, *unions])

    def _interface_fields(self, number: int) -> dict[str, GraphQLField]:
        return {f"i{number}a": GraphQLField(GraphQLNonNull(GraphQLString)), f"i{number}b": GraphQLField(GraphQLInt)}

    def _fields(  # noqa: PLR0917
        self,
        rng: Random,
        owner: str,
        of: Sequence[GraphQLInterfaceType],
        interfaces: Sequence[GraphQLInterfaceType],
        unions: Sequence[GraphQLUnionType],
    ) -> dict[str, GraphQLField]:
        composite = [*self._types.values(), *interfaces, *unions]
        composite = [type_ for type_ in composite if type_.name not in {"Query", "Mutation"}]
        fields = {name: self._field(rng, owner, name, field.type) for i in of for name, field in i.fields.items()}
        for number in range(rng.randint(2, 5)):
            inner = rng.choice(LEAVES) if rng.random() < 0.55 else rng.choice(composite)
            fields[f"f{number}"] = self._field(rng, owner, f"f{number}", wrapped(rng, inner))
        fields["id"] = self._field(rng, owner, "id", GraphQLID)
        return fields

    def _field(self, rng: Random, owner: str, name: str, type_: Any) -> GraphQLField:
        arguments = {}
        if rng.random() < 0.3:
            arguments = {
                "n": GraphQLArgument(GraphQLInt, default_value=rng.choice([1, 2])),
                "p": GraphQLArgument(POINT),
                "c": GraphQLArgument(COLOR, out_name="color"),
            }
        field = GraphQLField(type_, arguments, extensions={})
        ways = ["default", "sync", "sync", "async", "maybe", "attribute", "direct"]
        way = rng.choice([*ways, "batch", "batch"] if self.has_batches else ways)
        if way in {"default", "attribute"} and not arguments:
            is_leaf = is_leaf_type(get_named_type(type_))
            (self.attributes if is_leaf else self.methods).setdefault(owner, []).append(name)
            if way == "attribute" and is_leaf:
                field.extensions[EXTENSION] = Attribute(name)
                field.resolve = lambda source, _info: getattr(source, name)
            return field
        field.resolve = self._resolver(owner, name, way)
        if way == "batch":
            field.extensions[EXTENSION] = Batch(self._batch(owner, name))
        elif way == "direct":
            field.extensions[EXTENSION] = Direct(self._direct(owner, name))
        return field

    def _resolver(self, owner: str, name: str, way: str) -> Callable[..., Any]:
        def called(info: GraphQLResolveInfo) -> None:
            if way != "batch":
                self.calls.append((f"{owner}.{name}", tuple(info.path.as_list())))

        def resolve(source: Any, info: GraphQLResolveInfo, **arguments: Any) -> Any:
            called(info)
            return self.value_of(source, name, arguments)

        async def resolve_later(source: Any, info: GraphQLResolveInfo, **arguments: Any) -> Any:
            called(info)
            await self.wait(f"{source}.{name}")
            return self.value_of(source, name, arguments)

        def resolve_maybe(source: Any, info: GraphQLResolveInfo, **arguments: Any) -> Any:
            is_late = self.random("late", source, name).random() < self.delay
            return (resolve_later if is_late else resolve)(source, info, **arguments)

        return {"async": resolve_later, "batch": resolve_later, "maybe": resolve_maybe}.get(way, resolve)

    def _batch(self, owner: str, name: str) -> Callable[..., Any]:
        async def resolve(parents: Sequence[Any], info: ResolveInfo, arguments: dict[str, Any]) -> list[Any]:
            await self.wait(f"{owner}.{name}")
            return [self._caught(parent, name, arguments) for parent in parents]

        return resolve

    def _caught(self, parent: Any, name: str, arguments: dict[str, Any]) -> Any:
        try:
            return self.value_of(parent, name, arguments)
        except Exception as error:  # noqa: BLE001
            return error

    def _direct(self, owner: str, name: str) -> Callable[..., Any]:
        def resolve(source: Any, info: ResolveInfo, arguments: dict[str, Any]) -> Any:
            self.calls.append((f"{owner}.{name}", tuple(info.path.as_list())))
            return self.value_of(source, name, arguments)

        return resolve

    def _resolve_type(self, rng: Random) -> Callable[..., Any] | None:
        async def later(value: Any, _info: GraphQLResolveInfo, _type: Any) -> Any:
            await self.wait(f"type of {value}")
            return now(value, _info, _type)

        def now(value: Any, _info: GraphQLResolveInfo, _type: Any) -> Any:
            if not isinstance(value, OtherNode) and self.random("type", value).random() < self.trouble:
                return self.random("which", value).choice([None, "T0", "T1", "Nothing", "I0", 3])
            return getattr(value, "type_name", None)

        return rng.choice([now, now, later])

    def _is_type_of(self, name: str, is_late: bool) -> Callable[..., Any]:
        def now(value: Any, _info: GraphQLResolveInfo) -> bool:
            return getattr(value, "type_name", None) == name

        async def later(value: Any, _info: GraphQLResolveInfo) -> bool:
            await self.wait(f"is {value}")
            return now(value, _info)

        return later if is_late else now

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
        return self._value(rng, self._types[owner].fields[name].type, seed)

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
            kind = rng.choice([list, list, list, tuple, iter, self._failing, self._stream])
            if kind is self._stream and not self.delay:
                kind = list
            return kind(items)
        if is_leaf_type(type_):
            return rng.choice(GOOD[type_.name])
        name = (
            rng.choice([t.name for t in self.schema.get_possible_types(type_)])
            if is_abstract_type(type_)
            else type_.name
        )
        declared = self._types[name].extensions.get(EXTENSION)
        return (OtherNode if declared and rng.random() < 0.8 else Node)(self, name, seed)

    def _failing(self, items: list[Any]) -> Any:
        yield from items
        if self.random("iterator", len(items)).random() < self.trouble:
            message = "the iterator fails"
            raise ValueError(message)

    async def _stream(self, items: list[Any]) -> AsyncIterator[Any]:
        for item in items:
            await asyncio.sleep(0)
            yield item
        if self.random("stream", len(items)).random() < self.trouble:
            message = "the stream fails"
            raise ValueError(message)


class Later:
    """A value that has to be awaited, as often as anybody likes."""

    def __init__(self, world: World, value: Any, seed: str) -> None:
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


def wrapped(rng: Random, inner: Any) -> Any:
    """A type with lists and Non-Null around it."""
    type_ = inner
    for _ in range(rng.choice([0, 0, 0, 1, 1, 2])):
        type_ = GraphQLList(GraphQLNonNull(type_) if rng.random() < 0.4 else type_)
    return GraphQLNonNull(type_) if rng.random() < 0.35 else type_
