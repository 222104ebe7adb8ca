"""What can be said of an operation from its document alone: which it is, what is in the way, and what it depends on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from graphql import (
    BooleanValueNode,
    DirectiveNode,
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLSchema,
    Node,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableDefinitionNode,
    VariableNode,
)

_CONDITIONS: Final = ("skip", "include")
_UNKNOWN_DIRECTIVES: Final = ("defer", "stream", "experimental_disableErrorPropagation")


class Condition(NamedTuple):
    """A variable that decides what is left of an operation."""

    name: str
    default: bool | None


def select_operation(document: DocumentNode, name: str | None) -> OperationDefinitionNode | None:
    """The operation to execute (GraphQL specification, GetOperation in 6.1)."""
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    if name is None:
        return operations[0] if len(operations) == 1 else None
    named = [operation for operation in operations if operation.name and operation.name.value == name]
    return named[-1] if named else None


def obstacle_to_compiling(schema: GraphQLSchema, document: DocumentNode) -> str | None:
    """What is in a schema or a document that compiled code does not do."""
    if any(schema.get_directive(name) for name in ("defer", "stream")):
        return "a schema with @defer or @stream"
    for definition in document.definitions:
        if isinstance(definition, FragmentDefinitionNode) and definition.variable_definitions:
            return "fragment with variables"
    for directive in _directives(document):
        if directive.name.value in _UNKNOWN_DIRECTIVES:
            return f"@{directive.name.value}"
    return None


def conditions_of(document: DocumentNode, operation: OperationDefinitionNode) -> tuple[Condition, ...]:
    """The variables of an operation that `@skip` and `@include` depend on."""
    names = {
        argument.value.name.value
        for directive in _directives(document)
        if directive.name.value in _CONDITIONS
        for argument in directive.arguments or ()
        if isinstance(argument.value, VariableNode)
    }
    return tuple(
        Condition(definition.variable.name.value, _default(definition))
        for definition in operation.variable_definitions or ()
        if definition.variable.name.value in names
    )


def condition_values(conditions: tuple[Condition, ...], variables: Mapping[str, Any]) -> tuple[bool, ...] | None:
    """What the conditions are with these variables; None if one is no Boolean: that is an error of the request."""
    values = tuple([variables.get(condition.name, condition.default) for condition in conditions])
    return values if all(isinstance(value, bool) for value in values) else None


def _default(definition: VariableDefinitionNode) -> bool | None:
    default = definition.default_value
    return default.value if isinstance(default, BooleanValueNode) else None


def _directives(document: DocumentNode) -> Iterator[DirectiveNode]:
    """All directives of operations, fragments and selections."""
    stack: list[Node] = list(document.definitions)
    while stack:
        node = stack.pop()
        yield from getattr(node, "directives", None) or ()
        below = node if isinstance(node, SelectionSetNode) else getattr(node, "selection_set", None)
        if below is not None:
            stack += below.selections
