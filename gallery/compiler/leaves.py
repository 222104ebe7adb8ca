"""At a glance: which values of scalars are serialized already, and what serializes the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from graphql import GraphQLBoolean, GraphQLFloat, GraphQLID, GraphQLInt, GraphQLString

from gallery.compiler.declarations import EXTENSION, Serialized
from gallery.compiler.plan import Level

_UNUSUAL: Final = {
    GraphQLString: "type({0}) is not str",
    GraphQLID: "type({0}) is not str",
    GraphQLBoolean: "{0} is not True and {0} is not False",
    GraphQLInt: "type({0}) is not int or not -2147483648 <= {0} <= 2147483647",
    GraphQLFloat: "type({0}) is not float or {0} - {0} != 0.0",
}
_SERIALIZERS: Final = {scalar: scalar.coerce_output_value for scalar in _UNUSUAL}


def complete_leaf(level: Level, variable: str, completed: str, constant: Callable[[str, object], str]) -> str:
    """A statement that completes the value of a variable, by an expression if that has yet to be done.

    `constant` gives a value a name in the code.
    """
    present = "" if level.non_null else f"{variable} is not None"
    declared = level.type.extensions.get(EXTENSION)  # type: ignore[union-attr]  # leaves are named types
    if not isinstance(declared, Serialized):
        return _unless_done(variable, completed, present, _unusual(level.type, variable))
    class_ = constant(f"leaf{level.number}", declared.python_type)
    if declared.serialize is None:
        return _unless_done(variable, completed, present, f"type({variable}) is not {class_}")
    serialize = constant(f"serialize{level.number}", declared.serialize)
    expression = f"{serialize}({variable}) if type({variable}) is {class_} else {completed}"
    return _unless_done(variable, expression, present, None)


def _unless_done(variable: str, completed: str, present: str, unusual: str | None) -> str:
    conditions = [condition for condition in (present, unusual and f"({unusual})") if condition]
    return f"if {' and '.join(conditions)}: {variable} = {completed}" if conditions else f"{variable} = {completed}"


def _unusual(type_: Any, variable: str) -> str | None:
    """The condition under which a variable's value has yet to be serialized; None if that is always so."""
    if type_ in _UNUSUAL and type_.coerce_output_value == _SERIALIZERS[type_]:
        return _UNUSUAL[type_].format(variable)
    return None
