"""The fragments of a document in an order in which each can be looked at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from graphql import FieldNode, FragmentDefinitionNode, FragmentSpreadNode, InlineFragmentNode, SelectionSetNode


def inner_first(
    selections: Iterable[SelectionSetNode], fragments: Mapping[str, FragmentDefinitionNode]
) -> Iterator[str]:
    """The names of the fragments that are spread there or in each other, each after those that it spreads.

    Without recursion from one to the next: a chain of them may be longer than the stack is deep. Of those that spread
    each other in a circle one comes first.
    """
    seen: set[str] = set()
    waiting: list[tuple[str | None, Iterator[str]]] = [
        (None, (name for selection in selections for name in _spread_in(selection)))
    ]
    while waiting:
        name, spread = waiting[-1]
        following = next((one for one in spread if one not in seen), None)
        if following is None:
            waiting.pop()
            if name is not None:
                yield name
        elif following in fragments:
            seen.add(following)
            waiting.append((following, _spread_in(fragments[following].selection_set)))


def _spread_in(selections: SelectionSetNode) -> Iterator[str]:
    """The names of the fragments that stand in a selection, at whichever depth."""
    waiting = [selections]
    while waiting:
        for selection in waiting.pop().selections:
            if isinstance(selection, FragmentSpreadNode):
                yield selection.name.value
            elif isinstance(selection, FieldNode | InlineFragmentNode) and selection.selection_set is not None:
                waiting.append(selection.selection_set)
