"""How repositories and readers send statements: in a transaction, or alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, Final, TypeVar, cast
from uuid import UUID

import asyncpg
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Executable,
    Row,
    TableValuedAlias,
    Uuid,
    any_,
    bindparam,
    column,
    func,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_connection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gallery.platform.database.engine import single_statements
from gallery.platform.database.errors import translated_errors
from gallery.platform.database.joint_reads import JointReads
from gallery.platform.database.lending import Lender, ends_session
from gallery.platform.database.loans import Loan
from gallery.platform.database.rendered import Rendered

T = TypeVar("T")

Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]]
"""Values by the names of a statement's parameters; a sequence of them for many rows."""

IDS = "ids"
"""The parameter of the statements that take many ids."""


_NO_VALUES: Final[Mapping[str, Any]] = {}
_NOT_DURABLE: Final = Rendered(sql="SET LOCAL synchronous_commit = off", names=(), constants={})

K = TypeVar("K", bound=UUID)
V = TypeVar("V")


class Transaction:
    """The transaction of a unit of work, on a connection on loan. PostgreSQL hears of it with the first statement.

    What is written often is rendered, and sent by `fetch` to the driver; everything else goes by way of SQLAlchemy, in
    the same transaction. Methods raise UnavailableError, ConflictError and NotFoundError as `translated_errors` says.
    """

    def __init__(self, loan: Loan) -> None:
        self._loan = loan
        self._is_broken = False
        self._is_over = False
        self.locks: set[int] = set()
        """The keys of the advisory locks that are known to be held until the end."""
        self._books = _books_of(loan.connection)
        self._books.begin()
        self._adapted = cast("AsyncAdapt_asyncpg_connection", self._books.connection.dbapi_connection)

    @property
    def connection(self) -> AsyncConnection:
        """The connection of SQLAlchemy, for what is no statement of the gallery's."""
        return self._loan.connection

    async def rows(self, statement: Executable, parameters: Parameters | None = None) -> Sequence[Row[Any]]:
        """What the statement answers."""
        with translated_errors():
            return (await self._open.connection.execute(statement, parameters)).all()

    async def run(self, statement: Executable, parameters: Parameters | None = None) -> int:
        """How many rows the statement changed; of no meaning for many rows at once."""
        with translated_errors():
            return (await self._open.connection.execute(statement, parameters)).rowcount

    async def fetch(self, statement: Rendered, values: Mapping[str, Any]) -> list[asyncpg.Record]:
        """What a rendered statement answers, in rows of the driver."""
        loan, arguments = self._open, statement.arguments(values)
        for watcher in loan.pool.watchers:
            watcher(statement.sql, arguments)
        with translated_errors():
            await self._begin()
            return await self._on_driver(loan.driver.fetch(statement.sql, *arguments))

    async def commit(self, *, durable: bool) -> None:
        """Commits what was done; what is not durable may be lost if the database crashes."""
        if not durable:
            await self.fetch(_NOT_DURABLE, _NO_VALUES)
        self._is_over = True
        with translated_errors():
            if (begun := self._adapted._transaction) is not None:  # noqa: SLF001  # as in `_begin`
                await self._on_driver(self._adapted._call_and_discard(begun.commit))  # noqa: SLF001
            self._books.commit()  # has nothing left to send

    async def end(self) -> None:
        """Undoes what was not committed, and gives the connection back; one of which nobody knows what it does, goes.

        Raises:
            UnavailableError: if the database is gone, which undoes it then.
        """
        self._is_over = True
        with translated_errors():
            try:
                await self._undo()
            except BaseException:
                self._is_broken = True
                raise
            finally:
                await (self._loan.drop() if self._is_broken else self._loan.give_back())

    @property
    def _open(self) -> Loan:
        """The connection, which is somebody else's once the transaction is over."""
        if self._is_over:
            message = "The transaction is closed."
            raise RuntimeError(message)
        return self._loan

    async def _undo(self) -> None:
        if self._is_broken or self.connection.invalidated or self._loan.driver.is_closed():
            self._is_broken = True
            return
        if (begun := self._adapted._transaction) is not None:  # noqa: SLF001  # as in `_begin`
            await self._adapted._call_and_discard(begun.rollback)  # noqa: SLF001
        self._books.rollback()  # has nothing left to send

    async def _begin(self) -> None:
        """Begins as SQLAlchemy does before its first statement, which then finds the transaction begun."""
        if self._adapted._transaction is None:  # noqa: SLF001  # has no public name
            await self._on_driver(self._adapted._start_transaction())  # type: ignore[no-untyped-call]  # noqa: SLF001

    async def _on_driver(self, work: Awaitable[T]) -> T:
        try:
            return await work
        except asyncpg.PostgresError as error:
            self._is_broken |= ends_session(error)
            raise
        except BaseException:  # nobody knows what is still on its way
            self._is_broken = True
            raise


def _books_of(connection: AsyncConnection) -> Connection:
    """Where SQLAlchemy keeps its books of a connection. It needs no greenlet as long as it sends nothing."""
    books = connection.sync_connection
    assert books is not None  # noqa: S101  # it is open as long as it is on loan
    return books


class Reading:
    """Statements that stand alone, each on whatever connection of the pool is free.

    Its methods raise UnavailableError if the database does not answer.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = single_statements(engine)

    async def rows(self, statement: Executable, parameters: Parameters | None = None) -> Sequence[Row[Any]]:
        """What the statement answers."""
        with translated_errors():
            async with self._engine.connect() as connection:
                return (await connection.execute(statement, parameters)).all()


class LeanReading:
    """The same for statements that are rendered, on connections on loan: their rows are those of the driver."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._lender = Lender(engine)
        self._joint = JointReads()

    async def rows(
        self,
        statement: Rendered,
        values: Mapping[str, Any] = _NO_VALUES,
        row: type[asyncpg.Record] = asyncpg.Record,
    ) -> list[asyncpg.Record]:
        """What the statement answers."""
        with translated_errors():
            return await self._lender.fetch(
                statement.sql, statement.arguments(values), row, is_planned_anew=statement.is_planned_anew
            )

    async def by_ids(  # a statement, its values, and what becomes of its rows
        self,
        statement: Rendered,
        id_values: Collection[K],
        told: Callable[[Sequence[asyncpg.Record]], dict[K, V]],
        row: type[asyncpg.Record] = asyncpg.Record,
        values: Mapping[str, Any] = _NO_VALUES,
    ) -> dict[K, V]:
        """What the rows tell of each id; one statement answers all who ask for the same at the same moment.

        `values` are those of the other parameters, hashable. Who has other values shares nothing. The same statement
        is always given the same `told` and `row`.
        """

        async def read(joint: Collection[K]) -> dict[K, V]:
            return told(await self.rows(statement, {**values, IDS: list(joint)}, row))

        return await self._joint.read((statement, *values.items()), id_values, read)

    async def count(self, statement: Rendered, values: Mapping[str, Any] = _NO_VALUES) -> int:
        """The number that the statement answers."""
        return int((await self.rows(statement, values))[0][0])


def among_ids(id_column: ColumnElement[UUID], parameter: str = IDS) -> ColumnElement[bool]:
    """Whether the column is one of the ids in an array, which makes one statement of any number of ids."""
    return id_column == any_(uuids(parameter))


def uuids(parameter: str = IDS) -> BindParameter[Sequence[UUID]]:
    """A parameter that takes a list of ids."""
    return bindparam(parameter, type_=ARRAY(Uuid))


def unnested(array: ColumnElement[Sequence[UUID]], name: str, *, place: str | None = None) -> TableValuedAlias:
    """A table of one column of ids, with a second one that counts them from 1 if it is given a name."""
    table = func.unnest(array).table_valued(column(name, Uuid), with_ordinality=place)
    return table.render_derived()


def ids(values: Collection[UUID]) -> dict[str, list[UUID]]:
    """The parameters of a statement that takes many ids."""
    return {IDS: list(values)}


def containing(text: str) -> str:
    """A pattern for LIKE and ILIKE that finds the text anywhere, whatever characters it is made of."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
