"""Connections of the driver on loan from SQLAlchemy's pool, and the line of those who wait for one.

A loan is a connection that stays checked out from one statement that stands alone to the next, while nobody else wants
it: the pool keeps its limits, its time-outs and its ways of replacing connections. All who wait stand in one line, so
that neither statements nor transactions keep the others out.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeVar, cast

import asyncpg
from asyncpg.prepared_stmt import PreparedStatement
from sqlalchemy.exc import TimeoutError as NoConnectionFreeError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry
from sqlalchemy.util import await_only

from gallery.domain.errors import OverloadedError
from gallery.domain.waiting import PATIENCE

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

    def fetch(self, sql: str, arguments: Sequence[Any], record_class: type[R]) -> Coroutine[Any, Any, list[R]]:
        """The rows of a statement. If it comes often, PostgreSQL makes one plan for all values."""
        rows: Coroutine[Any, Any, list[R]] = self.driver.fetch(sql, *arguments, record_class=record_class)
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
        """Gives the connection to the pool, from within SQLAlchemy."""
        if self.connection.sync_connection is not None:
            self.connection.sync_connection.close()

    async def give_back(self) -> None:
        """Hands it to whoever comes next, its connection to the pool, or closes it if it is of no use."""
        if self.driver.is_closed() or self.pool.is_disposed:
            await self.drop()
        elif not self.pool.keep(self):
            await self.pool.finish(self.connection.close())

    async def drop(self) -> None:
        """Closes the connection for good; the pool opens another one when it needs one."""
        await self.pool.finish(_close_for_good(self.connection))


class LendingPool(AsyncAdaptedQueuePool):
    """A pool that knows what is on loan, and in which order people came.

    `line` has those who wait, in the order of their coming, and whether they take a loan: statements that stand alone
    do, transactions do not. There is neither room nor a loan without a statement (`idle`) while anybody waits.
    `watchers` are told of each statement on a loan before it is sent.
    """

    _sqla_logger_namespace = "sqlalchemy.pool.LendingPool"  # else it would log as one of the gallery's modules

    def __init__(self, *args: Any, **settings: Any) -> None:  # noqa: ANN401  # as those of its parent
        super().__init__(*args, **settings)
        self.idle: list[Loan] = []
        self.line: OrderedDict[asyncio.Future[Loan | None], bool] = OrderedDict()
        self.watchers: list[Watcher] = []
        self.is_disposed = False
        self._promised = 0
        self._timer: asyncio.TimerHandle | None = None
        self._unfinished: set[asyncio.Task[None]] = set()  # the event loop would forget what nobody waits for

    @property
    def has_more(self) -> bool:
        """Whether a connection can be had without waiting, and is not promised to somebody who waited."""
        return self.size() + self._max_overflow - self.checkedout() > self._promised

    async def turn(self, *, takes_loan: bool) -> Loan | None:
        """Waits in line: for a loan, or for room in the pool, which must be taken before anything else is awaited.

        Raises:
            TimeoutError: after the time-out of the pool.
            OverloadedError: if it is a request that waits, after the time that it has, or if too many others wait.
        """
        patience = PATIENCE.get()
        if patience is None or patience.is_endless:
            return await self._wait(self.timeout(), takes_loan=takes_loan)
        with patience.places.held(patience.asker):
            try:
                return await self._wait(min(self.timeout(), patience.seconds), takes_loan=takes_loan)
            except TimeoutError as error:
                raise OverloadedError from error

    async def _wait(self, seconds: float, *, takes_loan: bool) -> Loan | None:
        waiting: asyncio.Future[Loan | None] = asyncio.get_running_loop().create_future()
        self.line[waiting] = takes_loan
        try:
            async with asyncio.timeout(seconds):
                loan = await waiting
        except BaseException:
            self.line.pop(waiting, None)
            if waiting.done() and not waiting.cancelled():  # who gives up at the same moment passes it on
                await self._pass_on(waiting.result())
            raise
        if loan is None:
            self._promised -= 1
        return loan

    def serve(self) -> None:
        """Promises what room there is to those who have waited longest."""
        while self.has_more and (waiting := self._first_in_line()) is not None:
            del self.line[waiting]
            self._promised += 1
            waiting.set_result(None)

    def keep(self, loan: Loan) -> bool:
        """Keeps a loan for the next statement, unless it is over or a transaction comes first."""
        if self.is_disposed or loan.ends_at <= asyncio.get_running_loop().time():
            return False
        waiting = self._first_in_line()
        if waiting is None:
            self.idle.append(loan)
            self._end_in_time(loan)
            return True
        if not self.line[waiting]:
            return False
        del self.line[waiting]
        waiting.set_result(loan)
        return True

    def dispose(self) -> None:
        """Closes what is not in use, and what is on loan without use; the rest is closed when it comes back."""
        self.is_disposed = True
        if self._timer is not None:
            self._timer.cancel()
        while self.idle:
            self.idle.pop().end()
        super().dispose()
        self.serve()

    async def finish(self, giving_back: Coroutine[Any, Any, None]) -> None:
        """Comes to its end even if whoever waits for that is cancelled, so that no connection is lost half-way."""
        await asyncio.shield(self._started(giving_back))

    def _started(self, giving_back: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(giving_back)
        self._unfinished.add(task)
        task.add_done_callback(self._unfinished.discard)
        return task

    def _first_in_line(self) -> asyncio.Future[Loan | None] | None:
        while self.line:
            waiting = next(iter(self.line))
            if not waiting.done():
                return waiting
            del self.line[waiting]  # cancelled, and does not know yet
        return None

    async def _pass_on(self, loan: Loan | None) -> None:
        if loan is not None:
            await loan.give_back()
            return
        self._promised -= 1
        self.serve()

    def _end_in_time(self, loan: Loan) -> None:
        """Has one timer for all loans: what nobody uses would grow older than the pool lets connections be."""
        if self._timer is None or loan.ends_at < self._timer.when():
            if self._timer is not None:
                self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_at(loan.ends_at, self._end_old_loans)

    def _end_old_loans(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        over = [loan for loan in self.idle if loan.ends_at <= now]
        self.idle = [loan for loan in self.idle if loan.ends_at > now]
        if over:
            self._started(_give_back(over))
        if self.idle:
            self._end_in_time(min(self.idle, key=lambda loan: loan.ends_at))

    def _do_get(self) -> ConnectionPoolEntry:
        while self.idle and not self.has_more:
            self.idle.pop(0).end()
        if not self.has_more:
            try:
                await_only(self.turn(takes_loan=False))
            except TimeoutError as error:
                message = f"None of {self.size()} connections became free in {self.timeout()} seconds."
                raise NoConnectionFreeError(message) from error
        return super()._do_get()

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        if self.is_disposed:
            try:
                record.close()
            finally:
                self._dec_overflow()
            return
        super()._do_return_conn(record)
        self.serve()

    def _dec_overflow(self) -> Literal[True]:
        """Is called for a connection that is gone, or could not be made."""
        super()._dec_overflow()
        self.serve()
        return True


def lending_pool(engine: AsyncEngine) -> LendingPool:
    """The pool of an engine that `create_engine` made; another one after it was disposed of."""
    pool = engine.sync_engine.pool
    assert isinstance(pool, LendingPool)  # noqa: S101  # so `create_engine` makes it
    return pool


async def _give_back(loans: Sequence[Loan]) -> None:
    for loan in loans:
        await loan.give_back()


async def _close_for_good(connection: AsyncConnection) -> None:
    try:
        await connection.invalidate()
    finally:
        await connection.close()
