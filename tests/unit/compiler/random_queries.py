"""Random operations that are valid for a schema most of the time."""

from __future__ import annotations

from random import Random
from typing import Any

from graphql import GraphQLField, GraphQLSchema, get_named_type, is_abstract_type, is_leaf_type, is_union_type

VARIABLES = {
    "s": "$s: Boolean!",
    "i": "$i: Boolean = true",
    "n": "$n: Int",
    "c": "$c: Color = RED",
    "p": "$p: Point",
    "u": "$u: Upper",
    "l": "$l: [Int!]",
}


class QueryMaker:
    """Makes operations."""

    def __init__(self, rng: Random, schema: GraphQLSchema) -> None:
        self._rng = rng
        self._schema = schema
        self._fragments: list[str] = []

    def make(self) -> str:
        """A document of an operation Q, and now and then of another one."""
        kind = self._rng.choice(["query", "query", "query", "mutation"])
        root = self._schema.mutation_type if kind == "mutation" else self._schema.query_type
        selections = self._selections(root, self._rng.choice([1, 2, 3, 4]))
        others = ["query Other { __typename }"] if self._rng.random() < 0.2 else []
        document = " ".join([f"{kind} Q {selections}", *self._fragments, *others])
        declared = [declared for name, declared in VARIABLES.items() if f"${name}" in document]
        return document.replace(" Q ", f" Q({', '.join(declared)}) ", 1) if declared else document

    def variables(self) -> dict[str, Any]:
        """Values of variables, wrong now and then."""
        rng = self._rng
        variables: dict[str, Any] = {"s": rng.random() < 0.3}
        if rng.random() < 0.5:
            variables["i"] = rng.random() < 0.7
        if rng.random() < 0.5:
            variables["n"] = rng.choice([1, 9, None])
        if rng.random() < 0.4:
            variables["p"] = rng.choice([{"x": 1}, {"tags": "one"}, {"tags": ["a", None]}, {}, None])
        if rng.random() < 0.4:
            variables["u"] = rng.choice(["q", 3, None, []])
        if rng.random() < 0.4:
            variables["l"] = rng.choice([[1, 2], 4, [], None, [None]])
        if rng.random() < 0.05:
            variables["c"] = "NOTHING"
        return variables

    def _selections(self, type_: Any, depth: int) -> str:
        rng = self._rng
        parts: list[str] = []
        fields = {} if is_union_type(type_) else type_.fields
        for name in rng.sample(sorted(fields), min(len(fields), rng.randint(1, 4))):
            parts += self._field(name, fields[name], depth)
        if rng.random() < 0.2 or not parts:
            parts.append(rng.choice(["__typename", "t: __typename"]))
        for _ in range(rng.choice([0, 0, 1, 2]) if depth >= 0 else 0):
            parts.append(self._fragment(type_, depth))
        if rng.random() < 0.1:
            parts.append(rng.choice(parts))
        rng.shuffle(parts)
        return "{ " + " ".join(parts) + " }"

    def _field(self, name: str, field: GraphQLField, depth: int) -> list[str]:
        rng = self._rng
        inner = get_named_type(field.type)
        if not is_leaf_type(inner) and depth <= 0:
            return []
        below = "" if is_leaf_type(inner) else " " + self._selections(inner, depth - 1)
        arguments = self._arguments() if field.args and rng.random() < 0.7 else ""
        alias = f"a{rng.randint(0, 99)}: " if arguments or rng.random() < 0.2 else ""
        return [f"{alias}{name}{arguments}{self._condition()}{below}"]

    def _arguments(self) -> str:
        chosen = [
            self._rng.choice(options)
            for options in (
                ["n: 5", "n: $n", "n: null"],
                ["p: $p", "p: {x: $n}", 'p: {tags: ["x"]}', ""],
                ["c: BLUE", "c: $c", ""],
                ['u: "q"', "u: 3", "u: $u", "u: true", *[""] * 4],
                ["l: [1, 2]", "l: 7", "l: $l", "l: [1, $n]", "l: null", *[""] * 4],
            )
        ]
        return "(" + ", ".join(filter(None, chosen)) + ")"

    def _condition(self) -> str:
        return self._rng.choice(
            [""] * 12 + [" @skip(if: $s)", " @include(if: $i)", " @skip(if: false) @include(if: $i)"]
        )

    def _fragment(self, type_: Any, depth: int) -> str:
        rng = self._rng
        on = type_
        if is_abstract_type(type_) and rng.random() < 0.9:
            on = rng.choice(self._schema.get_possible_types(type_))
        elif getattr(type_, "interfaces", None) and rng.random() < 0.3:
            on = rng.choice(type_.interfaces)
        selections = self._selections(on, depth - 1)
        if rng.random() < 0.6:
            return f"... on {on.name}{self._condition()} {selections}"
        name = f"F{len(self._fragments)}"
        self._fragments.append(f"fragment {name} on {on.name} {selections}")
        return f"...{name}{self._condition()}"
