"""How many objects a field answers with at most, as far as its arguments tell."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any, Final

from graphql import (
    DirectiveNode,
    FieldNode,
    GraphQLField,
    IntValueNode,
    ListValueNode,
    ObjectValueNode,
    ValueNode,
    VariableNode,
    get_nullable_type,
    is_input_object_type,
    is_list_type,
    value_from_ast_untyped,
)

from gallery.domain.pages import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE
from gallery.web.graphql.amounts import Amount, Known, plus

ASSUMED_ITEMS: Final = 10
"""How many items a list is taken to have if nothing says how many: the tags of an image, the albums it is in."""

Defaults = Mapping[str, Any]
"""The default values of the variables of an operation."""


def count_of(node: FieldNode, field: GraphQLField, defaults: Defaults) -> Amount | None:
    """How many items the lists below a field have; None if no argument tells.

    Pages have as many as `first` or `last` says, and others as their list of ids or checksums, or all lists of their
    input together. What is over the limit of a page is refused by its resolver, and counts as a whole page.
    """
    given = {argument.name.value: argument.value for argument in node.arguments or ()}
    if "first" in field.args:
        return _page_size(given.get("first"), given.get("last"), defaults)
    sizes = [
        _items(given[name], defaults)
        for name, argument in field.args.items()
        if name in given and _holds_lists(argument.type)
    ]
    return plus(sizes) if sizes else None


def condition_of(directives: tuple[DirectiveNode, ...], defaults: Defaults) -> Amount:
    """1 if what has these directives is executed, else 0."""
    conditions = [_condition(directive, defaults) for directive in directives]
    found = [one for one in conditions if one != 1]
    if not found:
        return 1
    if 0 in found:
        return 0
    return lambda known: int(all(one(known) for one in found if not isinstance(one, int)))


def _condition(directive: DirectiveNode, defaults: Defaults) -> Amount:
    if directive.name.value not in {"skip", "include"} or not directive.arguments:
        return 1
    value, wanted = directive.arguments[0].value, directive.name.value == "include"
    if isinstance(value, VariableNode):
        name, default = value.name.value, defaults.get(value.name.value)
        return lambda known: int(bool(known.variables.get(name, default)) is wanted)
    return int(bool(value_from_ast_untyped(value)) is wanted)


def _page_size(first: ValueNode | None, last: ValueNode | None, defaults: Defaults) -> Amount:
    bounds = [bound for bound in (first, last) if bound is not None]
    sizes = [int(bound.value) if isinstance(bound, IntValueNode) else None for bound in bounds if _is_short(bound)]
    variables = [bound.name.value for bound in bounds if isinstance(bound, VariableNode)]
    if not variables:
        return _page(sizes)
    found = [(name, defaults.get(name)) for name in variables]
    if len(found) == 1 and not sizes:
        return _one_page(*found[0])
    return lambda known: _page([*sizes, *(known.variables.get(name, default) for name, default in found)])


def _one_page(name: str, default: object) -> Amount:
    """The ordinary case, in half the time."""

    def size(known: Known) -> int:
        value = known.variables.get(name, default)
        return value if type(value) is int and 0 <= value <= MAX_PAGE_SIZE else _page([value])

    return size


def _is_short(value: ValueNode) -> bool:
    """Whether it is worth reading: numbers of thousands of digits are refused by whoever reads them."""
    return not isinstance(value, IntValueNode) or len(value.value) < len(str(2**64))


def _page(sizes: list[Any]) -> int:
    numbers = [int(size) for size in sizes if type(size) in (int, float) and isfinite(size)]
    return min(MAX_PAGE_SIZE, max(0, *numbers)) if numbers else DEFAULT_PAGE_SIZE


def _holds_lists(type_: Any) -> bool:  # noqa: ANN401  # graphql-core's own
    inner = get_nullable_type(type_)
    return is_list_type(inner) or is_input_object_type(inner)


def _items(value: ValueNode, defaults: Defaults) -> Amount:
    """How many items a list has, or the lists of an input together."""
    match value:
        case VariableNode():
            name, default = value.name.value, defaults.get(value.name.value)
            return lambda known: _length(known.variables.get(name, default))
        case ListValueNode():
            return len(value.values)
        case ObjectValueNode():
            inner = [field.value for field in value.fields]
            return plus([_items(one, defaults) for one in inner if isinstance(one, ListValueNode | VariableNode)])
    return 0


def _length(value: object) -> int:
    if isinstance(value, dict):
        return sum(len(one) for one in value.values() if isinstance(one, list))
    return len(value) if isinstance(value, list) else 0
