"""How the end of a GraphQL operation is told to the metrics."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractContextManager

import pytest
from graphql import ExecutionResult, GraphQLError, OperationType

from gallery.domain.access import LOCAL_ADMINISTRATOR
from gallery.domain.metrics import OperationOutcome, TurnedAway
from gallery.web.body import ClientDisconnectedError
from gallery.web.errors import RequestCode, RequestError
from gallery.web.graphql.context import Context
from gallery.web.graphql.measuring import MeasuredOperation
from tests.fakes.gallery import MemoryGallery
from tests.unit.test_app import parts_of

FINE = ExecutionResult({"stats": None}, None)
WRONG = ExecutionResult({"stats": None}, [GraphQLError("broken", path=["stats"])])
NOT_EXECUTED = ExecutionResult(None, [GraphQLError("no such variable")])


class MemoryOperations:
    """The operations that have ended, without their durations, which must not be negative."""

    def __init__(self) -> None:
        self.ended: list[tuple[str, OperationOutcome]] = []

    def request(self, method: str, route: str, status: str, seconds: float) -> None:
        raise AssertionError((method, route, status, seconds))

    def operation(self, kind: str, outcome: OperationOutcome, seconds: float) -> None:
        assert seconds >= 0
        self.ended.append((kind, outcome))

    def priced(self, kind: str, points: int) -> None:
        raise AssertionError((kind, points))

    def turned_away(self, reason: TurnedAway) -> None:
        raise AssertionError(reason)

    def receiving(self, received_bytes: Callable[[], int]) -> AbstractContextManager[None]:
        raise AssertionError(received_bytes)

    def connection_refused(self, reason: str) -> None:
        raise AssertionError(reason)


@pytest.fixture
def metrics() -> MemoryOperations:
    return MemoryOperations()


def a_context() -> Context:
    return Context(
        viewer=LOCAL_ADMINISTRATOR, use_cases=parts_of(MemoryGallery()).use_cases, base_url="", request_id=""
    )


@pytest.mark.parametrize(
    ("result", "outcome"),
    [(FINE, OperationOutcome.OK), (WRONG, OperationOutcome.ERRORS), (NOT_EXECUTED, OperationOutcome.REFUSED)],
)
def test_a_result_is_an_outcome(metrics: MemoryOperations, result: ExecutionResult, outcome: OperationOutcome) -> None:
    with MeasuredOperation(metrics) as measured:
        measured.is_a(OperationType.QUERY)
        measured.ended(result, a_context())
        assert metrics.ended == []

    assert metrics.ended == [("query", outcome)]


@pytest.mark.parametrize(
    ("failure", "outcome"),
    [
        (ClientDisconnectedError(), OperationOutcome.ABORTED),
        (asyncio.CancelledError(), OperationOutcome.ABORTED),
        (RequestError(RequestCode.BAD_REQUEST, "no"), OperationOutcome.REFUSED),
        (RuntimeError("a fault"), OperationOutcome.ERRORS),
    ],
)
def test_a_failure_is_an_outcome_and_goes_on(
    metrics: MemoryOperations, failure: BaseException, outcome: OperationOutcome
) -> None:
    measured = MeasuredOperation(metrics)
    measured.is_a(OperationType.MUTATION)
    with pytest.raises(type(failure)), measured:
        raise failure

    assert metrics.ended == [("mutation", outcome)]


async def test_a_subscription_ends_when_its_results_do(metrics: MemoryOperations) -> None:
    context = a_context()

    async def results(measured: MeasuredOperation) -> AsyncGenerator[int]:
        with measured:
            for number, result in enumerate((WRONG, FINE)):
                measured.ended(result, context)
                yield number

    with MeasuredOperation(metrics) as measured:
        measured.is_a(OperationType.SUBSCRIPTION)
        left, finished = results(measured), results(measured)
    assert metrics.ended == []

    assert [number async for number in finished] == [0, 1]
    assert metrics.ended == [("subscription", OperationOutcome.OK)]
    assert await anext(left) == 0
    await left.aclose()
    assert metrics.ended[1:] == [("subscription", OperationOutcome.ERRORS)]
