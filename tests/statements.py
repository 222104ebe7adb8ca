"""Notes the statements that an engine sends, to count them and to look at their plans."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from gallery.platform.database.loans import lending_pool

Statement = tuple[str, Any]
"""SQL, and the values of its parameters."""


@contextmanager
def recorded_statements(engine: AsyncEngine) -> Iterator[list[str]]:
    """The SQL that goes through the engine inside the block, in the order of sending.

    An INSERT of many rows at once counts once.
    """
    statements: list[str] = []

    def record(sql: str, _parameters: object) -> None:
        statements.append(sql)

    with _told(engine, record):
        yield statements


@contextmanager
def recorded_with_parameters(engine: AsyncEngine) -> Iterator[list[Statement]]:
    """The same with the values of the parameters."""
    statements: list[Statement] = []

    def record(sql: str, parameters: Any) -> None:  # noqa: ANN401  # as SQLAlchemy or the driver has them
        statements.append((sql, parameters))

    with _told(engine, record):
        yield statements


@contextmanager
def _told(engine: AsyncEngine, record: Callable[[str, Any], None]) -> Iterator[None]:
    """Tells of what SQLAlchemy sends, and of what is sent on connections on loan."""

    def executed(_connection: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        record(statement, parameters)

    watchers = lending_pool(engine).watchers
    event.listen(engine.sync_engine, "before_cursor_execute", executed)
    watchers.append(record)
    try:
        yield
    finally:
        watchers.remove(record)
        event.remove(engine.sync_engine, "before_cursor_execute", executed)
