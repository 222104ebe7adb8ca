"""From what somebody shows to who they are."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from gallery.domain.access import Viewer
from gallery.domain.accounts import RefusedCredentialError, digest_of, prefix_of
from gallery.domain.errors import GalleryError
from gallery.domain.events import Event, EventKind
from gallery.domain.ports import Clock, CommitListener, UnitOfWork, UnitOfWorkFactory
from gallery.domain.sessions import is_session_secret
from gallery.services.clock import utc_now
from gallery.services.session_directory import KnownSession, SessionDirectory
from gallery.services.signing_in import SessionTerms
from gallery.services.token_directory import KnownToken, TokenDirectory
from gallery.services.vouching import Vouching

log = logging.getLogger(__name__)

USE_IS_NOTED_EVERY: Final = timedelta(minutes=1)

_CHANGES: Final = frozenset({EventKind.TOKEN_REVOKED, EventKind.ACCOUNT_UPDATED, EventKind.ACCOUNT_DISABLED})
_SIGNED: Final = re.compile(r"[\w-]+\.[\w-]+\.[\w-]*", re.ASCII)
"""Something in the shape of a JSON Web Token (RFC 7515, section 7.1)."""

_TERMS: Final = SessionTerms(ttl=timedelta(days=7), idle=timedelta(days=1))
_UNKNOWN: Final = "This is no token of the gallery, or one that was revoked."
_ENDED: Final = "Your session has ended. Sign in again."


class Authenticator:
    """Tells by API tokens who asks, by sessions, or by what another service vouches for.

    It notes when a token or a session was used.
    """

    def __init__(
        self,
        directory: TokenDirectory,
        unit_of_work: UnitOfWorkFactory,
        clock: Clock = utc_now,
        *,
        vouching: Vouching | None = None,
        sessions: SessionDirectory | None = None,
        terms: SessionTerms = _TERMS,
    ) -> None:
        """Sessions count by these terms. Without a directory of them there are none."""
        self._directory = directory
        self._unit_of_work = unit_of_work
        self._clock = clock
        self._vouching = vouching
        self._sessions = sessions
        self._terms = terms
        self._noting: set[asyncio.Task[None]] = set()

    async def viewer_of(self, credential: str) -> Viewer:
        """Who shows this.

        Raises:
            RefusedCredentialError: if it is no token, or one of no use any more.
            UnavailableError: if the database, or whoever vouches for people, does not answer.
        """
        if self._vouching is not None and _SIGNED.fullmatch(credential):
            return await self._vouching.viewer_of(credential)
        prefix = prefix_of(credential)
        known = None if prefix is None else await self._directory.find(prefix)
        if known is None or not known.token.is_secret(credential):
            raise RefusedCredentialError(_UNKNOWN)
        now = self._clock()
        _check_usable(known, now)
        token = known.token
        self._note_use(known, token.last_used_at, now, lambda work: work.tokens.touch(token.id, now))
        return known.viewer

    async def viewer_in_session(self, secret: str) -> Viewer:
        """Who has begun the session of this secret.

        Raises:
            RefusedCredentialError: if there is none, or it has ended.
            UnavailableError: if the database does not answer.
        """
        known = None
        if self._sessions is not None and is_session_secret(secret):
            known = await self._sessions.find(digest_of(secret))
        now = self._clock()
        if known is None or known.account.disabled_at is not None or not self._terms.allow(known.session, now):
            raise RefusedCredentialError(_ENDED)
        session = known.session
        self._note_use(known, session.last_used_at, now, lambda work: work.sessions.touch(session.id, now))
        return known.viewer

    async def settle(self) -> None:
        """Waits until every use is noted."""
        await asyncio.gather(*self._noting)

    def _note_use(
        self,
        known: KnownToken | KnownSession,
        last: datetime | None,
        now: datetime,
        touch: Callable[[UnitOfWork], Awaitable[None]],
    ) -> None:
        if known.use_is_noted or (last is not None and now - last < USE_IS_NOTED_EVERY):
            return
        known.use_is_noted = True
        noting = asyncio.create_task(self._touch(touch))
        self._noting.add(noting)
        noting.add_done_callback(self._noting.discard)

    async def _touch(self, touch: Callable[[UnitOfWork], Awaitable[None]]) -> None:
        try:
            async with self._unit_of_work() as work:
                await touch(work)
                await work.commit(durable=False)
        except GalleryError as error:
            log.warning("the use of a token or a session could not be noted: %s", error)


def forgetting_tokens(directory: TokenDirectory, listener: CommitListener) -> CommitListener:
    """A listener that lets a token go as soon as it is revoked, before the other one is told of it."""

    async def listen(events: Sequence[Event]) -> None:
        if any(event.kind in _CHANGES for event in events):
            directory.forget()
        await listener(events)

    return listen


def _check_usable(known: KnownToken, now: datetime) -> None:
    """Passes if the token is of use. Whoever knows the secret may know why it is not.

    Raises:
        RefusedCredentialError: if it is of none.
    """
    if known.token.revoked_at is not None:
        raise RefusedCredentialError(_UNKNOWN)
    if not known.token.is_usable(now):
        message = "The token has expired. Make a new one."
        raise RefusedCredentialError(message)
    if known.account.disabled_at is not None:
        message = "The account of the token is disabled."
        raise RefusedCredentialError(message)
