"""Sends statements that stand alone on connections on loan, and lends connections to transactions.

What SQLAlchemy does around a statement (a greenlet to check a connection out, a cursor, a result, the return) takes
several times the processor time of the statement itself. Whoever sends a statement on a loan finds a connection that
costs nothing to take.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from gallery.platform.database.loans import LendingPool, Loan, R, lending_pool

_LONGEST_LOAN_SECONDS: Final = 60.0
"""After that the pool looks at a connection again, and replaces it if it is too old."""

_ENDS_OF_SESSIONS: Final = ("08", "57P")
"""The classes of errors after which a connection is of no use. (PostgreSQL 18, appendix A.)"""


def ends_session(error: asyncpg.PostgresError) -> bool:
    """Whether the connection is of no use after this answer."""
    return (error.sqlstate or "").startswith(_ENDS_OF_SESSIONS)


class Lender:
    """Sends statements that stand alone on connections on loan.

    Errors are those of the driver, or TimeoutError if no connection becomes free in time.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def fetch(
        self, sql: str, arguments: Sequence[Any], record_class: type[R], *, is_planned_anew: bool = False
    ) -> list[R]:
        """The rows that a statement answers. One that is cancelled ends in the database too."""
        pool = lending_pool(self._engine)
        for watcher in pool.watchers:
            watcher(sql, arguments)
        loan = pool.idle.pop() if pool.idle else await self._wait(pool)
        if loan.driver.is_closed():
            await loan.drop()
            loan = await self._check_out()
        try:
            fetch = loan.fetch_planned_anew if is_planned_anew else loan.fetch
            rows = await fetch(sql, arguments, record_class)
        except asyncpg.PostgresError as error:
            await (loan.drop() if ends_session(error) else loan.give_back())
            raise
        except BaseException:  # nobody knows what is still on its way
            await loan.drop()
            raise
        if not loan.pool.keep(loan):
            await loan.give_back()
        return rows

    async def loan(self) -> Loan:
        """A connection for a transaction, which stands in line as all who wait; to be given back or dropped."""
        pool = lending_pool(self._engine)
        while pool.idle:
            loan = pool.idle.pop()
            if not loan.driver.is_closed():
                return loan
            await loan.drop()
        return await self._check_out()

    async def _wait(self, pool: LendingPool) -> Loan:
        """A loan that comes back, or a new one as soon as the pool has room for it."""
        if not pool.has_more:
            if (loan := await pool.turn(takes_loan=True)) is not None:
                return loan
            if pool.is_disposed:  # the engine has another one by now
                pool.serve()
        return await self._check_out()

    async def _check_out(self) -> Loan:
        pool = lending_pool(self._engine)
        connection = await self._engine.connect()
        try:
            driver = (await connection.get_raw_connection()).driver_connection
            assert isinstance(driver, asyncpg.Connection)  # noqa: S101  # so `create_engine` makes it
        except BaseException:
            await pool.finish(connection.close())
            raise
        return Loan(pool, connection, driver, asyncio.get_running_loop().time() + _LONGEST_LOAN_SECONDS)
