"""How repositories and readers send statements: in a transaction, or alone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final, TypeVar
from uuid import UUID

import asyncpg
from sqlalchemy import (
    BindParameter,
    ColumnElement,
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
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gallery.platform.database.engine import single_statements
from gallery.platform.database.errors import translated_errors
from gallery.platform.database.joint_reads import JointReads
from gallery.platform.database.lending import Lender
from gallery.platform.database.rendered import Rendered

Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]]
"""Values by the names of a statement's parameters; a sequence of them for many rows."""

IDS = "ids"
"""The parameter of the statements that take many ids."""


_NO_VALUES: Final[Mapping[str, Any]] = {}

K = TypeVar("K", bound=UUID)
V = TypeVar("V")


class Transaction:
    """The transaction of a unit of work.

    Its methods raise UnavailableError, ConflictError and NotFoundError as `translated_errors` says.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def rows(self, statement: Executable, parameters: Parameters | None = None) -> Sequence[Row[Any]]:
        """What the statement answers."""
        with translated_errors():
            return (await self._connection.execute(statement, parameters)).all()

    async def run(self, statement: Executable, parameters: Parameters | None = None) -> int:
        """How many rows the statement changed; of no meaning for many rows at once."""
        with translated_errors():
            return (await self._connection.execute(statement, parameters)).rowcount


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
