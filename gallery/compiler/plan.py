"""The plan of an operation: which fields of which types are asked for where, found with graphql-core's own rules."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from graphql import (
    FieldNode,
    GraphQLField,
    GraphQLObjectType,
    GraphQLOutputType,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)
from graphql.execution.collect_fields import FieldDetailsList
from graphql.pyutils import Path

from gallery.compiler.arguments import PlainArgument, plain_arguments

if TYPE_CHECKING:
    from collections.abc import Callable

    from gallery.compiler.declarations import Declaration
    from gallery.compiler.run import At, Run

INDEX: Final = None
"""Stands in a template for the index of a list."""

Template = tuple[tuple[str, str] | None, ...]
"""The path of a place in all answers: response names with the type that has the field, and INDEX."""


class Kind(Enum):
    """What has to be done to complete a value of a level."""

    LEAF = auto()
    LIST = auto()
    OBJECT = auto()
    ABSTRACT = auto()


@dataclass(eq=False, slots=True, kw_only=True)
class Level:
    """One level of the type of a field: `[[Tag!]]!` has three.

    `parent` is what becomes null if this may not be null and is: the list, or the object that has the field.
    `enter` completes any value, `resume` one that was awaited; `complete.py` makes them when there is code to call.
    """

    number: int
    field: FieldPlan
    depth: int
    type: GraphQLOutputType
    non_null: bool
    kind: Kind
    parent: Level | None
    item: Level | None = None
    objects: dict[str, ObjectPlan] = dataclasses.field(default_factory=dict)
    enter: Callable[[Run, Any, At], Any] = dataclasses.field(init=False)
    resume: Callable[[Run, Any, At], Any] = dataclasses.field(init=False)

    @property
    def template(self) -> Template:
        """The path."""
        return (*self.field.template, *((INDEX,) * self.depth))

    @property
    def nullable(self) -> Level | None:
        """The nearest level that can be null, this or one above; None if all of the data must be null."""
        level: Level | None = self
        while level is not None and level.non_null:
            level = level.parent
        return level

    def path(self, at: At) -> tuple[str | int, ...]:
        """The path of one place; `at` may be longer than needed."""
        indices = iter(at)
        return tuple([next_index(next(indices)) if element is INDEX else element[0] for element in self.template])


@dataclass(eq=False, kw_only=True)
class FieldPlan:
    """A field of an object type that is asked for at one place of the answer."""

    number: int
    key: str
    name: str
    parent_type: GraphQLObjectType
    definition: GraphQLField
    details: FieldDetailsList
    template: Template
    declaration: Declaration | None
    level: Level = dataclasses.field(init=False)

    @cached_property
    def nodes(self) -> list[FieldNode]:
        """Where the document asks for it."""
        return [detail.node for detail in self.details]

    @cached_property
    def plain_arguments(self) -> tuple[PlainArgument, ...] | None:
        """The arguments, if there is nothing to be coerced."""
        return plain_arguments(self.definition, self.details[0].node)

    @cached_property
    def has_arguments(self) -> bool:
        """Whether arguments must be coerced before it is resolved."""
        return bool(self.definition.args or self.details[0].node.arguments)

    @cached_property
    def selected(self) -> frozenset[str]:
        """The fields that are selected right below, as `Type.field`."""
        level = self.level
        while level.item is not None:
            level = level.item
        return frozenset(
            f"{selection.type.name}.{selected.name}"
            for selection in level.objects.values()
            for selected in selection.fields
        )

    def path(self, at: At) -> Path:
        """The path of one place as graphql-core has it."""
        indices = iter(at)
        path: Path | None = None
        for element in self.template:
            path = Path(path, next_index(next(indices)), None) if element is INDEX else Path(path, *element)
        assert path is not None  # noqa: S101  # a template ends with the field itself
        return path


@dataclass(eq=False, slots=True, kw_only=True)
class ObjectPlan:
    """The fields that are asked for of an object type at one place of the answer.

    `names_type` has the response names of `__typename` beside the fields, in the order of the document.
    `is_deferring` is whether a field below is resolved in batches or told where it is.
    """

    number: int
    type: GraphQLObjectType
    keys: dict[str, FieldPlan | None]
    is_deferring: bool = False

    @property
    def fields(self) -> list[FieldPlan]:
        """The fields, without `__typename`."""
        return [plan for plan in self.keys.values() if plan is not None]


def next_index(element: int | list[Any]) -> int:
    """The index for an element of `at`: a list that is being filled stands for its next index."""
    return element if type(element) is int else len(element)  # type: ignore[arg-type]


def kind_of(type_: GraphQLOutputType) -> Kind:
    """What has to be done for a type that is not Non-Null."""
    if is_list_type(type_):
        return Kind.LIST
    if is_leaf_type(type_):
        return Kind.LEAF
    return Kind.OBJECT if is_object_type(type_) else Kind.ABSTRACT


def unwrapped(type_: GraphQLOutputType) -> tuple[GraphQLOutputType, bool]:
    """A type without Non-Null, and whether it had that."""
    return (type_.of_type, True) if is_non_null_type(type_) else (type_, False)
