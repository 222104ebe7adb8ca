"""Sessions as those who signed in see them, and administrators."""

from __future__ import annotations

from gallery.domain.access import Right, Viewer, require, require_whole_account
from gallery.domain.account_ports import AccountReader
from gallery.domain.accounts import Account
from gallery.domain.errors import NotFoundError
from gallery.domain.events import Event, EventKind
from gallery.domain.ids import SessionId
from gallery.domain.ports import Clock, UnitOfWorkFactory
from gallery.domain.session_ports import SessionReader
from gallery.domain.sessions import Session
from gallery.services.clock import utc_now
from gallery.services.signing_in import SessionTerms


class SessionService:
    """Use cases of sessions."""

    def __init__(
        self,
        unit_of_work: UnitOfWorkFactory,
        reader: SessionReader,
        accounts: AccountReader,
        terms: SessionTerms,
        clock: Clock = utc_now,
    ) -> None:
        self._unit_of_work = unit_of_work
        self._reader = reader
        self._accounts = accounts
        self._terms = terms
        self._clock = clock

    async def own(self, viewer: Viewer) -> tuple[Session, ...]:
        """The viewer's sessions that go on, the newest first."""
        require(viewer, Right.READ)
        return self._going_on(await self._reader.sessions(viewer.id))

    async def all(self, viewer: Viewer) -> list[tuple[Session, Account]]:
        """Everybody's sessions that go on, the newest first, each with its account."""
        require(viewer, Right.ADMINISTER)
        sessions = self._going_on(await self._reader.sessions())
        accounts = await self._accounts.get_many({session.account_id for session in sessions})
        return [(session, accounts[session.account_id]) for session in sessions if session.account_id in accounts]

    async def end(self, viewer: Viewer, session_id: SessionId) -> Session:
        """Ends a session: one's own, or whoever's if the viewer administers.

        Raises:
            ForbiddenError: for strangers, and for tokens that may do less than the account.
            NotFoundError: if there is no such session, or it is somebody else's.
        """
        require_whole_account(viewer)
        async with self._unit_of_work() as work:
            session = await work.sessions.find(session_id)
            if session is None or (session.account_id != viewer.id and Right.ADMINISTER not in viewer.rights):
                message = "There is no such session. It may have ended."
                raise NotFoundError(message)
            await work.sessions.delete([session_id])
            await work.events.append(
                Event(
                    kind=EventKind.ACCOUNT_SESSIONS_ENDED,
                    entity_id=session.account_id,
                    actor=viewer.id,
                    occurred_at=self._clock(),
                    payload={"session_id": session_id.hex, "reason": "revoked"},
                )
            )
            await work.commit()
        return session

    def _going_on(self, sessions: tuple[Session, ...]) -> tuple[Session, ...]:
        now = self._clock()
        return tuple(session for session in sessions if self._terms.allow(session, now))
