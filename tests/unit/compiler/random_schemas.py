"""Random schemas whose values, errors and delays follow from a seed: the same for whoever executes an operation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLBoolean,
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
    GraphQLSchema,
    GraphQLString,
    GraphQLUnionType,
    get_named_type,
    is_leaf_type,
)

from gallery.compiler import EXTENSION, Attribute, Batch, Computed, Direct, InstanceOf, Item, Key, ResolveInfo
from tests.unit.compiler.random_values import COLOR, LOWER, PLAIN, UPPER, OtherNode, Values

POINT = GraphQLInputObjectType(
    "Point",
    {"x": GraphQLInputField(GraphQLInt, default_value=3), "tags": GraphQLInputField(GraphQLList(GraphQLString))},
)
LEAVES = [GraphQLString, GraphQLInt, GraphQLFloat, GraphQLBoolean, GraphQLID, COLOR, UPPER, LOWER, PLAIN]
CONTEXT = object()


class World(Values):
    """A random schema, and all that its resolvers give."""

    def __init__(self, rng: Random) -> None:
        super().__init__(rng)
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
            self.types[name] = GraphQLObjectType(
                name,
                partial(self._fields, rng.random(), name, of, interfaces, unions),
                interfaces=of,
                is_type_of=rng.choice([None, None, self._is_type_of(name, rng.random() < 0.3)]),
                extensions={},
            )
        members = rng.sample(names, 2)
        unions.append(
            GraphQLUnionType("U", [self.types[name] for name in members], resolve_type=self._resolve_type(rng))
        )
        for kind in ("Query", "Mutation"):
            self.types[kind] = GraphQLObjectType(
                kind, partial(self._fields, rng.random(), kind, [], interfaces, unions)
            )
        if self.has_classes:
            self.types["T0"].extensions[EXTENSION] = InstanceOf(OtherNode)
        types = [self.types[name] for name in names]
        return GraphQLSchema(self.types["Query"], self.types["Mutation"], types=[*types, *interfaces, *unions])

    def _interface_fields(self, number: int) -> dict[str, GraphQLField]:
        return {f"i{number}a": GraphQLField(GraphQLNonNull(GraphQLString)), f"i{number}b": GraphQLField(GraphQLInt)}

    def _fields(
        self,
        seed: float,
        owner: str,
        of: Sequence[GraphQLInterfaceType],
        interfaces: Sequence[GraphQLInterfaceType],
        unions: Sequence[GraphQLUnionType],
    ) -> dict[str, GraphQLField]:
        rng = Random(seed)
        composite = [*self.types.values(), *interfaces, *unions]
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
                "u": GraphQLArgument(UPPER),
                "l": GraphQLArgument(GraphQLList(GraphQLNonNull(GraphQLInt)), default_value=[1]),
            }
        field = GraphQLField(type_, arguments, extensions={})
        ways = ["default", "sync", "sync", "async", "maybe", "attribute", "item", "direct"]
        way = rng.choice([*ways, "batch", "batch"] if self.has_batches else ways)
        if way in {"default", "attribute", "item"} and not arguments:
            is_leaf = is_leaf_type(get_named_type(type_))
            (self.attributes if is_leaf else self.methods).setdefault(owner, []).append(name)
            if way == "attribute" and is_leaf:
                computed = Computed(lambda source, _context: getattr(source, name))
                field.extensions[EXTENSION] = rng.choice([Attribute(name), computed])
                field.resolve = lambda source, _info: getattr(source, name)
            elif way == "item" and is_leaf:
                key = int(name[1:]) if name.startswith("f") and rng.random() < 0.5 else name
                field.extensions[EXTENSION] = Item(key) if isinstance(key, int) else Key(key)
                field.resolve = lambda source, _info: source[key]
            return field
        field.resolve = self._resolver(owner, name, way)
        if way == "batch":
            field.extensions[EXTENSION] = Batch(self._batch(owner, name))
        elif way == "direct":
            field.extensions[EXTENSION] = Direct(self._direct(owner, name))
        return field

    def _resolver(self, owner: str, name: str, way: str) -> Callable[..., Any]:
        def called(info: GraphQLResolveInfo[Any]) -> None:
            assert info.context is CONTEXT
            if way != "batch":
                self.calls.append((f"{owner}.{name}", tuple(info.path.as_list())))

        def resolve(source: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
            called(info)
            return self.value_of(source, name, arguments)

        async def resolve_later(source: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
            called(info)
            await self.wait(f"{source}.{name}")
            return self.value_of(source, name, arguments)

        def resolve_maybe(source: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
            is_late = self.random("late", source, name).random() < self.delay
            return (resolve_later if is_late else resolve)(source, info, **arguments)

        return {"async": resolve_later, "batch": resolve_later, "maybe": resolve_maybe}.get(way, resolve)

    def _batch(self, owner: str, name: str) -> Callable[..., Any]:
        async def resolve(parents: Sequence[Any], _info: ResolveInfo, arguments: dict[str, Any]) -> list[Any]:
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
        async def later(value: Any, _info: GraphQLResolveInfo[Any], _type: Any) -> Any:
            await self.wait(f"type of {value}")
            return now(value, _info, _type)

        def now(value: Any, _info: GraphQLResolveInfo[Any], _type: Any) -> Any:
            if not isinstance(value, OtherNode) and self.random("type", value).random() < self.trouble:
                return self.random("which", value).choice([None, "T0", "T1", "Nothing", "I0", 3])
            return getattr(value, "type_name", None)

        return rng.choice([now, now, later])

    def _is_type_of(self, name: str, is_late: bool) -> Callable[..., Any]:
        def now(value: Any, _info: GraphQLResolveInfo[Any]) -> bool:
            return getattr(value, "type_name", None) == name

        async def later(value: Any, _info: GraphQLResolveInfo[Any]) -> bool:
            await self.wait(f"is {value}")
            return now(value, _info)

        return later if is_late else now


def wrapped(rng: Random, inner: Any) -> Any:
    """A type with lists and Non-Null around it."""
    type_ = inner
    for _ in range(rng.choice([0, 0, 0, 1, 1, 2])):
        type_ = GraphQLList(GraphQLNonNull(type_) if rng.random() < 0.4 else type_)
    return GraphQLNonNull(type_) if rng.random() < 0.35 else type_
