"""Values of arguments, coerced as graphql-core does it; at once where nothing is to be done (specification, 6.4.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from graphql import Undefined, VariableNode, is_required_argument
from graphql.execution.values import VariableValues, get_argument_values

if TYPE_CHECKING:
    from graphql import FieldNode, GraphQLField

    from gallery.compiler.plan import FieldPlan


class PlainArgument(NamedTuple):
    """An argument that is a variable; or one that was left out and is null by default, if there is none."""

    name: str
    variable: str | None


def plain_arguments(definition: GraphQLField, node: FieldNode) -> tuple[PlainArgument, ...] | None:
    """The arguments of a field if each is one of these, or has neither a value nor a default."""
    nodes = {argument.name.value: argument.value for argument in node.arguments or ()}
    found = []
    for key, argument in definition.args.items():
        name, value = argument.out_name or key, nodes.get(key)
        if isinstance(value, VariableNode):
            found.append(PlainArgument(name, value.name.value))
        elif value is not None or is_required_argument(argument) or argument.default is not None:
            return None
        elif argument.default_value is None:
            found.append(PlainArgument(name, None))
        elif argument.default_value is not Undefined:
            return None
    return tuple(found)


def argument_values(field: FieldPlan, variables: VariableValues) -> dict[str, Any]:
    """The coerced values by name.

    Raises:
        GraphQLError: if one has a wrong value.
    """
    plain, coerced = field.plain_arguments, variables.coerced
    if plain is None:
        return _coerced(field, variables)
    found: dict[str, Any] = {}
    for name, variable in plain:
        if variable is None:
            found[name] = None
        elif (value := coerced.get(variable)) is None:  # null may be wrong here, and what is missing has a default
            return _coerced(field, variables)
        else:
            found[name] = value
    return found


def _coerced(field: FieldPlan, variables: VariableValues) -> dict[str, Any]:
    return get_argument_values(field.definition, field.details[0].node, variables)
