"""How large the variables of a request may be, found out before anything looks into them; without recursion."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from graphql import GraphQLError

from gallery.settings_limits import LimitSettings
from gallery.web.errors import RequestCode
from gallery.web.graphql.errors import with_code
from gallery.web.graphql.validation import RefusedDocumentError


def require_modest(variables: Mapping[str, Any], limits: LimitSettings) -> None:
    """Passes variables within the limits of lists, values and depth.

    Raises:
        RefusedDocumentError: VARIABLES_TOO_COMPLEX, with the limit and its value.
    """
    limit = _exceeded(variables, limits)
    if limit is None:
        return
    name, maximum = limit
    error = GraphQLError(_SAID[name].format(maximum), extensions={"limit": name, "maximum": maximum})
    raise RefusedDocumentError([with_code(error, RequestCode.VARIABLES_TOO_COMPLEX)])


def _exceeded(variables: Mapping[str, Any], limits: LimitSettings) -> tuple[str, int] | None:
    count, waiting = len(variables), _containers(variables.values(), 1)
    while waiting and count <= limits.max_variable_values:
        value, depth = waiting.pop()
        if depth > limits.max_variable_depth:
            return "depth", limits.max_variable_depth
        if isinstance(value, list) and len(value) > limits.max_list_items:
            return "listItems", limits.max_list_items
        count += len(value)
        waiting += _containers(value if isinstance(value, list) else value.values(), depth + 1)
    return None if count <= limits.max_variable_values else ("values", limits.max_variable_values)


def _containers(values: Iterable[Any], depth: int) -> list[tuple[dict[str, Any] | list[Any], int]]:
    return [(value, depth) for value in values if isinstance(value, dict | list)]


_SAID: Final = {
    "values": "The variables have more than {:,} values.",
    "depth": "The variables have lists and objects more than {:,} levels deep.",
    "listItems": "A list in the variables has more than {:,} items.",
}
