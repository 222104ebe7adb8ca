"""What is needed from outside for people to sign in, as Protocols."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from gallery.domain.accounts import Account, Vouched
from gallery.domain.ids import SessionId, UserId
from gallery.domain.sessions import Session


class PasswordRepository(Protocol):
    """The hashes of passwords, of a unit of work. None of its methods takes or gives a password."""

    async def find(self, account_id: UserId) -> str | None:
        """The hash of the account's password, if it has one."""
        ...

    async def put(self, account_id: UserId, password_hash: str, now: datetime) -> None:
        """Stores a hash for an account that is there, in place of the one before."""
        ...


class SessionRepository(Protocol):
    """The sessions of a unit of work. One that has ended is not there any more."""

    async def find(self, session_id: SessionId) -> Session | None:
        """The session, locked until the transaction ends."""
        ...

    async def find_by_digest(self, digest: bytes) -> Session | None:
        """The session of this secret, locked until the transaction ends."""
        ...

    async def add(self, session: Session) -> None:
        """Stores a new session."""
        ...

    async def delete(self, session_ids: Collection[SessionId]) -> None:
        """Ends sessions. Those that are not there do not matter."""
        ...

    async def delete_of(self, account_id: UserId, *, but: SessionId | None = None) -> int:
        """Ends all sessions of an account, or all but one; answers with how many."""
        ...

    async def keep_newest(self, account_id: UserId, number: int) -> None:
        """Ends all sessions of an account but so many, the newest."""
        ...

    async def delete_outdated(self, *, expired_at: datetime, unused_since: datetime) -> None:
        """Removes sessions that have expired by then, or were not used since; a thousand at most."""
        ...

    async def touch(self, session_id: SessionId, now: datetime) -> None:
        """Notes that a session was used, unless a later use is noted. One that is not there does not matter."""
        ...


class SessionReader(Protocol):
    """Sessions, for looking."""

    async def by_digest(self, digests: Collection[bytes]) -> dict[bytes, tuple[Session, Account]]:
        """Those of the sessions that exist, each with its account."""
        ...

    async def sessions(self, account_id: UserId | None = None) -> tuple[Session, ...]:
        """The sessions of an account, or all; the newest first. Outdated ones may be among them."""
        ...

    async def by_name(self, name: str) -> tuple[Account, str | None] | None:
        """The account of this name, whatever its case, with the hash of its password if it has one."""
        ...

    async def having_password(self, account_ids: Collection[UserId]) -> set[UserId]:
        """Those of the accounts that have a password."""
        ...

    async def accounts(self) -> tuple[Account, ...]:
        """All accounts, by name."""
        ...


class Counters(Protocol):
    """Numbers that all processes share, each under a key and for a while. They need not survive anything."""

    async def add(self, key: str, amount: int, ttl_seconds: int) -> int:
        """Adds to a number, which begins with 0 and is gone so long after it began; answers with the sum."""
        ...

    async def get(self, key: str) -> int:
        """The number; 0 if there is none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderVisit:
    """Somebody who was sent to an identity provider. `state`, `nonce` and `verifier` are for their browser to keep."""

    url: str
    """Where they are sent."""
    state: str
    nonce: str
    verifier: str


class IdentityProvider(Protocol):
    """Another service on whose pages people sign in."""

    async def visit(self, redirect_uri: str) -> ProviderVisit:
        """A visit, from which somebody comes back to this address.

        Raises:
            UnavailableError: if the service does not tell where its pages are.
        """
        ...

    async def vouched(self, code: str, redirect_uri: str, *, nonce: str, verifier: str) -> Vouched:
        """Whom the service vouches for by the code with which somebody came back.

        Raises:
            RefusedCredentialError: if it vouches for nobody, or not in this visit.
            UnavailableError: if it does not answer.
        """
        ...
