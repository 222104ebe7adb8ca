"""One transaction with the repositories that write in it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gallery.domain.errors import UnavailableError
from gallery.domain.ports import CommitListener, JobQueue, UnitOfWork, UnitOfWorkFactory
from gallery.domain.waiting import grow_endless
from gallery.platform.database.accounts import SqlAccountRepository, SqlTokenRepository
from gallery.platform.database.albums import SqlAlbumRepository
from gallery.platform.database.claims import SqlClaimRepository
from gallery.platform.database.errors import translated_errors
from gallery.platform.database.events import SqlEventLog
from gallery.platform.database.images import SqlImageRepository
from gallery.platform.database.lending import Lender
from gallery.platform.database.sessions import SqlPasswordRepository, SqlSessionRepository
from gallery.platform.database.share_links import SqlShareLinkRepository
from gallery.platform.database.shares import SqlShareRepository
from gallery.platform.database.statements import Transaction
from gallery.platform.database.tags import SqlTagRepository
from gallery.platform.database.uploads import SqlUploadRepository

JobQueueFactory = Callable[[AsyncConnection], JobQueue]
"""Makes the job queue of a transaction on its connection."""


def sql_units_of_work(engine: AsyncEngine, *, jobs: JobQueueFactory, on_commit: CommitListener) -> UnitOfWorkFactory:
    """Units of work on the connections of the engine; `on_commit` hears of what each one recorded."""

    def new() -> UnitOfWork:
        return SqlUnitOfWork(engine, jobs=jobs, on_commit=on_commit)

    return new


@dataclass(frozen=True, slots=True, kw_only=True)
class _Open:
    """What there is while the transaction is open."""

    transaction: Transaction
    images: SqlImageRepository
    tags: SqlTagRepository
    albums: SqlAlbumRepository
    events: SqlEventLog
    jobs: JobQueue
    uploads: SqlUploadRepository
    claims: SqlClaimRepository
    accounts: SqlAccountRepository
    tokens: SqlTokenRepository
    shares: SqlShareRepository
    passwords: SqlPasswordRepository
    sessions: SqlSessionRepository
    share_links: SqlShareLinkRepository


class SqlUnitOfWork:
    """As the port says; used once. Nothing can be read or written outside of `async with`, or after the commit."""

    def __init__(self, engine: AsyncEngine, *, jobs: JobQueueFactory, on_commit: CommitListener) -> None:
        self._lender = Lender(engine)
        self._jobs = jobs
        self._on_commit = on_commit
        self._state: _Open | None = None
        self._finishing: asyncio.Task[None] | None = None

    @property
    def images(self) -> SqlImageRepository:
        """The images of the transaction."""
        return self._open.images

    @property
    def tags(self) -> SqlTagRepository:
        """The tags of the transaction."""
        return self._open.tags

    @property
    def albums(self) -> SqlAlbumRepository:
        """The albums of the transaction."""
        return self._open.albums

    @property
    def events(self) -> SqlEventLog:
        """The audit trail of the transaction."""
        return self._open.events

    @property
    def jobs(self) -> JobQueue:
        """The jobs of the transaction."""
        return self._open.jobs

    @property
    def uploads(self) -> SqlUploadRepository:
        """The uploads under way, in the transaction."""
        return self._open.uploads

    @property
    def claims(self) -> SqlClaimRepository:
        """The idempotency keys of the transaction."""
        return self._open.claims

    @property
    def accounts(self) -> SqlAccountRepository:
        """The accounts of the transaction."""
        return self._open.accounts

    @property
    def tokens(self) -> SqlTokenRepository:
        """The API tokens of the transaction."""
        return self._open.tokens

    @property
    def shares(self) -> SqlShareRepository:
        """With whom albums are shared, in the transaction."""
        return self._open.shares

    @property
    def passwords(self) -> SqlPasswordRepository:
        """The hashes of passwords, in the transaction."""
        return self._open.passwords

    @property
    def sessions(self) -> SqlSessionRepository:
        """The sessions of the transaction."""
        return self._open.sessions

    @property
    def share_links(self) -> SqlShareLinkRepository:
        """The share links of the transaction."""
        return self._open.share_links

    async def __aenter__(self) -> Self:
        with translated_errors():
            transaction = Transaction(await self._lender.loan())
        self._state = _Open(
            transaction=transaction,
            images=SqlImageRepository(transaction),
            tags=SqlTagRepository(transaction),
            albums=SqlAlbumRepository(transaction),
            events=SqlEventLog(transaction),
            jobs=self._jobs(transaction.connection),
            uploads=SqlUploadRepository(transaction),
            claims=SqlClaimRepository(transaction),
            accounts=SqlAccountRepository(transaction),
            tokens=SqlTokenRepository(transaction),
            shares=SqlShareRepository(transaction),
            passwords=SqlPasswordRepository(transaction),
            sessions=SqlSessionRepository(transaction),
            share_links=SqlShareLinkRepository(transaction),
        )
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        state, self._state = self._state, None
        if state is not None:
            await _ended(state.transaction)
        elif self._finishing is not None:
            await asyncio.wait([self._finishing])  # the caller was cancelled while it committed

    async def commit(self, *, durable: bool = True) -> None:
        """As the port says. It is finished, and the listener told, even if the caller is cancelled meanwhile.

        Otherwise nobody would know whether the database has committed, and caches would keep what changed.

        Raises:
            UnavailableError: if the database is gone; it may have committed all the same.
        """
        state, self._state = self._open, None
        grow_endless()  # whoever gave up now would say that nothing was done
        self._finishing = asyncio.create_task(self._finish(state, durable=durable))
        await asyncio.shield(self._finishing)

    async def _finish(self, state: _Open, *, durable: bool) -> None:
        told = tuple(state.events.appended)
        try:
            await state.transaction.commit(durable=durable)
        except UnavailableError:
            await self._on_commit(told)  # its answer was lost: it may have committed
            raise
        finally:
            await _ended(state.transaction)
        await self._on_commit(told)

    @property
    def _open(self) -> _Open:
        if self._state is None:
            message = "The unit of work is not open: it was not entered, or is committed."
            raise RuntimeError(message)
        return self._state


async def _ended(transaction: Transaction) -> None:
    """Gives the connection back, undoing what was not committed, even if the caller is cancelled meanwhile."""
    with suppress(UnavailableError):  # the server undoes what a lost connection did not commit
        await asyncio.shield(asyncio.ensure_future(transaction.end()))
