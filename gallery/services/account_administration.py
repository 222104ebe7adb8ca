"""Accounts of people, as those who run the gallery make and end them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from gallery.domain.access import Right, Role, Viewer, require
from gallery.domain.accounts import Account, AccountKind, clean_account_name
from gallery.domain.errors import ConflictError, ErrorCode, NotFoundError
from gallery.domain.events import EntityKind, Event, EventKind
from gallery.domain.ids import UserId, new_user_id
from gallery.domain.password_ports import PasswordHasher
from gallery.domain.passwords import clean_password
from gallery.domain.ports import Clock, UnitOfWork, UnitOfWorkFactory
from gallery.domain.session_ports import SessionReader
from gallery.services.clock import utc_now


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAccount:
    """An account to make, for a person; without a password nobody signs in to it."""

    name: str
    role: Role
    password: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedAccount:
    """An account, and whether it has a password."""

    account: Account
    has_password: bool


class AccountAdministrationService:
    """Use cases of everybody's accounts."""

    def __init__(
        self,
        unit_of_work: UnitOfWorkFactory,
        reader: SessionReader,
        hasher: PasswordHasher,
        clock: Clock = utc_now,
    ) -> None:
        self._unit_of_work = unit_of_work
        self._reader = reader
        self._hasher = hasher
        self._clock = clock

    async def create(self, viewer: Viewer, new: NewAccount) -> Account:
        """Makes an account for a person.

        Raises:
            InvalidInputError: if the name or the password breaks a rule.
            ConflictError: VERSION_CONFLICT if there is an account of that name.
        """
        require(viewer, Right.ADMINISTER)
        name, now = clean_account_name(new.name), self._clock()
        new_hash = None if new.password is None else await self._hasher.hash(clean_password(new.password))
        account = Account(id=new_user_id(), name=name, kind=AccountKind.PERSON, role=new.role, created_at=now)
        async with self._unit_of_work() as work:
            if not await work.accounts.add_unless_there(account):
                message = f"There is an account “{name}” already. Choose another name."
                raise ConflictError(ErrorCode.VERSION_CONFLICT, message, field=("name",))
            await work.events.append(
                Event(
                    kind=EventKind.ACCOUNT_CREATED,
                    entity_id=account.id,
                    actor=viewer.id,
                    occurred_at=now,
                    payload={"name": name, "kind": account.kind, "role": account.role},
                )
            )
            if new_hash is not None:
                await work.passwords.put(account.id, new_hash, now)
                await record_new_password(work, viewer, account.id, self._clock)
            await work.commit()
        return account

    async def set_password(self, viewer: Viewer, name: str, password: str) -> Account:
        """Gives a person's account a password in place of the one before, and ends its sessions.

        Raises:
            InvalidInputError: INVALID_PASSWORD if it breaks a rule.
            NotFoundError: if there is no such account.
            ConflictError: VERSION_CONFLICT if it is that of a program.
        """
        require(viewer, Right.ADMINISTER)
        new_hash = await self._hasher.hash(clean_password(password))
        async with self._unit_of_work() as work:
            account = await _named(work, name)
            if account.kind is not AccountKind.PERSON:
                message = f"“{account.name}” is the account of a program, which shows a token."
                raise ConflictError(ErrorCode.VERSION_CONFLICT, message, field=("name",))
            await work.passwords.put(account.id, new_hash, self._clock())
            await work.sessions.delete_of(account.id)
            await record_new_password(work, viewer, account.id, self._clock)
            await work.commit()
        return account

    async def disable(self, viewer: Viewer, name: str) -> Account:
        """Ends the sessions of an account, and lets nobody use it or its tokens. Again, it does nothing.

        Raises:
            NotFoundError: if there is no such account.
        """
        require(viewer, Right.ADMINISTER)
        return await self._change(viewer, name, EventKind.ACCOUNT_DISABLED, disabled_at=self._clock())

    async def enable(self, viewer: Viewer, name: str) -> Account:
        """Lets a disabled account be used again. One that is not disabled stays as it is.

        Raises:
            NotFoundError: if there is no such account.
        """
        require(viewer, Right.ADMINISTER)
        return await self._change(viewer, name, EventKind.ACCOUNT_UPDATED, disabled_at=None)

    async def all(self, viewer: Viewer) -> list[ListedAccount]:
        """Everybody's accounts, by name."""
        require(viewer, Right.ADMINISTER)
        accounts = await self._reader.accounts()
        having = await self._reader.having_password([account.id for account in accounts])
        return [ListedAccount(account=account, has_password=account.id in having) for account in accounts]

    async def _change(self, viewer: Viewer, name: str, kind: EventKind, *, disabled_at: datetime | None) -> Account:
        """Disables an account from then on, or enables it, unless it is as it is to be."""
        async with self._unit_of_work() as work:
            account = await _named(work, name)
            if (account.disabled_at is None) is (disabled_at is None):
                return account
            changed = replace(account, disabled_at=disabled_at)
            await work.accounts.save(changed)
            await work.sessions.delete_of(account.id)
            await work.events.append(
                Event(
                    kind=kind,
                    entity_id=account.id,
                    actor=viewer.id,
                    occurred_at=self._clock(),
                    payload={"disabled": changed.disabled_at is not None},
                )
            )
            await work.commit()
        return changed


async def record_new_password(work: UnitOfWork, viewer: Viewer, account_id: UserId, clock: Clock) -> None:
    """Records that an account has a new password."""
    kind = EventKind.ACCOUNT_PASSWORD_SET
    await work.events.append(Event(kind=kind, entity_id=account_id, actor=viewer.id, occurred_at=clock()))


async def _named(work: UnitOfWork, name: str) -> Account:
    account = await work.accounts.find_by_name(name.strip())
    if account is None:
        raise NotFoundError.of(EntityKind.ACCOUNT, field=("name",))
    return account
