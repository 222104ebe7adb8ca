"""What tests of connections on loan share."""

from __future__ import annotations

import asyncio

import asyncpg
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncEngine

from gallery.platform.database.engine import create_engine
from gallery.platform.database.lending import Lender
from gallery.settings import DatabaseSettings

BACKEND = "SELECT pg_backend_pid() AS pid"


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


def tasks_served(engine: AsyncEngine) -> list[str]:
    """The names of the tasks that get a connection of the pool from now on, in their order."""
    names: list[str] = []

    @event.listens_for(engine.sync_engine, "checkout")
    def checked_out(*_: object) -> None:
        task = asyncio.current_task()
        assert task is not None
        names.append(task.get_name())

    return names
