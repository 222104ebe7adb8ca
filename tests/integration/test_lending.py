"""Connections on loan: who gets one, who has to give one back, and what becomes of those that break."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from gallery.platform.database.engine import create_engine, pool_use
from gallery.platform.database.lending import Lender, lending_pool
from gallery.settings import DatabaseSettings

BACKEND = "SELECT pg_backend_pid() AS pid"


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """A pool of a single connection, so that everybody wants the same."""
    engine = create_engine(database_url, DatabaseSettings(pool_size=1, pool_timeout_seconds=5))
    yield engine
    await engine.dispose()


@pytest.fixture
def lender(engine: AsyncEngine) -> Lender:
    return Lender(engine)


async def backend(lender: Lender) -> int:
    """The process that answers a statement."""
    (row,) = await lender.fetch(BACKEND, [], asyncpg.Record)
    return int(row["pid"])


async def terminate(database_url: str, pid: int) -> None:
    """Ends a connection as a restart of the database would."""
    administrator = create_engine(database_url, DatabaseSettings())
    async with administrator.connect() as connection:
        await connection.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
    await administrator.dispose()


async def test_a_loan_serves_one_statement_after_the_other_and_counts_as_idle_between(
    engine: AsyncEngine, lender: Lender
) -> None:
    assert await backend(lender) == await backend(lender)

    assert (pool_use(engine).in_use, pool_use(engine).idle) == (0, 1)


async def test_rows_are_of_the_class_that_was_asked_for(lender: Lender) -> None:
    class Row(asyncpg.Record):
        pass

    (row,) = await lender.fetch("SELECT $1::int AS number", [7], Row)

    assert (type(row), row["number"]) == (Row, 7)


async def test_a_transaction_calls_back_what_is_on_loan(engine: AsyncEngine, lender: Lender) -> None:
    pid = await backend(lender)

    async with engine.begin() as connection:
        assert (await connection.execute(text(BACKEND))).scalar_one() == pid
        assert pool_use(engine).in_use == 1

    assert await backend(lender) == pid


async def test_a_statement_waits_until_a_transaction_has_ended(engine: AsyncEngine, lender: Lender) -> None:
    async with engine.begin():
        waiting = [asyncio.create_task(backend(lender)) for _ in range(3)]
        await asyncio.sleep(0)
        assert len(lending_pool(engine).borrowers) == 3

    assert len(set(await asyncio.gather(*waiting))) == 1


async def test_a_transaction_that_waits_comes_before_the_next_statement(engine: AsyncEngine, lender: Lender) -> None:
    order: list[str] = []

    async def read(name: str) -> None:
        await lender.fetch("SELECT pg_sleep(0.05)", [], asyncpg.Record)
        order.append(name)

    async def write() -> None:
        async with engine.begin():
            order.append("transaction")

    await backend(lender)
    first = asyncio.create_task(read("first"))
    await asyncio.sleep(0)
    second, transaction = asyncio.create_task(read("second")), asyncio.create_task(write())
    await asyncio.gather(first, second, transaction)

    assert order.index("transaction") < order.index("second")


async def test_no_loan_is_lost_with_a_borrower_who_is_cancelled(engine: AsyncEngine, lender: Lender) -> None:
    pid = await backend(lender)
    pool = lending_pool(engine)
    loan = pool.idle.pop()
    borrower = asyncio.create_task(backend(lender))
    await asyncio.sleep(0)

    assert pool.wake_borrower(loan)
    borrower.cancel()
    await asyncio.wait([borrower])

    assert borrower.cancelled()
    assert await backend(lender) == pid


async def test_who_waits_for_too_long_is_told_so(database_url: str) -> None:
    engine = create_engine(database_url, DatabaseSettings(pool_size=1, pool_timeout_seconds=0.05))
    async with engine.begin():
        with pytest.raises(TimeoutError):
            await backend(Lender(engine))
    assert not any(lending_pool(engine).wake_borrower() for _ in range(2))
    await engine.dispose()


async def test_an_error_of_a_statement_leaves_the_connection_as_it_was(lender: Lender) -> None:
    pid = await backend(lender)

    with pytest.raises(asyncpg.DivisionByZeroError):
        await lender.fetch("SELECT 1 / $1::int", [0], asyncpg.Record)

    assert await backend(lender) == pid


async def test_a_cancelled_statement_ends_with_its_connection(lender: Lender) -> None:
    pid = await backend(lender)
    sleeping = asyncio.create_task(lender.fetch("SELECT pg_sleep(60)", [], asyncpg.Record))
    await asyncio.sleep(0)

    sleeping.cancel()
    await asyncio.wait([sleeping])

    assert sleeping.cancelled()
    assert await backend(lender) != pid


async def test_a_connection_that_broke_while_nobody_used_it_is_replaced(database_url: str, lender: Lender) -> None:
    pid = await backend(lender)
    await terminate(database_url, pid)

    assert await backend(lender) != pid


async def test_a_connection_that_breaks_under_a_statement_fails_that_alone(database_url: str, lender: Lender) -> None:
    pid = await backend(lender)
    sleeping = asyncio.create_task(lender.fetch("SELECT pg_sleep(60)", [], asyncpg.Record))
    await asyncio.sleep(0)
    await terminate(database_url, pid)

    with pytest.raises((asyncpg.AdminShutdownError, asyncpg.PostgresConnectionError)):
        await sleeping

    assert await backend(lender) != pid


async def test_the_pool_looks_at_a_connection_again_when_its_loan_is_over(engine: AsyncEngine, lender: Lender) -> None:
    pid = await backend(lender)
    pool = lending_pool(engine)
    pool.idle[0].ends_at = 0

    assert await backend(lender) == pid

    assert (pool.idle, pool.checkedin()) == ([], 1)


async def test_what_is_on_loan_is_closed_with_the_pool(engine: AsyncEngine, lender: Lender) -> None:
    pid = await backend(lender)
    sleeping = asyncio.create_task(lender.fetch(f"{BACKEND}, pg_sleep(0.05)", [], asyncpg.Record))
    await asyncio.sleep(0)

    await engine.dispose()

    (row,) = await sleeping
    assert row["pid"] == pid
    assert await backend(lender) != pid


async def test_a_database_that_cannot_be_reached_keeps_nobody_waiting() -> None:
    engine = create_engine("postgresql://gallery@127.0.0.1:9/gallery", DatabaseSettings(pool_size=1))
    lender = Lender(engine)

    failures = await asyncio.gather(*(backend(lender) for _ in range(3)), return_exceptions=True)

    assert [isinstance(failure, OSError) for failure in failures] == [True] * 3
    await engine.dispose()


async def test_watchers_are_told_of_statements_before_they_are_sent(engine: AsyncEngine, lender: Lender) -> None:
    told: list[tuple[str, list[int]]] = []
    lending_pool(engine).watchers.append(lambda sql, arguments: told.append((sql, list(arguments))))

    await lender.fetch("SELECT $1::int", [7], asyncpg.Record)

    assert told == [("SELECT $1::int", [7])]


@pytest.mark.parametrize("is_planned_anew", [True, False])
async def test_plans_are_made_for_the_values_as_long_as_somebody_asks_for_that(
    lender: Lender, is_planned_anew: bool
) -> None:
    sql = "SELECT name FROM pg_prepared_statements WHERE generic_plans > $1::int AND statement LIKE '%$1::int%'"

    generic = [
        await lender.fetch(sql, [number], asyncpg.Record, is_planned_anew=is_planned_anew) for number in [0] * 12
    ]

    assert any(generic) is not is_planned_anew


async def test_a_loan_keeps_no_more_statements_than_it_may(engine: AsyncEngine, lender: Lender) -> None:
    for number in range(33):
        await lender.fetch(f"SELECT {number}", [], asyncpg.Record, is_planned_anew=True)

    (loan,) = lending_pool(engine).idle
    assert [sql for sql, _ in loan.prepared] == ["SELECT 32"]
