"""Units of work on a database in memory."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from gallery.domain.errors import UnavailableError
from gallery.domain.events import Event
from gallery.domain.ports import CommitListener, UnitOfWorkFactory
from tests.fakes.accounts import MemoryAccountRepository, MemoryTokenRepository
from tests.fakes.albums import MemoryAlbumRepository
from tests.fakes.claims import MemoryClaimRepository
from tests.fakes.database import MemoryDatabase, Transaction, holding_transaction
from tests.fakes.events import MemoryEventLog
from tests.fakes.images import MemoryImageRepository
from tests.fakes.jobs import MemoryJobQueue
from tests.fakes.sessions import MemoryPasswordRepository, MemorySessionRepository
from tests.fakes.share_links import MemoryShareLinkRepository
from tests.fakes.shares import MemoryShareRepository
from tests.fakes.tags import MemoryTagRepository
from tests.fakes.uploads import MemoryUploadRepository

_SERVICE = "database"


async def ignore(_events: Sequence[Event]) -> None:
    """A listener that does nothing."""


def memory_units_of_work(database: MemoryDatabase, *, on_commit: CommitListener = ignore) -> UnitOfWorkFactory:
    return lambda: MemoryUnitOfWork(database, on_commit)


class MemoryUnitOfWork:
    def __init__(self, database: MemoryDatabase, on_commit: CommitListener) -> None:
        self._database = database
        self._on_commit = on_commit
        self._marked = ExitStack()
        self._transaction = transaction = Transaction(database)
        self.images = MemoryImageRepository(transaction)
        self.tags = MemoryTagRepository(transaction)
        self.albums = MemoryAlbumRepository(transaction)
        self.events = MemoryEventLog(transaction)
        self.jobs = MemoryJobQueue(transaction)
        self.uploads = MemoryUploadRepository(transaction)
        self.claims = MemoryClaimRepository(transaction)
        self.accounts = MemoryAccountRepository(transaction)
        self.tokens = MemoryTokenRepository(transaction)
        self.shares = MemoryShareRepository(transaction)
        self.passwords = MemoryPasswordRepository(transaction)
        self.sessions = MemorySessionRepository(transaction)
        self.share_links = MemoryShareLinkRepository(transaction)

    async def __aenter__(self) -> Self:
        if self._database.unavailable:
            raise UnavailableError(_SERVICE)
        self._database.units_opened += 1
        self._marked.enter_context(holding_transaction())
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._marked.close()
        self._transaction.end()

    async def commit(self, *, durable: bool = True) -> None:
        faults = self._database.commit_faults
        fault = faults.popleft() if faults else None
        if fault is None or fault.kept:
            self._transaction.commit()
        if fault is not None:
            raise fault.error
        await self._on_commit(self.events.appended)
