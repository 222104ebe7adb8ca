"""What can be said of an operation from its document alone: which it is, what is in the way, and what it depends on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from graphql import (
    BooleanValueNode,
    DirectiveNode,
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLSchema,
    Node,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
)

_CONDITIONS: Final = ("skip", "include")
_UNKNOWN_DIRECTIVES: Final = ("defer", "stream", "experimental_disableErrorPropagation")


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


def condition_names(document: DocumentNode) -> frozenset[str]:
    """The names of the variables in `@skip` and `@include`, wherever in the document."""
    return frozenset(
        argument.value.name.value
        for directive in _directives(document)
        if directive.name.value in _CONDITIONS
        for argument in directive.arguments or ()
        if isinstance(argument.value, VariableNode)
    )


def condition_values(
    document: DocumentNode, operation: OperationDefinitionNode, variables: Mapping[str, Any]
) -> Mapping[str, bool] | None:
    """The values of the variables in `@skip` and `@include` that the operation has; None if one has none."""
    names = condition_names(document)
    values: dict[str, bool] = {}
    for definition in operation.variable_definitions or ():
        name = definition.variable.name.value
        if name not in names:
            continue
        value = variables.get(name)
        if name not in variables and isinstance(definition.default_value, BooleanValueNode):
            value = definition.default_value.value
        if not isinstance(value, bool):
            return None
        values[name] = value
    return values


def _directives(document: DocumentNode) -> Iterator[DirectiveNode]:
    """All directives of operations, fragments and selections."""
    stack: list[Node] = list(document.definitions)
    while stack:
        node = stack.pop()
        yield from getattr(node, "directives", None) or ()
        below = node if isinstance(node, SelectionSetNode) else getattr(node, "selection_set", None)
        if below is not None:
            stack += below.selections
