"""Signing in and out: how sessions begin, and how the one that somebody shows ends."""

from __future__ import annotations

import asyncio
import logging
import unicodedata
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from gallery.domain.access import GALLERY_ITSELF
from gallery.domain.accounts import Account, RefusedCredentialError, Vouched, digest_of
from gallery.domain.errors import GalleryError
from gallery.domain.events import Event, EventKind, JsonValue
from gallery.domain.ids import UserId, new_session_id
from gallery.domain.password_ports import PasswordHasher
from gallery.domain.passwords import is_possible_password, normal_password
from gallery.domain.ports import Clock, UnitOfWork, UnitOfWorkFactory
from gallery.domain.session_ports import SessionReader
from gallery.domain.sessions import Session, SignInWay, new_session_secret
from gallery.services.attempts import Attempt, Attempts
from gallery.services.clock import utc_now
from gallery.services.vouching import AccountsOfOthers

log = logging.getLogger(__name__)

MOST_SESSIONS: Final = 100
"""How many sessions an account may have; the oldest end."""

_WRONG: Final = "The name or the password is wrong."
_DISABLED: Final = "Your account is disabled."


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionTerms:
    """How long sessions last: at most so long, and so long after they were last used."""

    ttl: timedelta
    idle: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class BegunSession:
    """A new session with its secret, which nobody can read again, and whose it is."""

    session: Session
    account: Account
    secret: str


class SigningIn:
    """Begins sessions and ends them.

    Of a wrong name and of a wrong password it tells the same, after the same time.
    """

    def __init__(
        self,
        unit_of_work: UnitOfWorkFactory,
        reader: SessionReader,
        hasher: PasswordHasher,
        attempts: Attempts,
        terms: SessionTerms,
        clock: Clock = utc_now,
    ) -> None:
        self._unit_of_work = unit_of_work
        self._reader = reader
        self._hasher = hasher
        self._attempts = attempts
        self._terms = terms
        self._clock = clock
        self._accounts = AccountsOfOthers(unit_of_work, clock)
        self._recording: set[asyncio.Task[None]] = set()

    async def with_password(self, name: str, password: str, *, address: str, shown: str | None = None) -> BegunSession:
        """A session for who knows the password of this name. It takes the place of the one that their browser shows.

        Raises:
            RefusedCredentialError: if one of the two is wrong, or the account is disabled.
            TooManyAttemptsError: if there were too many wrong ones before; nothing is looked at then.
            UnavailableError: if the database does not answer, or too many others wait for the same.
        """
        name = unicodedata.normalize("NFC", name).strip()
        async with self._attempts.attempt(name.casefold(), address) as attempt:
            try:
                return await self._begin_with_password(name, password, shown, attempt)
            except GalleryError:
                attempt.void()
                raise

    async def vouched(self, vouched: Vouched, *, shown: str | None = None) -> BegunSession:
        """A session for whom another service vouches, who has an account from now on.

        Raises:
            RefusedCredentialError: if the account is disabled.
            UnavailableError: if the database does not answer.
        """
        account = await self._accounts.of(vouched)
        return await self._begin(account, SignInWay.PROVIDER, shown)

    async def sign_out(self, secret: str) -> None:
        """Ends the session of this secret; if there is none, it does nothing.

        Raises:
            UnavailableError: if the database does not answer.
        """
        async with self._unit_of_work() as work:
            await self._end_shown(work, secret)
            await work.commit()

    async def settle(self) -> None:
        """Waits until everything is recorded."""
        await asyncio.gather(*self._recording)

    async def _begin_with_password(self, name: str, password: str, shown: str | None, attempt: Attempt) -> BegunSession:
        account, known_hash = await self._reader.by_name(name) or (None, None)
        given = normal_password(password) if is_possible_password(password) else None
        is_right = await self._hasher.is_of(None if given is None else known_hash, given or "")
        if account is None or known_hash is None or given is None or not is_right or account.disabled_at is not None:
            if account is not None and attempt.is_first_in_minute:
                self._record_failure(account)
            raise RefusedCredentialError(_WRONG)
        new_hash = await self._hasher.hash(given) if self._hasher.is_outdated(known_hash) else None
        begun = await self._begin(account, SignInWay.PASSWORD, shown, known_hash=known_hash, new_hash=new_hash)
        attempt.right()
        return begun

    async def _begin(
        self,
        account: Account,
        way: SignInWay,
        shown: str | None,
        *,
        known_hash: str | None = None,
        new_hash: str | None = None,
    ) -> BegunSession:
        """Begins a session if nothing has changed since the account was looked at."""
        now, secret = self._clock(), new_session_secret()
        async with self._unit_of_work() as work:
            account = await work.accounts.get(account.id)
            if account.disabled_at is not None:
                raise RefusedCredentialError(_DISABLED)
            if known_hash is not None and await work.passwords.find(account.id) != known_hash:
                raise RefusedCredentialError(_WRONG)
            if new_hash is not None:
                await work.passwords.put(account.id, new_hash, now)
            if shown is not None:
                await self._end_shown(work, shown)
            session = Session(
                id=new_session_id(),
                account_id=account.id,
                digest=digest_of(secret),
                way=way,
                created_at=now,
                expires_at=now + self._terms.ttl,
                last_used_at=now,
            )
            await work.sessions.delete_outdated(expired_at=now, unused_since=now - self._terms.idle)
            await work.sessions.keep_newest(account.id, MOST_SESSIONS - 1)
            await work.sessions.add(session)
            payload: dict[str, JsonValue] = {"session_id": session.id.hex, "way": way}
            await work.events.append(self._event(EventKind.ACCOUNT_SIGNED_IN, account, account.id, payload))
            await work.commit()
        return BegunSession(session=session, account=account, secret=secret)

    async def _end_shown(self, work: UnitOfWork, secret: str) -> None:
        session = await work.sessions.find_by_digest(digest_of(secret))
        if session is None:
            return
        await work.sessions.delete([session.id])
        await work.events.append(
            Event(
                kind=EventKind.ACCOUNT_SESSIONS_ENDED,
                entity_id=session.account_id,
                actor=session.account_id,
                occurred_at=self._clock(),
                payload={"session_id": session.id.hex, "reason": "signed out"},
            )
        )

    def _record_failure(self, account: Account) -> None:
        """Records it behind the answer: that it takes longer would tell that there is an account of the name."""
        recording = asyncio.create_task(self._recorded(account))
        self._recording.add(recording)
        recording.add_done_callback(self._recording.discard)

    async def _recorded(self, account: Account) -> None:
        try:
            async with self._unit_of_work() as work:
                await work.events.append(self._event(EventKind.ACCOUNT_SIGN_IN_FAILED, account, GALLERY_ITSELF.id, {}))
                await work.commit()
        except GalleryError as error:
            log.warning("that somebody could not sign in was not recorded: %s", error)

    def _event(self, kind: EventKind, account: Account, actor: UserId, payload: dict[str, JsonValue]) -> Event:
        return Event(kind=kind, entity_id=account.id, actor=actor, occurred_at=self._clock(), payload=payload)
