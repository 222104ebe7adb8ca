"""Connections on loan: what they serve, when they end, and what becomes of those that break."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from gallery.platform.database.engine import create_engine, driver_connection, pool_use
from gallery.platform.database.lending import Lender
from gallery.platform.database.loans import lending_pool
from gallery.settings import DatabaseSettings
from tests.integration.jobs_support import until
from tests.integration.lending_support import BACKEND, backend, terminate


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """A pool of a single connection, so that everybody wants the same."""
    engine = create_engine(database_url, DatabaseSettings(pool_size=1, pool_timeout_seconds=5))
    yield engine
    await engine.dispose()


@pytest.fixture
def lender(engine: AsyncEngine) -> Lender:
    return Lender(engine)


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


async def test_a_connection_is_replaced_though_who_found_it_broken_is_cancelled(
    database_url: str, engine: AsyncEngine, lender: Lender
) -> None:
    pid = await backend(lender)
    (loan,) = lending_pool(engine).idle  # held, so that nothing but the loan's end gives its place back
    await terminate(database_url, pid)
    finder = asyncio.create_task(backend(lender))
    await asyncio.sleep(0)

    finder.cancel()
    await asyncio.wait([finder])

    assert finder.cancelled()
    assert await backend(lender) != pid
    assert loan.driver.is_closed()
    assert (pool_use(engine).in_use, pool_use(engine).idle) == (0, 1)


@pytest.mark.parametrize("code", ["57P01", "57P05", "08006"])
async def test_a_connection_is_not_handed_on_once_the_database_says_that_it_ends(lender: Lender, code: str) -> None:
    pid = await backend(lender)

    with pytest.raises(asyncpg.PostgresError):
        await lender.fetch(f"DO $$ BEGIN RAISE 'the end' USING ERRCODE = '{code}'; END $$", [], asyncpg.Record)

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


async def test_a_loan_that_nobody_uses_goes_back_to_the_pool_in_time(engine: AsyncEngine, lender: Lender) -> None:
    pid = await backend(lender)
    pool = lending_pool(engine)
    loan = pool.idle.pop()
    loan.ends_at = asyncio.get_running_loop().time() + 0.2

    assert pool.keep(loan)
    await until(lambda: pool.checkedin() == 1)

    assert pool.idle == []
    assert await backend(lender) == pid


async def test_a_loan_that_ends_takes_no_other_with_it(database_url: str) -> None:
    engine = create_engine(database_url, DatabaseSettings(pool_size=2))
    lender, pool = Lender(engine), lending_pool(engine)
    await asyncio.gather(backend(lender), backend(lender))
    ending, staying = pool.idle
    pool.idle.clear()
    ending.ends_at = asyncio.get_running_loop().time() + 0.2

    assert pool.keep(staying)
    assert pool.keep(ending)
    await until(lambda: pool.checkedin() == 1)

    assert pool.idle == [staying]
    await engine.dispose()


async def test_a_transaction_that_outlives_its_pool_closes_its_connection(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        pid = (await connection.execute(text(BACKEND))).scalar_one()
        driver = await driver_connection(connection)
        await engine.dispose()
        assert (await connection.execute(text(BACKEND))).scalar_one() == pid

    assert driver.is_closed()


async def test_what_is_on_loan_is_closed_with_the_pool(engine: AsyncEngine, lender: Lender) -> None:
    pid = await backend(lender)
    sleeping = asyncio.create_task(lender.fetch(f"{BACKEND}, pg_sleep(0.05)", [], asyncpg.Record))
    await asyncio.sleep(0)

    await engine.dispose()

    (row,) = await sleeping
    assert row["pid"] == pid
    assert await backend(lender) != pid


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
