"""What an operation costs before it is executed, as GitHub and Shopify reckon: a point for each object in the answer.

https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api and
https://shopify.dev/docs/api/usage/limits describe the models. Scalars are free; whatever lies in a list costs as often
as the list has items (`counts.py`); a field of a mutation costs more, and something for each item of its input.

A price is made once for a document, in a time that goes with its length: each fragment is looked at once, after those
that it spreads. Where fragments spread others twice, numbers double and not the work. To work it out for the variables
of a request takes a step for each list whose length is one of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLNamedType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionNode,
    SelectionSetNode,
    get_named_type,
    get_nullable_type,
    is_list_type,
    value_from_ast_untyped,
)

from gallery.web.graphql.amounts import Amount, Known, plus, times, value_of
from gallery.web.graphql.counts import ASSUMED_ITEMS, Defaults, condition_of, count_of
from gallery.web.graphql.fragments import inner_first

CHANGE: Final = 10
"""What a field of a mutation costs beside what it answers with, and a subscription to begin."""
CHANGED_ITEM: Final = 1
"""What each item of the lists in its input costs: an id, a name, a file."""
INTROSPECTION: Final[Mapping[str, int]] = {"__schema": 1_000, "__type": 100}
"""What it costs to be told of the schema, however much: other limits bound that."""

_BY_SIZE: Final = ("Connection", "Payload")
"""How the names of types end whose lists are as long as the field says that answers with them."""
_ERRORS: Final = "errors"


class Price:
    """What an operation costs for the variables of a request."""

    __slots__ = ("_amount", "_fragments")

    def __init__(self, amount: Amount, fragments: Sequence[tuple[Amount, Amount]]) -> None:
        self._amount = amount
        self._fragments = () if isinstance(amount, int) else fragments

    def of(self, variables: Mapping[str, Any]) -> int:
        """The points. Variables may be wrong: then any number will do."""
        amount = self._amount
        if isinstance(amount, int):
            return amount
        known = Known(variables)
        for once, each in self._fragments:
            known.fragments.append((value_of(once, known), value_of(each, known)))
        return amount(known)


def price_of(schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode) -> Price:
    """The price of an operation of a valid document."""
    pricing = _Pricing(schema, document, operation)
    return Price(pricing.amount(), pricing.fragments)


@dataclass(frozen=True, slots=True)
class _Selected:
    """What a selection costs: `once`, and for `each` item of the lists of the field above it."""

    once: Amount = 0
    each: Amount = 0


class _Pricing:
    """The price of one operation, while it is made."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode) -> None:
        self._schema = schema
        self._operation = operation
        self._definitions = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }
        self._defaults: Defaults = {
            node.variable.name.value: value_from_ast_untyped(node.default_value)
            for node in operation.variable_definitions or ()
            if node.default_value is not None
        }
        self._numbers: dict[str, int] = {}
        self.fragments: list[tuple[Amount, Amount]] = []

    def amount(self) -> Amount:
        """What it all costs."""
        for name in inner_first([self._operation.selection_set], self._definitions):
            definition = self._definitions[name]
            selected = self._selected(definition.selection_set, self._type(definition.type_condition.name.value))
            self._numbers[name] = len(self.fragments)
            self.fragments.append((selected.once, selected.each))
        root = self._schema.get_root_type(self._operation.operation)
        selected = self._selected(self._operation.selection_set, root)
        begun = CHANGE if self._operation.operation is OperationType.SUBSCRIPTION else 0
        return plus([begun, selected.once, selected.each])

    def _type(self, name: str) -> GraphQLNamedType | None:
        return self._schema.type_map.get(name)

    def _selected(self, selections: SelectionSetNode, parent: GraphQLNamedType | None) -> _Selected:
        once: list[Amount] = []
        each: list[Amount] = []
        for selection in selections.selections:
            found = self._selection(selection, parent)
            condition = condition_of(tuple(selection.directives or ()), self._defaults)
            once.append(times(condition, found.once))
            each.append(times(condition, found.each))
        return _Selected(plus(once), plus(each))

    def _selection(self, selection: SelectionNode, parent: GraphQLNamedType | None) -> _Selected:
        match selection:
            case FieldNode():
                return self._field(selection, parent)
            case InlineFragmentNode():
                condition = selection.type_condition
                inner = parent if condition is None else self._type(condition.name.value)
                return self._selected(selection.selection_set, inner)
            case FragmentSpreadNode():
                return self._spread(self._numbers[selection.name.value])
        return _Selected()

    def _spread(self, number: int) -> _Selected:
        once, each = self.fragments[number]
        return _Selected(
            once if isinstance(once, int) else lambda known: known.fragments[number][0],
            each if isinstance(each, int) else lambda known: known.fragments[number][1],
        )

    def _field(self, node: FieldNode, parent: GraphQLNamedType | None) -> _Selected:
        name = node.name.value
        if name in INTROSPECTION:
            return _Selected(INTROSPECTION[name])
        field: GraphQLField | None = getattr(parent, "fields", {}).get(name)
        if field is None:
            return _Selected()  # `__typename`
        is_change = parent is self._schema.mutation_type
        count = count_of(node, field, self._defaults)
        work = plus([CHANGE, times(CHANGED_ITEM, count or 0)]) if is_change else 0
        if node.selection_set is None:
            return _Selected(work)
        inner = self._selected(node.selection_set, get_named_type(field.type))
        items: Amount = ASSUMED_ITEMS if count is None else count
        one = plus([1, inner.once, times(items, inner.each)])
        if not is_list_type(get_nullable_type(field.type)):
            return _Selected(plus([work, one]))
        if parent is not None and parent.name.endswith(_BY_SIZE):
            return _Selected(one) if name == _ERRORS else _Selected(each=one)
        return _Selected(plus([work, times(items, one)]))
