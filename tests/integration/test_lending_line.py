"""Those who wait for a connection: who is served first, and that nothing is lost with those who give up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine

import pytest
from sqlalchemy import text
from sqlalchemy.exc import TimeoutError as NoConnectionFreeError
from sqlalchemy.ext.asyncio import AsyncEngine

from gallery.domain.errors import OverloadedError
from gallery.domain.waiting import PATIENCE, Patience, Places
from gallery.platform.database.engine import create_engine, ping, pool_use
from gallery.platform.database.lending import Lender
from gallery.platform.database.loans import lending_pool
from gallery.settings import DatabaseSettings
from tests.integration.jobs_support import until
from tests.integration.lending_support import BACKEND, backend, tasks_served


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """A pool of a single connection, so that everybody wants the same."""
    engine = create_engine(database_url, DatabaseSettings(pool_size=1, pool_timeout_seconds=5))
    yield engine
    await engine.dispose()


@pytest.fixture
def lender(engine: AsyncEngine) -> Lender:
    return Lender(engine)


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
        assert len(lending_pool(engine).line) == 3

    assert len(set(await asyncio.gather(*waiting))) == 1


@pytest.mark.parametrize("order", [["read", "write"], ["write", "read"]], ids=["read_first", "write_first"])
async def test_who_waits_is_served_in_the_order_of_coming(
    engine: AsyncEngine, lender: Lender, order: list[str]
) -> None:
    uses: dict[str, Callable[[], Coroutine[None, None, object]]] = {
        "read": lambda: backend(lender),
        "write": lambda: ping(engine),
    }
    async with engine.begin():
        served = tasks_served(engine)
        waiting = [asyncio.create_task(uses[name](), name=name) for name in order * 3]
        await asyncio.sleep(0)
        assert len(lending_pool(engine).line) == 6
    await asyncio.gather(*waiting)

    assert served == order * 3


async def test_neither_statements_nor_transactions_keep_the_others_out(database_url: str) -> None:
    engine = create_engine(database_url, DatabaseSettings(pool_size=2))
    lender = Lender(engine)
    served = tasks_served(engine)
    enough = asyncio.Event()

    async def write() -> None:
        while not enough.is_set():
            async with engine.begin() as connection:
                await connection.execute(text(BACKEND))

    async def waits_of(name: str, use: Callable[[], Awaitable[object]]) -> list[int]:
        """How many others were served while this one waited, each time."""
        waits = []
        for _ in range(10):
            came = len(served)
            await use()
            waits.append(served.index(name, came) - came)
        return waits

    await asyncio.gather(backend(lender), backend(lender))
    writers = [asyncio.create_task(write(), name="writer") for _ in range(20)]
    await until(lambda: "writer" in served)
    waits = await asyncio.create_task(waits_of("reader", lambda: backend(lender)), name="reader")
    enough.set()
    await asyncio.gather(*writers)
    await engine.dispose()

    assert 0 < max(waits) <= len(writers)


async def test_statements_without_end_do_not_keep_a_transaction_out(database_url: str) -> None:
    engine = create_engine(database_url, DatabaseSettings(pool_size=2))
    lender = Lender(engine)
    reads = 0
    enough = asyncio.Event()

    async def read() -> None:
        nonlocal reads
        while not enough.is_set():
            await backend(lender)
            reads += 1

    readers = [asyncio.create_task(read()) for _ in range(20)]
    await until(lambda: reads > 0)
    came = reads
    async with engine.begin():
        waited = reads - came
    enough.set()
    await asyncio.gather(*readers)
    await engine.dispose()

    assert waited <= len(readers)


async def test_no_loan_is_lost_with_a_borrower_who_is_cancelled(engine: AsyncEngine, lender: Lender) -> None:
    pid = await backend(lender)
    pool = lending_pool(engine)
    loan = pool.idle.pop()
    borrower = asyncio.create_task(backend(lender))
    await asyncio.sleep(0)

    assert pool.keep(loan)
    assert pool.idle == []
    borrower.cancel()
    await asyncio.wait([borrower])

    assert borrower.cancelled()
    assert await backend(lender) == pid


@pytest.mark.parametrize("first", ["read", "write"])
async def test_no_room_is_lost_with_somebody_who_is_cancelled_as_it_becomes_free(
    engine: AsyncEngine, lender: Lender, first: str
) -> None:
    pool = lending_pool(engine)
    connection = await engine.connect()
    cancelled = asyncio.create_task(backend(lender) if first == "read" else ping(engine))
    waiting = asyncio.create_task(backend(lender))
    await asyncio.sleep(0)
    assert len(pool.line) == 2

    await connection.close()
    assert (len(pool.line), pool.checkedin()) == (1, 1)
    cancelled.cancel()

    assert await waiting == await backend(lender)
    assert cancelled.cancelled()


async def test_who_was_cancelled_before_room_becomes_free_is_passed_over(engine: AsyncEngine, lender: Lender) -> None:
    connection = await engine.connect()
    cancelled, waiting = asyncio.create_task(backend(lender)), asyncio.create_task(backend(lender))
    await asyncio.sleep(0)

    cancelled.cancel()
    await connection.close()

    assert lending_pool(engine).line == {}
    assert await waiting == await backend(lender)
    assert cancelled.cancelled()


async def test_who_waits_for_too_long_is_told_so(database_url: str) -> None:
    engine = create_engine(database_url, DatabaseSettings(pool_size=1, pool_timeout_seconds=0.05))
    async with engine.begin():
        with pytest.raises(TimeoutError):
            await backend(Lender(engine))
        with pytest.raises(NoConnectionFreeError):
            await engine.connect()
        assert not lending_pool(engine).line
    await engine.dispose()


def impatience(seconds: float = 0.05) -> Patience:
    """That of a request, which the test is from now on: each has a context of its own."""
    patience = Patience(asker="somebody", seconds=seconds, places=Places(4))
    PATIENCE.set(patience)
    return patience


async def test_a_request_waits_for_as_long_as_it_has_patience(engine: AsyncEngine, lender: Lender) -> None:
    patience = impatience()
    async with engine.begin():
        with pytest.raises(OverloadedError):
            await backend(lender)
        with pytest.raises(OverloadedError):
            await ping(engine)
        assert not lending_pool(engine).line
        assert patience.places.taken == 0
    assert await backend(lender) > 0


async def test_a_request_that_has_written_waits_as_long_as_anybody(engine: AsyncEngine, lender: Lender) -> None:
    patience = impatience()
    connection = await engine.connect()
    patience.is_endless = True
    waiting = asyncio.create_task(backend(lender))
    await asyncio.sleep(2 * patience.seconds)
    assert not waiting.done()
    await connection.close()
    assert await waiting > 0


async def test_no_more_requests_wait_than_may_and_what_is_no_request_waits_all_the_same(
    engine: AsyncEngine, lender: Lender
) -> None:
    patience = impatience(60)
    connection = await engine.connect()
    waiting = [asyncio.create_task(backend(lender)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(OverloadedError):
        await backend(lender)
    patience.asker = "somebody else"
    waiting.append(asyncio.create_task(backend(lender)))
    await asyncio.sleep(0)
    token = PATIENCE.set(None)
    waiting.append(asyncio.create_task(backend(lender)))
    PATIENCE.reset(token)
    await connection.close()
    assert len(set(await asyncio.gather(*waiting))) == 1
    assert patience.places.taken == 0


async def test_who_waits_for_a_pool_that_is_disposed_of_is_served_by_the_next(
    engine: AsyncEngine, lender: Lender
) -> None:
    async with engine.begin() as connection:
        pid = (await connection.execute(text(BACKEND))).scalar_one()
        waiting = [asyncio.create_task(use) for use in (backend(lender), ping(engine), backend(lender))]
        await asyncio.sleep(0)
        disposed = lending_pool(engine)

        await engine.dispose()

        first, _, last = await asyncio.gather(*waiting)
        assert first == last != pid
    assert (disposed.checkedin(), len(disposed.line)) == (0, 0)
    assert (pool_use(engine).in_use, pool_use(engine).idle) == (0, 1)


async def test_a_database_that_cannot_be_reached_keeps_nobody_waiting() -> None:
    engine = create_engine("postgresql://gallery@127.0.0.1:9/gallery", DatabaseSettings(pool_size=1))
    lender = Lender(engine)

    failures = await asyncio.gather(*(backend(lender) for _ in range(3)), return_exceptions=True)

    assert [isinstance(failure, OSError) for failure in failures] == [True] * 3
    await engine.dispose()
