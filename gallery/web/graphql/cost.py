"""What operations cost: refused if it is too much, paid before they are executed, partly given back after.

Nothing is charged for an answer that is kept, or for what never comes to be executed.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any, Final, TypeVar

from graphql import GraphQLError, OperationType

from gallery.domain.access import ANONYMOUS, Viewer
from gallery.domain.budgets import Balance, Budget
from gallery.domain.metrics import NO_METRICS, CostMetrics, TurnedAway
from gallery.settings_limits import LimitSettings
from gallery.web.errors import RequestCode, RequestError
from gallery.web.graphql.deadline import DeadlineExceededError, within
from gallery.web.graphql.errors import with_code
from gallery.web.graphql.execution import PreparedOperation
from gallery.web.graphql.validation import DEFAULT_LIMITS, RefusedDocumentError
from gallery.web.graphql.variables import require_modest

T = TypeVar("T")

COST_HEADER: Final = "GraphQL-Cost"
"""A request with this header, of any value, is told what it has cost. It is executed, not answered from memory."""

_NETWORK_BITS: Final = 64
"""Who has one address of IPv6 has as many as this leaves."""


class ThrottledError(RequestError):
    """A viewer has asked for more than they may in the course of time."""

    def __init__(self, requested: int, balance: Balance) -> None:
        seconds = max(1, math.ceil(balance.wait_seconds))
        message = f"You have asked for much in a short time. Send this again in {seconds:,} s."
        super().__init__(RequestCode.THROTTLED, message, HTTPStatus.TOO_MANY_REQUESTS)
        self.headers = {"Retry-After": str(seconds)}
        available = max(0, math.floor(balance.available))
        self.extensions = {"retryAfterSeconds": seconds, "requested": requested, "available": available}


@dataclass(slots=True)
class Bill:
    """What one operation costs, in points. `balance` is what was left; None if nobody counts."""

    kind: OperationType
    requested: int
    holder: str
    balance: Balance | None = None
    actual: int | None = None


class Costs:
    """Prices operations, and has them paid if there is a budget."""

    def __init__(
        self,
        limits: LimitSettings = DEFAULT_LIMITS,
        budget: Budget | None = None,
        metrics: CostMetrics = NO_METRICS,
    ) -> None:
        self.limits = limits
        self._budget = budget
        self._metrics = metrics

    def bill(self, operation: PreparedOperation, variables: Mapping[str, Any], viewer: Viewer, address: str) -> Bill:
        """What an operation is going to cost.

        Raises:
            RefusedDocumentError: VARIABLES_TOO_COMPLEX, COST_LIMIT_EXCEEDED.
        """
        if _may_be_large(variables, self.limits):
            try:
                require_modest(variables, self.limits)
            except RefusedDocumentError:
                self._metrics.turned_away(TurnedAway.VARIABLES)
                raise
        requested, most = operation.price.of(variables), self.limits.max_cost
        if requested > most:
            self._metrics.turned_away(TurnedAway.COST)
            message = (
                f"The operation costs {requested:,} points; at most {most:,} are taken. Ask for smaller pages, "
                "or for fewer lists within lists."
            )
            error = GraphQLError(message, extensions={"requested": requested, "maximum": most})
            raise RefusedDocumentError([with_code(error, RequestCode.COST_LIMIT_EXCEEDED)])
        return Bill(operation.kind, requested, "" if self._budget is None else holder_of(viewer, address))

    async def pay(self, bill: Bill) -> None:
        """Takes the points of an operation that is to be executed now.

        Raises:
            ThrottledError: if there are too few.
        """
        if self._budget is None:
            return
        balance = bill.balance = await self._budget.take(bill.holder, bill.requested)
        if not balance.is_enough:
            self._metrics.turned_away(TurnedAway.THROTTLED)
            raise ThrottledError(bill.requested, balance)

    async def in_time(self, work: Awaitable[T]) -> T:
        """What a query gives.

        Raises:
            DeadlineExceededError: if it takes too long; it is cancelled then, and paid for.
        """
        try:
            return await within(self.limits.deadline_seconds, work)
        except DeadlineExceededError:
            self.was_late()
            raise

    def was_late(self) -> None:
        """Counts a query that took too long."""
        self._metrics.turned_away(TurnedAway.DEADLINE)

    def found(self, bill: Bill) -> None:
        """Gives everything back: somebody had the answer."""
        self._give_back(bill, 0)

    def executed(self, bill: Bill, data: object, *, is_told: bool = False) -> None:
        """Gives back what the answer to a query has less than it might have had."""
        self._metrics.priced(bill.kind.value, bill.requested)
        if self._budget is None and not is_told:
            return
        objects = objects_in(data)
        self._give_back(bill, objects if bill.kind is OperationType.QUERY else max(objects, bill.requested))

    def told(self, bill: Bill) -> dict[str, Any]:
        """What an answer has in `extensions.cost`."""
        told: dict[str, Any] = {"requested": bill.requested, "actual": bill.actual}
        if self._budget is not None and bill.balance is not None:
            allowance = self._budget.allowance
            returned = max(0, bill.requested - (bill.actual or 0))
            available = min(allowance.points, math.floor(bill.balance.available) + returned)
            told |= {
                "maximumAvailable": allowance.points,
                "currentlyAvailable": max(0, available),
                "restoreRate": allowance.points_per_second,
            }
        return told

    def _give_back(self, bill: Bill, actual: int) -> None:
        bill.actual = actual
        if self._budget is not None and bill.balance is not None and bill.requested > actual:
            self._budget.give_back(bill.holder, bill.requested - actual)


def _may_be_large(variables: Mapping[str, Any], limits: LimitSettings) -> bool:
    """Whether it is worth looking: most requests have a few numbers and ids."""
    for value in variables.values():
        if type(value) is dict or type(value) is list:
            return True
    return len(variables) > limits.max_variable_values


def holder_of(viewer: Viewer, address: str) -> str:
    """Whose points are spent: an account's, or those of the address, or network, that a stranger comes from."""
    if viewer.id != ANONYMOUS.id:
        return viewer.id.hex
    try:
        found = ip_address(address)
    except ValueError:
        return f"address:{address}"
    if isinstance(found, IPv6Address) and found.ipv4_mapped is None:
        return f"address:{ip_network((found, _NETWORK_BITS), strict=False).network_address}"
    return f"address:{getattr(found, 'ipv4_mapped', None) or found}"


def objects_in(data: object) -> int:
    """How many objects an answer has, but for that which is all of it."""
    found, waiting = 0, [data]
    while waiting:
        value = waiting.pop()
        if type(value) is dict:
            found += 1
            waiting.extend([one for one in value.values() if type(one) is dict or type(one) is list])
        elif type(value) is list:
            waiting.extend(value)
    return max(0, found - 1)
