"""Sums and products that are known but for the variables of a request: what does not depend on them is a number."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

CEILING: Final = 1_000_000_000
"""No amount is larger: what costs more than all that anybody may spend need not be known exactly."""


@dataclass(slots=True)
class Known:
    """What amounts are worked out from: variables, and what the fragments before this one amount to."""

    variables: Mapping[str, Any]
    fragments: list[tuple[int, int]] = field(default_factory=list)


Amount = int | Callable[[Known], int]


def value_of(amount: Amount, known: Known) -> int:
    """The number."""
    return amount if isinstance(amount, int) else amount(known)


def plus(amounts: Sequence[Amount]) -> Amount:
    """The sum."""
    fixed = min(CEILING, sum(amount for amount in amounts if isinstance(amount, int)))
    others = [amount for amount in amounts if not isinstance(amount, int)]
    if not others:
        return fixed
    if len(others) == 1 and not fixed:
        return others[0]

    def total(known: Known) -> int:
        found = fixed
        for other in others:
            found += other(known)
        return min(CEILING, found)

    return total


def times(count: Amount, each: Amount) -> Amount:
    """The product."""
    if isinstance(count, int) and isinstance(each, int):
        return min(CEILING, count * each)
    if count == 0 or each == 0:
        return 0
    if isinstance(each, int):
        return _multiple(each, count)
    if isinstance(count, int):
        return each if count == 1 else _multiple(count, each)
    first, second = count, each
    return lambda known: min(CEILING, first(known) * second(known))


def _multiple(factor: int, amount: Amount) -> Amount:
    assert not isinstance(amount, int)  # noqa: S101  # looked at by who calls this
    return lambda known: min(CEILING, factor * amount(known))
