"""Operations are refused if they cost too much, paid before they are executed, and partly given back after."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from gallery.domain.access import ANONYMOUS, LOCAL_ADMINISTRATOR, Viewer
from gallery.domain.budgets import Allowance
from gallery.domain.ids import UserId
from gallery.domain.metrics import TurnedAway
from gallery.platform.budgets import LocalBudget
from gallery.settings_limits import LimitSettings
from gallery.web.errors import error_body
from gallery.web.graphql.cost import Bill, Costs, ThrottledError, holder_of, objects_in
from gallery.web.graphql.deadline import DeadlineExceededError
from gallery.web.graphql.execution import prepare
from gallery.web.graphql.schema import schema
from gallery.web.graphql.validation import RefusedDocumentError

LIMITS = LimitSettings(max_cost=21, cost_bucket=50, cost_refill_per_second=10, deadline_seconds=0.01)
VIEWER = LOCAL_ADMINISTRATOR
PAGE = "query Q($first: Int) { images(first: $first) { nodes { id } } }"


class Counted:
    def __init__(self) -> None:
        self.prices: list[tuple[str, int]] = []
        self.reasons: list[TurnedAway] = []

    def priced(self, kind: str, points: int) -> None:
        self.prices.append((kind, points))

    def turned_away(self, reason: TurnedAway) -> None:
        self.reasons.append(reason)


class Till:
    """Costs with a budget by a clock that stands still."""

    def __init__(self, points: int = 50) -> None:
        self.metrics = Counted()
        self.budget = LocalBudget(Allowance(points=points, points_per_second=10), clock=lambda: 0)
        self.costs = Costs(LIMITS, self.budget, self.metrics)

    def bill(self, document: str = PAGE, viewer: Viewer = VIEWER, **variables: Any) -> Bill:  # noqa: ANN401
        return self.costs.bill(prepare(schema, document, None), variables, viewer, "192.0.2.1")

    async def available(self) -> float:
        return (await self.budget.take(VIEWER.id.hex, 0)).available


def test_what_costs_as_much_as_one_may_is_taken() -> None:
    assert Till().bill(first=20).requested == 21


def test_what_costs_more_is_refused_with_both_numbers() -> None:
    till = Till()
    with pytest.raises(RefusedDocumentError) as refused:
        till.bill(first=21)

    (error,) = refused.value.errors
    assert error.extensions == {"code": "COST_LIMIT_EXCEEDED", "requested": 22, "maximum": 21}
    assert till.metrics.reasons == [TurnedAway.COST]


def test_variables_over_a_limit_are_refused_before_anything_is_priced() -> None:
    till = Till()
    with pytest.raises(RefusedDocumentError) as refused:
        till.bill("query Q($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=["a"] * 1_001)

    assert (refused.value.errors[0].extensions or {})["code"] == "VARIABLES_TOO_COMPLEX"
    assert till.metrics.reasons == [TurnedAway.VARIABLES]


async def test_what_was_not_needed_is_given_back() -> None:
    till = Till()
    bill = till.bill(first=20)
    await till.costs.pay(bill)
    assert await till.available() == 50 - 21

    till.costs.executed(bill, {"images": {"nodes": [{"id": "a"}, {"id": "b"}]}})

    assert await till.available() == 50 - 3
    assert till.metrics.prices == [("query", 21)]
    assert till.costs.told(bill) == {
        "requested": 21,
        "actual": 3,
        "maximumAvailable": 50,
        "currentlyAvailable": 47,
        "restoreRate": 10,
    }


async def test_what_was_found_is_free() -> None:
    till = Till()
    bill = till.bill(first=20)
    await till.costs.pay(bill)
    till.costs.found(bill)

    assert await till.available() == 50
    assert till.metrics.prices == []


async def test_more_objects_than_were_paid_for_cost_no_more() -> None:
    till = Till()
    bill = till.bill(first=1)
    await till.costs.pay(bill)
    till.costs.executed(bill, {"images": {"nodes": [{"id": "a"}] * 30}})

    assert await till.available() == 48
    assert bill.actual == 31


@pytest.mark.parametrize(
    "document",
    ['mutation { createTag(input: {name: "a"}) { tag { id } } }', "subscription { imageProcessed { id } }"],
    ids=["mutation", "subscription"],
)
async def test_of_changes_and_subscriptions_nothing_is_given_back(document: str) -> None:
    till = Till()
    bill = till.bill(document)
    await till.costs.pay(bill)
    till.costs.executed(bill, None)

    assert await till.available() == 50 - bill.requested


async def test_who_has_too_few_points_is_told_when_there_will_be_enough() -> None:
    till = Till()
    for _ in range(2):
        await till.costs.pay(till.bill(first=20))

    with pytest.raises(ThrottledError) as refused:
        await till.costs.pay(till.bill(first=20))

    error = refused.value
    assert (error.status, error.headers) == (429, {"Retry-After": "2"})
    assert error_body(error, "1")["errors"][0]["extensions"] == {
        "code": "THROTTLED",
        "requestId": "1",
        "retryAfterSeconds": 2,
        "requested": 21,
        "available": 8,
    }
    assert till.metrics.reasons == [TurnedAway.THROTTLED]
    assert await till.available() == 8


async def test_strangers_of_one_address_share_and_are_nobody_else() -> None:
    till = Till()
    for _ in range(2):
        await till.costs.pay(till.bill(first=20, viewer=ANONYMOUS))

    with pytest.raises(ThrottledError):
        await till.costs.pay(till.bill(first=20, viewer=ANONYMOUS))
    await till.costs.pay(till.bill(first=20))


async def test_without_a_budget_nobody_waits() -> None:
    costs = Costs(LIMITS)
    bill = costs.bill(prepare(schema, PAGE, None), {"first": 20}, VIEWER, "")
    for _ in range(10):
        await costs.pay(bill)
    costs.executed(bill, {"images": {"nodes": []}}, is_told=True)

    assert costs.told(bill) == {"requested": 21, "actual": 1}


async def test_a_query_that_takes_too_long_is_cancelled_and_counted() -> None:
    till, ended = Till(), asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with pytest.raises(DeadlineExceededError) as refused:
        await till.costs.in_time(work())
    assert ended.is_set()
    assert refused.value.status == 504
    assert till.metrics.reasons == [TurnedAway.DEADLINE]


async def test_time_outs_of_what_is_waited_for_are_not_the_deadline() -> None:
    async def work() -> None:
        raise TimeoutError

    till = Till()
    with pytest.raises(TimeoutError):
        await till.costs.in_time(work())
    assert till.metrics.reasons == []


async def test_who_is_cancelled_from_outside_is_not_told_of_a_deadline() -> None:
    costs = Costs(LimitSettings(deadline_seconds=60))
    task = asyncio.ensure_future(costs.in_time(asyncio.Event().wait()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(
    ("address", "holder"),
    [
        ("192.0.2.1", "address:192.0.2.1"),
        ("::ffff:192.0.2.1", "address:192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "address:2001:db8:1:2::"),
        ("2001:db8:1:2::7", "address:2001:db8:1:2::"),
        ("", "address:"),
        ("testclient", "address:testclient"),
    ],
)
def test_strangers_are_told_apart_by_their_networks(address: str, holder: str) -> None:
    assert holder_of(ANONYMOUS, address) == holder


def test_accounts_are_the_same_wherever_they_come_from() -> None:
    other = replace(VIEWER, id=UserId(UUID(int=7)))
    assert holder_of(VIEWER, "192.0.2.1") == holder_of(replace(VIEWER, rights=frozenset()), "192.0.2.2")
    assert holder_of(other, "192.0.2.1") != holder_of(VIEWER, "192.0.2.1")


@pytest.mark.parametrize(
    ("data", "count"),
    [
        (None, 0),
        ({}, 0),
        ({"a": 1}, 0),
        ({"a": {"b": 1}}, 1),
        ({"a": [{"b": {}}, None, {"b": {}}], "c": [[{}]], "d": ["x"]}, 5),
    ],
)
def test_objects_of_an_answer_are_counted_wherever_they_are(data: object, count: int) -> None:
    assert objects_in(data) == count
