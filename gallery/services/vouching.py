"""People for whom another service vouches: they have an account as soon as they come, with the role it says."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from gallery.domain.access import GALLERY_ITSELF, Viewer
from gallery.domain.account_ports import IdentityVerifier
from gallery.domain.accounts import (
    ACCOUNT_NAME_MAX_CHARACTERS,
    Account,
    AccountKind,
    RefusedCredentialError,
    Vouched,
    clean_account_name,
    digest_of,
)
from gallery.domain.events import Event, EventKind
from gallery.domain.ids import new_user_id
from gallery.domain.ports import Clock, UnitOfWork, UnitOfWorkFactory
from gallery.services.clock import utc_now
from gallery.services.remembered import Remembered


class Vouching:
    """Tells by what another service has signed who asks."""

    def __init__(
        self,
        verifier: IdentityVerifier,
        unit_of_work: UnitOfWorkFactory,
        clock: Clock = utc_now,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._verifier = verifier
        self._accounts = AccountsOfOthers(unit_of_work, clock)
        self._clock = clock
        self._known: Remembered[bytes, tuple[Viewer, datetime]] = Remembered(monotonic)

    async def viewer_of(self, credential: str) -> Viewer:
        """Whom the other service vouches for.

        Raises:
            RefusedCredentialError: if it vouches for nobody by this, or for somebody whose account is disabled.
            UnavailableError: if it does not answer, or the database does not.
        """
        digest = digest_of(credential)
        viewer, expires_at = self._known.get(digest) or (None, self._clock())
        if viewer is not None and self._clock() < expires_at:
            return viewer
        vouched = await self._verifier.verify(credential)
        account = await self._accounts.of(vouched)
        if account.disabled_at is not None:
            message = "Your account is disabled."
            raise RefusedCredentialError(message)
        self._known.keep(digest, (account.viewer(), vouched.expires_at))
        return account.viewer()


class AccountsOfOthers:
    """The accounts of people for whom other services vouch."""

    def __init__(self, unit_of_work: UnitOfWorkFactory, clock: Clock = utc_now) -> None:
        self._unit_of_work = unit_of_work
        self._clock = clock

    async def of(self, vouched: Vouched) -> Account:
        """The account of whom a service vouches for, with the role that it says.

        Raises:
            UnavailableError: if the database does not answer.
        """
        async with self._unit_of_work() as work:
            account = await work.accounts.find_by_subject(vouched.issuer, vouched.subject)
            if account is None:
                account = await self._new_account(work, vouched)
            elif account.role is not vouched.role:
                account = replace(account, role=vouched.role)
                await work.accounts.save(account)
                await work.events.append(self._event(EventKind.ACCOUNT_UPDATED, account))
            else:
                return account
            await work.commit()
        return account

    async def _new_account(self, work: UnitOfWork, vouched: Vouched) -> Account:
        """One of the name that they have there, or else one that tells them apart from whoever has it here."""
        new = Account(
            id=new_user_id(),
            name=clean_account_name(vouched.name[:ACCOUNT_NAME_MAX_CHARACTERS]),
            kind=AccountKind.PERSON,
            role=vouched.role,
            created_at=self._clock(),
            issuer=vouched.issuer,
            subject=vouched.subject,
        )
        if not await work.accounts.add_unless_there(new):
            there = await work.accounts.find_by_subject(vouched.issuer, vouched.subject)
            if there is not None:  # they came twice at the same moment
                return there
            new = replace(new, name=f"{new.name[:60]} {new.id.hex}")
            await work.accounts.add_unless_there(new)
        await work.events.append(self._event(EventKind.ACCOUNT_CREATED, new))
        return new

    def _event(self, kind: EventKind, account: Account) -> Event:
        payload = {"name": account.name, "kind": account.kind.value, "role": account.role.value}
        return Event(
            kind=kind, entity_id=account.id, actor=GALLERY_ITSELF.id, occurred_at=self._clock(), payload=payload
        )
