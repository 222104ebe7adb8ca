"""Making API tokens, listing and revoking them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gallery.domain.access import (
    GALLERY_ITSELF,
    LOCAL_ADMINISTRATOR,
    Right,
    Role,
    Scope,
    Viewer,
    require,
    require_whole_account,
)
from gallery.domain.account_ports import AccountReader
from gallery.domain.accounts import (
    Account,
    AccountKind,
    ApiToken,
    clean_account_name,
    digest_of,
    new_secret,
    prefix_of,
)
from gallery.domain.errors import ConflictError, ErrorCode, InvalidInputError, NotFoundError
from gallery.domain.events import EntityKind, Event, EventKind
from gallery.domain.ids import TokenId, new_token_id, new_user_id
from gallery.domain.ports import Clock, UnitOfWork, UnitOfWorkFactory
from gallery.services.clock import utc_now

MAX_USABLE_TOKENS: Final = 100
"""How many tokens of use one account may have."""

_FIRST: Final = "first administrator"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToken:
    """A token to make. Without a role it gets that of whoever makes it, without scopes theirs."""

    name: str
    role: Role | None = None
    scopes: Sequence[Scope] = ()
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedToken:
    """A new token with its secret, which nobody can read again."""

    token: ApiToken
    secret: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bounds:
    """What a token may have at most: what its account has, and what the token has by which it is asked for."""

    role: Role
    scopes: tuple[Scope, ...] = ()
    expires_at: datetime | None = None


class TokenService:
    """Use cases of API tokens."""

    def __init__(self, unit_of_work: UnitOfWorkFactory, reader: AccountReader, clock: Clock = utc_now) -> None:
        self._unit_of_work = unit_of_work
        self._reader = reader
        self._clock = clock

    async def create(self, viewer: Viewer, new: NewToken) -> IssuedToken:
        """Makes a token of the viewer's own account, which can do no more, and for no longer, than the viewer can.

        Raises:
            InvalidInputError: if it is to do more, or a value breaks its rule; TOO_MANY_ITEMS if the account has 100.
        """
        require(viewer, Right.READ)
        async with self._unit_of_work() as work:
            account = await work.accounts.get(viewer.id)
            bounds = _Bounds(role=account.role)
            if viewer.token_id is not None:
                shown = await work.tokens.get(viewer.token_id)
                bounds = _Bounds(
                    role=shown.role.at_most(account.role), scopes=shown.scopes, expires_at=shown.expires_at
                )
            issued = await self._issue(work, viewer, account, new, bounds)
            await work.commit()
        return issued

    async def create_for_program(self, viewer: Viewer, new: NewToken) -> IssuedToken:
        """Makes a token for the account of its name; if there is none, one for a program with the role of the token.

        Raises:
            ConflictError: VERSION_CONFLICT if there is an account of that name whose role is too low, or one that is
                disabled.
            InvalidInputError: if a value breaks its rule; TOO_MANY_ITEMS if the account has 100 tokens.
        """
        require(viewer, Right.ADMINISTER)
        name, role, now = clean_account_name(new.name), new.role or Role.VIEWER, self._clock()
        program = Account(id=new_user_id(), name=name, kind=AccountKind.PROGRAM, role=role, created_at=now)
        async with self._unit_of_work() as work:
            account = program
            if await work.accounts.add_unless_there(program):
                await work.events.append(_account_created(viewer, program))
            else:
                account = await work.accounts.find_by_name(name) or program
            if account.disabled_at is not None or not account.role.includes(role):
                state = "disabled" if account.disabled_at is not None else f"{account.role} only"
                message = f"There is an account “{account.name}” already, which is {state}. Choose another name."
                raise ConflictError(ErrorCode.VERSION_CONFLICT, message, field=("name",))
            issued = await self._issue(work, viewer, account, new, _Bounds(role=role))
            await work.commit()
        return issued

    async def revoke(self, viewer: Viewer, token_id: TokenId) -> ApiToken:
        """Makes a token useless: one's own, or whoever's if the viewer administers. Again, it does nothing.

        Raises:
            ForbiddenError: for strangers, and for tokens that may do less than the account.
            NotFoundError: if there is no such token, or it is somebody else's.
        """
        require_whole_account(viewer)
        async with self._unit_of_work() as work:
            token = await work.tokens.get(token_id)
            if token.account_id != viewer.id and Right.ADMINISTER not in viewer.rights:
                raise NotFoundError.of(EntityKind.TOKEN)
            revoked = await self._revoke(work, viewer, token)
            await work.commit()
        return revoked

    async def revoke_by_prefix(self, viewer: Viewer, prefix: str) -> ApiToken:
        """Makes the token with this prefix useless, whoever's it is. Again, it does nothing.

        Raises:
            NotFoundError: if there is no such token.
        """
        require(viewer, Right.ADMINISTER)
        async with self._unit_of_work() as work:
            token = await work.tokens.find_by_prefix(prefix)
            if token is None:
                raise NotFoundError.of(EntityKind.TOKEN)
            revoked = await self._revoke(work, viewer, token)
            await work.commit()
        return revoked

    async def own(self, viewer: Viewer) -> tuple[ApiToken, ...]:
        """The viewer's tokens that were not revoked, the newest first."""
        require(viewer, Right.READ)
        return await self._reader.tokens(viewer.id)

    async def all(self, viewer: Viewer) -> list[tuple[ApiToken, Account]]:
        """Everybody's tokens that were not revoked, the newest first, each with its account."""
        require(viewer, Right.ADMINISTER)
        tokens = await self._reader.tokens()
        accounts = await self._reader.get_many({token.account_id for token in tokens})
        return [(token, accounts[token.account_id]) for token in tokens]

    async def first(self) -> IssuedToken | None:
        """A token of the local administrator, if no administrator ever had one. Of many who ask at once, one gets it.

        Whoever has one can make others.
        """
        async with self._unit_of_work() as work:
            account = await work.accounts.get(LOCAL_ADMINISTRATOR.id)
            if await work.accounts.has_administrator():
                return None
            new = NewToken(name=_FIRST)
            issued = await self._issue(work, GALLERY_ITSELF, account, new, _Bounds(role=account.role))
            await work.commit()
        return issued

    async def _issue(
        self, work: UnitOfWork, viewer: Viewer, account: Account, new: NewToken, bounds: _Bounds
    ) -> IssuedToken:
        """Stores a token of an account, which is locked, and records it."""
        now, secret = self._clock(), new_secret()
        token = ApiToken(
            id=new_token_id(),
            account_id=account.id,
            name=clean_account_name(new.name),
            prefix=prefix_of(secret) or "",
            digest=digest_of(secret),
            role=new.role or bounds.role,
            scopes=tuple(scope for scope in Scope if scope in (new.scopes or bounds.scopes)),
            created_at=now,
            expires_at=new.expires_at or bounds.expires_at,
        )
        _check(token, bounds, now)
        if await work.tokens.count_usable(account.id, now) >= MAX_USABLE_TOKENS:
            message = f"The account has {MAX_USABLE_TOKENS} tokens; no more are made. Revoke one first."
            raise InvalidInputError(ErrorCode.TOO_MANY_ITEMS, message)
        await work.tokens.add(token)
        await work.events.append(_token_created(viewer, token))
        return IssuedToken(token=token, secret=secret)

    async def _revoke(self, work: UnitOfWork, viewer: Viewer, token: ApiToken) -> ApiToken:
        if token.revoked_at is not None:
            return token
        revoked = token.revoked(self._clock())
        await work.tokens.save(revoked)
        await work.events.append(
            Event(
                kind=EventKind.TOKEN_REVOKED,
                entity_id=token.id,
                actor=viewer.id,
                occurred_at=self._clock(),
                payload={"prefix": token.prefix, "account_id": token.account_id.hex},
            )
        )
        return revoked


def _check(token: ApiToken, bounds: _Bounds, now: datetime) -> None:
    """Passes if the token keeps within bounds.

    Raises:
        InvalidInputError: if not.
    """
    if not bounds.role.includes(token.role):
        field, message = "role", f"You are {bounds.role}; a token cannot be more than whoever makes it."
    elif bounds.scopes and not set(token.scopes) <= set(bounds.scopes):
        field, message = "scopes", f"A token made by yours is held to the same scopes: {', '.join(bounds.scopes)}."
    elif token.expires_at is not None and token.expires_at <= now:
        field, message = "expiresAt", "The token would have expired already. Choose a later time."
    elif bounds.expires_at is not None and token.expires_at is not None and token.expires_at > bounds.expires_at:
        field, message = "expiresAt", f"A token made by yours expires with it, at {bounds.expires_at:%F %T} UTC."
    else:
        return
    raise InvalidInputError(ErrorCode.INVALID_INPUT, message, field=(field,))


def _account_created(viewer: Viewer, account: Account) -> Event:
    return Event(
        kind=EventKind.ACCOUNT_CREATED,
        entity_id=account.id,
        actor=viewer.id,
        occurred_at=account.created_at,
        payload={"name": account.name, "kind": account.kind, "role": account.role},
    )


def _token_created(viewer: Viewer, token: ApiToken) -> Event:
    return Event(
        kind=EventKind.TOKEN_CREATED,
        entity_id=token.id,
        actor=viewer.id,
        occurred_at=token.created_at,
        payload={
            "name": token.name,
            "prefix": token.prefix,
            "account_id": token.account_id.hex,
            "role": token.role,
            "scopes": list(token.scopes),
            "expires_at": None if token.expires_at is None else token.expires_at.isoformat(),
        },
    )
