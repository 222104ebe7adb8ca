"""Accounts and their API tokens in PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Select, any_, bindparam, exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY, TEXT, insert
from sqlalchemy.ext.asyncio import AsyncEngine

from gallery.domain.access import Role
from gallery.domain.accounts import Account, ApiToken, account_key
from gallery.domain.errors import NotFoundError
from gallery.domain.events import EntityKind
from gallery.domain.ids import TokenId, UserId
from gallery.platform.database.rows import (
    ACCOUNT_COLUMNS,
    TOKEN_COLUMNS,
    account_from_row,
    account_values,
    token_from_row,
    token_values,
)
from gallery.platform.database.statements import Reading, Transaction, among_ids, ids
from gallery.platform.database.tables import ACCOUNTS, PASSWORDS, TOKENS

_ACCOUNTS: Final = select(*ACCOUNT_COLUMNS)
_TOKENS: Final = select(*TOKEN_COLUMNS)
_UNREVOKED: Final = _TOKENS.where(TOKENS.c.revoked_at.is_(None)).order_by(TOKENS.c.created_at.desc(), TOKENS.c.id)
_BY_PREFIXES: Final = (
    select(*TOKEN_COLUMNS, *ACCOUNT_COLUMNS)
    .join_from(TOKENS, ACCOUNTS)
    .where(TOKENS.c.prefix == any_(bindparam("prefixes", type_=ARRAY(TEXT))))
)
_IS_ADMINISTRATOR: Final = ACCOUNTS.c.role == Role.ADMINISTRATOR
_HAS_ADMINISTRATOR: Final = select(
    exists().where(
        _IS_ADMINISTRATOR,
        or_(
            ACCOUNTS.c.issuer.is_not(None),
            exists().where(TOKENS.c.account_id == ACCOUNTS.c.id, TOKENS.c.role == Role.ADMINISTRATOR),
            exists().where(PASSWORDS.c.account_id == ACCOUNTS.c.id),
        ),
    )
)
_COUNT_USABLE: Final = (
    select(func.count())
    .select_from(TOKENS)
    .where(
        TOKENS.c.account_id == bindparam("account"),
        TOKENS.c.revoked_at.is_(None),
        or_(TOKENS.c.expires_at.is_(None), TOKENS.c.expires_at > bindparam("now")),
    )
)
_TOUCH: Final = (
    update(TOKENS)
    .where(
        TOKENS.c.id == bindparam("of_id"),
        or_(TOKENS.c.last_used_at.is_(None), TOKENS.c.last_used_at < bindparam("now")),
    )
    .values(last_used_at=bindparam("now"))
)


class SqlAccountRepository:
    """The accounts of a transaction."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def get(self, account_id: UserId) -> Account:
        """As the port says."""
        if (account := await self._find(ACCOUNTS.c.id == account_id)) is None:
            raise NotFoundError.of(EntityKind.ACCOUNT)
        return account

    async def find_by_name(self, name: str) -> Account | None:
        """As the port says."""
        return await self._find(ACCOUNTS.c.key == account_key(name))

    async def find_by_subject(self, issuer: str, subject: str) -> Account | None:
        """As the port says."""
        return await self._find(ACCOUNTS.c.issuer == issuer, ACCOUNTS.c.subject == subject)

    async def add_unless_there(self, account: Account) -> bool:
        """As the port says."""
        adding = insert(ACCOUNTS).values(account_values(account)).on_conflict_do_nothing().returning(ACCOUNTS.c.id)
        return bool(await self._transaction.rows(adding))

    async def save(self, account: Account) -> None:
        """As the port says."""
        saving = update(ACCOUNTS).where(ACCOUNTS.c.id == account.id).values(account_values(account))
        if not await self._transaction.run(saving):
            raise NotFoundError.of(EntityKind.ACCOUNT)

    async def has_administrator(self) -> bool:
        """As the port says."""
        return bool((await self._transaction.rows(_HAS_ADMINISTRATOR))[0][0])

    async def _find(self, *conditions: ColumnElement[bool]) -> Account | None:
        rows = await self._transaction.rows(_ACCOUNTS.where(*conditions).with_for_update())
        return account_from_row(rows[0]) if rows else None


class SqlTokenRepository:
    """The API tokens of a transaction."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def get(self, token_id: TokenId) -> ApiToken:
        """As the port says."""
        if (token := await self._find(TOKENS.c.id == token_id)) is None:
            raise NotFoundError.of(EntityKind.TOKEN)
        return token

    async def find_by_prefix(self, prefix: str) -> ApiToken | None:
        """As the port says."""
        return await self._find(TOKENS.c.prefix == prefix)

    async def count_usable(self, account_id: UserId, now: datetime) -> int:
        """As the port says."""
        rows = await self._transaction.rows(_COUNT_USABLE, {"account": account_id, "now": now})
        return int(rows[0][0])

    async def add(self, token: ApiToken) -> None:
        """As the port says."""
        await self._transaction.run(insert(TOKENS).values(token_values(token)))

    async def save(self, token: ApiToken) -> None:
        """As the port says."""
        values = token_values(token)
        del values["last_used_at"]
        if not await self._transaction.run(update(TOKENS).where(TOKENS.c.id == token.id).values(values)):
            raise NotFoundError.of(EntityKind.TOKEN)

    async def touch(self, token_id: TokenId, now: datetime) -> None:
        """As the port says."""
        await self._transaction.run(_TOUCH, {"of_id": token_id, "now": now})

    async def _find(self, condition: ColumnElement[bool]) -> ApiToken | None:
        rows = await self._transaction.rows(_TOKENS.where(condition).with_for_update())
        return token_from_row(rows[0]) if rows else None


class SqlAccountReader:
    """As the port says."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._alone = Reading(engine)

    async def get_many(self, account_ids: Collection[UserId]) -> dict[UserId, Account]:
        """As the port says."""
        rows = await self._alone.rows(_ACCOUNTS.where(among_ids(ACCOUNTS.c.id)), ids(account_ids))
        return {account.id: account for account in map(account_from_row, rows)}

    async def tokens_by_prefix(self, prefixes: Collection[str]) -> dict[str, tuple[ApiToken, Account]]:
        """As the port says."""
        rows = await self._alone.rows(_BY_PREFIXES, {"prefixes": list(prefixes)})
        found = ((token_from_row(row), account_from_row(row[len(TOKEN_COLUMNS) :])) for row in rows)
        return {token.prefix: (token, account) for token, account in found}

    async def tokens(self, account_id: UserId | None = None) -> tuple[ApiToken, ...]:
        """As the port says."""
        return tuple(map(token_from_row, await self._alone.rows(_tokens_of(account_id))))


def _tokens_of(account_id: UserId | None) -> Select[*tuple[object, ...]]:
    return _UNREVOKED if account_id is None else _UNREVOKED.where(TOKENS.c.account_id == account_id)
