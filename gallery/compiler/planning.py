"""From an operation to its plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLField,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
)
from graphql.execution.collect_fields import (
    CollectedFields,
    FieldDetailsList,
    FragmentDetails,
    collect_fields,
    collect_subfields,
)
from graphql.execution.values import VariableValues

from gallery.compiler.declarations import EXTENSION, Batch, Declaration, Direct
from gallery.compiler.plan import INDEX, FieldPlan, Kind, Level, ObjectPlan, Template, kind_of, unwrapped

MOST_FIELDS: Final = 500
"""How many places a plan may have. Larger ones would take long to compile; few clients mean them."""
MOST_DEPTH: Final = 40


class NotCompilableError(Exception):
    """The operation has something that is not compiled; the message says what."""


class Planner:
    """Plans one operation. Fields and levels are numbered, so that code can name them."""

    def __init__(
        self,
        schema: GraphQLSchema,
        document: DocumentNode,
        operation: OperationDefinitionNode,
        variables: VariableValues,
    ) -> None:
        self._schema = schema
        self._operation = operation
        self._variables = variables
        self._fragments = {
            node.name.value: FragmentDetails(node)
            for node in document.definitions
            if isinstance(node, FragmentDefinitionNode)
        }
        self.fields: list[FieldPlan] = []
        self.levels: list[Level] = []
        self.objects: list[ObjectPlan] = []

    def plan(self) -> ObjectPlan:
        """The plan of the root.

        Raises:
            NotCompilableError: if something in it is not compiled.
        """
        root_type = self._schema.get_root_type(self._operation.operation)
        if root_type is None or self._operation.operation is OperationType.SUBSCRIPTION:
            message = "subscription, or an operation that the schema does not have"
            raise NotCompilableError(message)
        try:
            collected = collect_fields(self._schema, self._fragments, self._variables, root_type, self._operation)
            return self._object(root_type, collected, (), None)
        except (GraphQLError, RecursionError) as error:
            message = f"fields cannot be collected: {error}"
            raise NotCompilableError(message) from error

    def _object(
        self, type_: GraphQLObjectType, collected: CollectedFields, template: Template, parent: Level | None
    ) -> ObjectPlan:
        if len(template) > MOST_DEPTH:
            message = f"more than {MOST_DEPTH} levels"
            raise NotCompilableError(message)
        plan = ObjectPlan(number=len(self.objects), type=type_, keys={})
        self.objects.append(plan)
        for key, details in collected.grouped_field_set.items():
            name = details[0].node.name.value
            if name == "__typename":
                plan.keys[key] = None
                continue
            if name.startswith("__"):
                message = "introspection"
                raise NotCompilableError(message)
            definition = type_.fields.get(name)
            if definition is not None:
                plan.keys[key] = self._field(type_, key, definition, details, template, parent)
        plan.is_deferring = any(map(_is_deferring, plan.fields))
        return plan

    def _field(  # all of what a field is
        self,
        parent_type: GraphQLObjectType,
        key: str,
        definition: GraphQLField,
        details: FieldDetailsList,
        template: Template,
        parent: Level | None,
    ) -> FieldPlan:
        if len(self.fields) >= MOST_FIELDS:
            message = f"more than {MOST_FIELDS} fields"
            raise NotCompilableError(message)
        plan = FieldPlan(
            number=len(self.fields),
            key=key,
            name=details[0].node.name.value,
            parent_type=parent_type,
            definition=definition,
            details=details,
            template=(*template, (key, parent_type.name)),
            declaration=declared(definition.extensions),
        )
        self.fields.append(plan)
        plan.level = self._level(plan, definition.type, 0, parent)
        return plan

    def _level(self, field: FieldPlan, type_: GraphQLOutputType, depth: int, parent: Level | None) -> Level:
        inner, non_null = unwrapped(type_)
        level = Level(
            number=len(self.levels),
            field=field,
            depth=depth,
            type=inner,
            non_null=non_null,
            kind=kind_of(inner),
            parent=parent,
        )
        self.levels.append(level)
        if level.kind is Kind.LIST:
            level.item = self._level(field, inner.of_type, depth + 1, level)  # type: ignore[union-attr]
        elif level.kind is not Kind.LEAF:
            for object_type in self._possible_types(inner):
                collected = collect_subfields(
                    self._schema, self._fragments, self._variables, self._operation, object_type, field.details
                )
                template = (*field.template, *((INDEX,) * depth))
                level.objects[object_type.name] = self._object(object_type, collected, template, level)
        return level

    def _possible_types(self, type_: Any) -> list[GraphQLObjectType]:
        if isinstance(type_, GraphQLObjectType):
            return [type_]
        return list(self._schema.get_possible_types(type_))


def declared(extensions: Mapping[str, Any]) -> Declaration | None:
    """What the schema says of a field.

    Raises:
        NotCompilableError: if that is nothing that is known.
    """
    declaration = extensions.get(EXTENSION)
    if declaration is not None and not isinstance(declaration, Declaration):
        message = f"unknown declaration {declaration!r}"
        raise NotCompilableError(message)
    return declaration


def _is_deferring(field: FieldPlan) -> bool:
    level = field.level
    while level.item is not None:
        level = level.item
    return isinstance(field.declaration, Batch | Direct) or any(plan.is_deferring for plan in level.objects.values())
