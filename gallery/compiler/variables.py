"""Values of variables, coerced as graphql-core does it; at once where nothing is to be done (specification, 6.1.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from graphql import (
    GraphQLBoolean,
    GraphQLError,
    GraphQLID,
    GraphQLSchema,
    GraphQLString,
    VariableDefinitionNode,
    get_nullable_type,
    get_variable_values,
)
from graphql.execution.get_variable_signature import GraphQLVariableSignature, get_variable_signature
from graphql.execution.values import VariableValues, VariableValueSource

MOST_COERCION_ERRORS: Final = 50
"""As in graphql-core's `execute`."""

_NO_VARIABLES: Final = VariableValues({}, {})
_AS_THEY_ARE: Final[Mapping[object, type]] = {GraphQLID: str, GraphQLString: str, GraphQLBoolean: bool}
"""Scalars, and the class whose values they leave alone."""


class Variables:
    """The variables of an operation."""

    def __init__(self, schema: GraphQLSchema, definitions: tuple[VariableDefinitionNode, ...]) -> None:
        self._schema = schema
        self._definitions = definitions
        self._plain = _plain(schema, definitions)

    def coerced(self, values: Mapping[str, Any]) -> VariableValues | list[GraphQLError]:
        """The coerced values, or what is wrong with them."""
        if not self._definitions:
            return _NO_VARIABLES
        if self._plain is None:
            return self._coerced(values)
        sources, coerced = {}, {}
        for name, signature, class_ in self._plain:
            value = values.get(name)
            if type(value) is not class_:
                return self._coerced(values)
            sources[name] = VariableValueSource(signature, value)
            coerced[name] = value
        return VariableValues(sources, coerced)

    def _coerced(self, values: Mapping[str, Any]) -> VariableValues | list[GraphQLError]:
        return get_variable_values(self._schema, self._definitions, dict(values), MOST_COERCION_ERRORS)


def _plain(
    schema: GraphQLSchema, definitions: tuple[VariableDefinitionNode, ...]
) -> list[tuple[str, GraphQLVariableSignature, type]] | None:
    """Names, signatures and the classes of values that need no coercion; None if some always need it."""
    found = []
    for definition in definitions:
        signature = get_variable_signature(schema, definition)
        if isinstance(signature, GraphQLError):
            return None
        class_ = _AS_THEY_ARE.get(get_nullable_type(signature.type))
        if class_ is None:
            return None
        found.append((signature.name, signature, class_))
    return found
