"""How large a document is in the ways that limits are for, found out in one walk through it before it is validated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from graphql import (
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    ListValueNode,
    NameNode,
    Node,
    OperationDefinitionNode,
    SelectionSetNode,
)

from gallery.settings_limits import LimitSettings
from gallery.web.graphql.fragments import inner_first

_SAID: Final = {
    "depth": "The document has fields within fields {found:,} levels deep; at most {maximum:,} are taken.",
    "aliases": "The document has {found:,} aliases; at most {maximum:,} are taken.",
    "directives": "The document has {found:,} directives; at most {maximum:,} are taken.",
    "listItems": "The document has a list of {found:,} items; at most {maximum:,} are taken.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Excess:
    """A limit that a document is over, by the name that clients are told."""

    limit: str
    maximum: int
    message: str


def first_excess(document: DocumentNode, limits: LimitSettings) -> Excess | None:
    """The first limit that a document is over, if it is over any."""
    found: Counter[str] = Counter()
    for node in _nodes(document):
        match node:
            case FieldNode(alias=NameNode()):
                found["aliases"] += 1
            case DirectiveNode():
                found["directives"] += 1
            case ListValueNode():
                found["listItems"] = max(found["listItems"], len(node.values))
    found["depth"] = _depth(document)
    maxima = {
        "depth": limits.max_depth,
        "aliases": limits.max_aliases,
        "directives": limits.max_directives,
        "listItems": limits.max_list_items,
    }
    for limit, maximum in maxima.items():
        if found[limit] > maximum:
            message = _SAID[limit].format(found=found[limit], maximum=maximum)
            return Excess(limit=limit, maximum=maximum, message=message)
    return None


def _nodes(document: DocumentNode) -> Iterator[Node]:
    waiting: list[Node] = [document]
    while waiting:
        node = waiting.pop()
        yield node
        for key in node.keys:
            value = getattr(node, key)
            if isinstance(value, tuple):
                waiting.extend(value)
            elif isinstance(value, Node):
                waiting.append(value)


def _depth(document: DocumentNode) -> int:
    """How many fields lie within each other at most, those of fragments counted where they are spread.

    A fragment that spreads itself is for the validation to refuse.
    """
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    operations = [node.selection_set for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    depths: dict[str, int] = {}
    for name in inner_first(operations, fragments):
        depths[name] = _depth_of(fragments[name].selection_set, depths)
    return max((_depth_of(selections, depths) for selections in operations), default=0)


def _depth_of(selections: SelectionSetNode, depths: dict[str, int]) -> int:
    deepest, waiting = 0, [(selections, 0)]
    while waiting:
        inner, depth = waiting.pop()
        for selection in inner.selections:
            match selection:
                case FragmentSpreadNode():
                    deepest = max(deepest, depth + depths.get(selection.name.value, 0))
                case InlineFragmentNode():
                    waiting.append((selection.selection_set, depth))
                case FieldNode():
                    deepest = max(deepest, depth + 1)
                    if selection.selection_set is not None:
                        waiting.append((selection.selection_set, depth + 1))
    return deepest
