"""Connections of the driver on loan from SQLAlchemy's pool, for statements that stand alone.

What SQLAlchemy does around a statement (a greenlet to check a connection out, a cursor, a result, the return) takes
several times the processor time of the statement itself. A loan is a connection that stays checked out from one such
statement to the next, while nobody else wants it: the pool keeps its limits, its time-outs and its ways of replacing
connections, and whoever sends the next statement finds one that costs nothing to take.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar, cast

import asyncpg
from asyncpg.prepared_stmt import PreparedStatement
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry

_LONGEST_LOAN_SECONDS: Final = 60.0
"""After that the pool looks at a connection again, and replaces it if it is too old."""

_CUSTOM_PLANS: Final = 5
"""How often PostgreSQL plans a prepared statement for its values before it may settle for a plan for all values."""
_MOST_PREPARED: Final = 32

R = TypeVar("R", bound=asyncpg.Record)

Watcher = Callable[[str, Sequence[Any]], None]
"""Is told the SQL of a statement and the values of its parameters."""


Prepared = tuple["PreparedStatement[asyncpg.Record]", int]
"""A statement, and how often it was executed."""


@dataclass(eq=False, slots=True)
class Loan:
    """A connection that is checked out, whether or not a statement is on it."""

    pool: LendingPool
    connection: AsyncConnection
    driver: asyncpg.Connection[asyncpg.Record]
    ends_at: float
    prepared: dict[tuple[str, type[asyncpg.Record]], Prepared] = field(default_factory=dict)

    async def fetch(self, sql: str, arguments: Sequence[Any], record_class: type[R]) -> list[R]:
        """The rows of a statement. If it comes often, PostgreSQL makes one plan for all values."""
        rows: list[R] = await self.driver.fetch(sql, *arguments, record_class=record_class)
        return rows

    async def fetch_planned_anew(self, sql: str, arguments: Sequence[Any], record_class: type[R]) -> list[R]:
        """The same with a plan for these values: the statement is prepared again before PostgreSQL would give that up.

        Asking for it by `plan_cache_mode` would cost all other statements their plans.
        """
        key = sql, record_class
        if key in self.prepared:
            statement, count = self.prepared.pop(key)
        else:
            statement, count = await self.driver.prepare(sql, record_class=record_class), 0
        rows = cast("list[R]", await statement.fetch(*arguments))
        if count + 1 < _CUSTOM_PLANS:
            if len(self.prepared) >= _MOST_PREPARED:
                self.prepared.clear()
            self.prepared[key] = statement, count + 1
        return rows

    def end(self) -> None:
        """Gives the connection back, from within SQLAlchemy: outside of it, see `Lender`."""
        if self.connection.sync_connection is not None:
            self.connection.sync_connection.close()


class LendingPool(AsyncAdaptedQueuePool):
    """A pool that knows what is on loan, and calls it back when a transaction would have to wait.

    `borrowers` wait for a loan to come back. `idle` are loans without a statement; there are none while anybody waits.
    `watchers` are told of each statement on a loan before it is sent.
    """

    _sqla_logger_namespace = "sqlalchemy.pool.LendingPool"  # else it would log as one of the gallery's modules

    def __init__(self, *args: Any, **settings: Any) -> None:  # noqa: ANN401  # as those of its parent
        super().__init__(*args, **settings)
        self.idle: list[Loan] = []
        self.borrowers: deque[asyncio.Future[Loan | None]] = deque()
        self.watchers: list[Watcher] = []
        self.is_disposed = False
        self._waiting = 0

    @property
    def is_wanted(self) -> bool:
        """Whether somebody waits for a connection by way of SQLAlchemy."""
        return self._waiting > self.checkedin()

    @property
    def has_more(self) -> bool:
        """Whether a connection can be had without waiting for one that is in use."""
        return self.checkedin() > self._waiting or self.overflow() < self._max_overflow

    def wake_borrower(self, loan: Loan | None = None) -> bool:
        """Gives a loan to whoever has waited longest, or tells them to ask the pool; whether anybody waits."""
        while self.borrowers:
            borrower = self.borrowers.popleft()
            if not borrower.done():
                borrower.set_result(loan)
                return True
        return False

    def dispose(self) -> None:
        """Closes what is not in use, and what is on loan without use."""
        self.is_disposed = True
        while self.idle:
            self.idle.pop().end()
        super().dispose()

    def _do_get(self) -> ConnectionPoolEntry:
        if self.idle and not self.has_more:
            self.idle.pop(0).end()
        self._waiting += 1
        try:
            return super()._do_get()
        finally:
            self._waiting -= 1

    def _create_connection(self) -> ConnectionPoolEntry:
        self._waiting -= 1  # who makes a connection does not wait for another
        try:
            return super()._create_connection()
        finally:
            self._waiting += 1

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        super()._do_return_conn(record)
        if self.has_more:
            self.wake_borrower()


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
            await _drop(loan)
            loan = await self._check_out()
        try:
            fetch = loan.fetch_planned_anew if is_planned_anew else loan.fetch
            rows = await fetch(sql, arguments, record_class)
        except asyncpg.PostgresError:
            await self._give_back(loan)
            raise
        except BaseException:  # nobody knows what is still on its way
            await asyncio.shield(asyncio.ensure_future(_drop(loan)))
            raise
        if not self._kept(loan):
            await self._give_back(loan)
        return rows

    async def _wait(self, pool: LendingPool) -> Loan:
        """A loan that comes back, or a new one as soon as the pool has a connection for it."""
        if pool.has_more:
            return await self._check_out()
        borrower = asyncio.get_running_loop().create_future()
        pool.borrowers.append(borrower)
        try:
            async with asyncio.timeout(pool.timeout()):
                loan = await borrower
        except BaseException:
            if borrower.done() and not borrower.cancelled() and (lost := borrower.result()) is not None:
                await self._give_back(lost)
            raise
        # Who was sent to the pool may find that somebody was faster, and waits there with all others.
        return loan if loan is not None else await self._check_out()

    async def _check_out(self) -> Loan:
        pool = lending_pool(self._engine)
        try:
            connection = await self._engine.connect()
        except BaseException:
            pool.wake_borrower()  # there is room for whoever tries next
            raise
        try:
            driver = (await connection.get_raw_connection()).driver_connection
            assert isinstance(driver, asyncpg.Connection)  # noqa: S101  # so `create_engine` makes it
        except BaseException:
            await asyncio.shield(asyncio.ensure_future(connection.close()))
            raise
        return Loan(pool, connection, driver, asyncio.get_running_loop().time() + _LONGEST_LOAN_SECONDS)

    def _kept(self, loan: Loan) -> bool:
        """Keeps a loan for the next statement, unless the pool has to have it."""
        pool = lending_pool(self._engine)
        if pool.is_wanted or loan.pool is not pool or loan.ends_at < asyncio.get_running_loop().time():
            return False
        if not pool.wake_borrower(loan):
            pool.idle.append(loan)
        return True

    async def _give_back(self, loan: Loan) -> None:
        if loan.driver.is_closed() or loan.pool.is_disposed:
            await _drop(loan)
        elif not self._kept(loan):
            await asyncio.shield(asyncio.ensure_future(loan.connection.close()))


def lending_pool(engine: AsyncEngine) -> LendingPool:
    """The pool of an engine that `create_engine` made; another one after it was disposed of."""
    pool = engine.sync_engine.pool
    assert isinstance(pool, LendingPool)  # noqa: S101  # so `create_engine` makes it
    return pool


async def _drop(loan: Loan) -> None:
    """Closes a connection for good; the pool opens another one when it needs one."""
    await loan.connection.invalidate()
    await loan.connection.close()
