"""Accounts and API tokens in memory: the repositories of a unit of work, and the reader."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import datetime

from gallery.domain.access import Role
from gallery.domain.accounts import Account, ApiToken, account_key
from gallery.domain.errors import NotFoundError, UnavailableError
from gallery.domain.events import EntityKind
from gallery.domain.ids import TokenId, UserId
from tests.fakes.database import MemoryDatabase, Tables, Transaction


class MemoryAccountRepository:
    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def get(self, account_id: UserId) -> Account:
        found = await self._find(lambda account: account.id == account_id)
        if found is None:
            raise NotFoundError.of(EntityKind.ACCOUNT)
        return found

    async def find_by_name(self, name: str) -> Account | None:
        return await self._find(lambda account: account_key(account.name) == account_key(name))

    async def find_by_subject(self, issuer: str, subject: str) -> Account | None:
        return await self._find(lambda account: (account.issuer, account.subject) == (issuer, subject))

    async def add_unless_there(self, account: Account) -> bool:
        await self._transaction.lock(("account", account_key(account.name)))
        if account.issuer is not None:
            await self._transaction.lock(("account", account.issuer, account.subject))
        if any(_is_same(account, other) for other in self._transaction.tables.accounts.values()):
            return False
        self._put(account)
        return True

    async def save(self, account: Account) -> None:
        if account.id not in self._transaction.tables.accounts:
            raise NotFoundError.of(EntityKind.ACCOUNT)
        await self._transaction.lock(account.id)
        self._put(account)

    async def has_administrator(self) -> bool:
        tables = self._transaction.tables
        holders = {token.account_id for token in tables.tokens.values() if token.role is Role.ADMINISTRATOR}
        return any(
            account.role is Role.ADMINISTRATOR
            and (account.issuer is not None or account.id in holders or account.id in tables.passwords)
            for account in tables.accounts.values()
        )

    async def _find(self, is_meant: Callable[[Account], bool]) -> Account | None:
        for account in self._transaction.tables.accounts.values():
            if is_meant(account):
                await self._transaction.lock(account.id)
                return self._transaction.tables.accounts[account.id]
        return None

    def _put(self, account: Account) -> None:
        self._transaction.change(lambda tables: tables.accounts.update({account.id: account}))


class MemoryTokenRepository:
    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def get(self, token_id: TokenId) -> ApiToken:
        if token_id not in self._transaction.tables.tokens:
            raise NotFoundError.of(EntityKind.TOKEN)
        await self._transaction.lock(token_id)
        return self._transaction.tables.tokens[token_id]

    async def find_by_prefix(self, prefix: str) -> ApiToken | None:
        found = [token.id for token in self._transaction.tables.tokens.values() if token.prefix == prefix]
        return await self.get(found[0]) if found else None

    async def count_usable(self, account_id: UserId, now: datetime) -> int:
        tokens = self._transaction.tables.tokens.values()
        return sum(token.account_id == account_id and token.is_usable(now) for token in tokens)

    async def add(self, token: ApiToken) -> None:
        self._put(token)

    async def save(self, token: ApiToken) -> None:
        stored = await self.get(token.id)
        self._put(replace(token, last_used_at=stored.last_used_at))

    async def touch(self, token_id: TokenId, now: datetime) -> None:
        def change(tables: Tables) -> None:
            token = tables.tokens.get(token_id)
            if token is not None and (token.last_used_at is None or token.last_used_at < now):
                tables.tokens[token_id] = replace(token, last_used_at=now)

        self._transaction.change(change)

    def _put(self, token: ApiToken) -> None:
        self._transaction.change(lambda tables: tables.tokens.update({token.id: token}))


class MemoryAccountReader:
    """Keeps which tokens were looked for, and counts all that it is asked."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self.lookups: list[set[str]] = []
        self.reads = 0

    async def get_many(self, account_ids: Collection[UserId]) -> dict[UserId, Account]:
        return {id_: account for id_, account in self._tables.accounts.items() if id_ in account_ids}

    async def tokens_by_prefix(self, prefixes: Collection[str]) -> dict[str, tuple[ApiToken, Account]]:
        self.lookups.append(set(prefixes))
        tables = self._tables
        return {
            token.prefix: (token, tables.accounts[token.account_id])
            for token in tables.tokens.values()
            if token.prefix in prefixes
        }

    async def tokens(self, account_id: UserId | None = None) -> tuple[ApiToken, ...]:
        found = [
            token
            for token in self._tables.tokens.values()
            if token.revoked_at is None and account_id in {None, token.account_id}
        ]
        return tuple(sorted(found, key=lambda token: (-token.created_at.timestamp(), token.id)))

    @property
    def _tables(self) -> Tables:
        self.reads += 1
        if self._database.unavailable:
            service = "database"
            raise UnavailableError(service)
        return self._database.committed


def _is_same(account: Account, other: Account) -> bool:
    """Whether the two cannot be there at once."""
    has_its_name = account_key(account.name) == account_key(other.name)
    return has_its_name or (
        account.issuer is not None and (account.issuer, account.subject) == (other.issuer, other.subject)
    )
