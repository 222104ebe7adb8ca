"""What resolvers get to know of the field that they resolve."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfo,
    GraphQLSchema,
    OperationDefinitionNode,
)
from graphql.execution.values import VariableValues
from graphql.pyutils import Path
from graphql.pyutils.is_awaitable import is_awaitable
from graphql.type.definition import GraphQLResolveInfoHelpers

if TYPE_CHECKING:
    from collections.abc import Callable

    from gallery.compiler.plan import FieldPlan
    from gallery.compiler.run import Run


class ResolveInfo:
    """The attributes of graphql-core's `GraphQLResolveInfo`, found when they are asked for, and what is selected.

    In a batch the path is that of the first parent.
    """

    __slots__ = ("_at", "_field", "_run")

    def __init__(self, run: Run, field: FieldPlan, at: tuple[int, ...]) -> None:
        self._run = run
        self._field = field
        self._at = at

    @property
    def context(self) -> Any:
        """What the caller gave for all resolvers."""
        return self._run.context

    @property
    def selected(self) -> frozenset[str]:
        """The fields that are selected right below, as `Type.field`."""
        return self._field.selected

    @property
    def path(self) -> Path:
        """Where the field is in the answer."""
        return self._field.path(self._at)

    @property
    def field_name(self) -> str:
        """The name of the field in the schema."""
        return self._field.name

    @property
    def field_nodes(self) -> list[FieldNode]:
        """Where the document asks for the field."""
        return self._field.nodes

    @property
    def return_type(self) -> GraphQLOutputType:
        """The type of the field."""
        return self._field.definition.type

    @property
    def parent_type(self) -> GraphQLObjectType:
        """The object type of the parent."""
        return self._field.parent_type

    @property
    def schema(self) -> GraphQLSchema:
        """The schema."""
        return self._run.operation.schema

    @property
    def fragments(self) -> dict[str, FragmentDefinitionNode]:
        """The fragments of the document by name."""
        return self._run.operation.fragments

    @property
    def root_value(self) -> Any:
        """The parent of the root fields."""
        return self._run.root

    @property
    def operation(self) -> OperationDefinitionNode:
        """The operation that is executed."""
        return self._run.operation.definition

    @property
    def variable_values(self) -> VariableValues:
        """The variables as given and as coerced."""
        return self._run.variables

    @property
    def is_awaitable(self) -> Callable[[Any], Any]:
        """Tells whether a value can be awaited."""
        return is_awaitable

    @property
    def abort_signal(self) -> None:
        """Nothing: compiled operations are ended by cancelling their task."""

    @property
    def async_helpers(self) -> GraphQLResolveInfoHelpers:
        """Helpers for asynchronous work of resolvers."""
        return self._run.async_helpers

    def as_graphql(self) -> GraphQLResolveInfo[Any]:
        """The same as graphql-core's own class, as ordinary resolvers expect it."""
        run, field = self._run, self._field
        return GraphQLResolveInfo(
            field.name,
            field.nodes,
            field.definition.type,
            field.parent_type,
            field.path(self._at),
            run.operation.schema,
            run.operation.fragments,
            run.root,
            run.operation.definition,
            run.variables,
            run.context,
            is_awaitable,
            None,
            run.async_helpers,
        )
