"""At a glance: which values of the specified scalars are serialized already."""

from __future__ import annotations

from typing import Any, Final

from graphql import GraphQLBoolean, GraphQLFloat, GraphQLID, GraphQLInt, GraphQLString

_UNUSUAL: Final = {
    GraphQLString: "type({0}) is not str",
    GraphQLID: "type({0}) is not str",
    GraphQLBoolean: "{0} is not True and {0} is not False",
    GraphQLInt: "type({0}) is not int or not -2147483648 <= {0} <= 2147483647",
    GraphQLFloat: "type({0}) is not float or {0} - {0} != 0.0",
}
_SERIALIZERS: Final = {scalar: scalar.coerce_output_value for scalar in _UNUSUAL}


def unusual(type_: Any, variable: str) -> str | None:
    """The condition under which a variable's value has yet to be serialized; None if that is always so."""
    if type_ in _UNUSUAL and type_.coerce_output_value == _SERIALIZERS[type_]:
        return _UNUSUAL[type_].format(variable)
    return None
