"""What is needed from outside to know who asks, as Protocols."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from gallery.domain.accounts import Account, ApiToken, Vouched
from gallery.domain.ids import TokenId, UserId


class AccountRepository(Protocol):
    """The accounts of a unit of work."""

    async def get(self, account_id: UserId) -> Account:
        """The account, locked until the transaction ends.

        Raises:
            NotFoundError: if there is none.
        """
        ...

    async def find_by_name(self, name: str) -> Account | None:
        """The account of this name, whatever its case; locked until the transaction ends."""
        ...

    async def find_by_subject(self, issuer: str, subject: str) -> Account | None:
        """The account for which this issuer vouches under this name; locked until the transaction ends."""
        ...

    async def add_unless_there(self, account: Account) -> bool:
        """Stores a new account unless there is one of its name or subject; answers with whether it did.

        Safe against others who add the same one at the same time.
        """
        ...

    async def save(self, account: Account) -> None:
        """Stores a changed account.

        Raises:
            NotFoundError: if there is none.
        """
        ...

    async def has_administrator(self) -> bool:
        """Whether an administrator was ever given a token of that role, has a password, or is vouched for by others."""
        ...


class TokenRepository(Protocol):
    """The API tokens of a unit of work."""

    async def get(self, token_id: TokenId) -> ApiToken:
        """The token, locked until the transaction ends.

        Raises:
            NotFoundError: if there is none.
        """
        ...

    async def find_by_prefix(self, prefix: str) -> ApiToken | None:
        """The token with this prefix, locked until the transaction ends."""
        ...

    async def count_usable(self, account_id: UserId, now: datetime) -> int:
        """How many tokens of an account are of use."""
        ...

    async def add(self, token: ApiToken) -> None:
        """Stores a new token."""
        ...

    async def save(self, token: ApiToken) -> None:
        """Stores a changed token, but for when it was used.

        Raises:
            NotFoundError: if there is none.
        """
        ...

    async def touch(self, token_id: TokenId, now: datetime) -> None:
        """Notes that a token was used, unless a later use is noted. One that is not there does not matter."""
        ...


class AccountReader(Protocol):
    """Accounts and their tokens, for looking."""

    async def get_many(self, account_ids: Collection[UserId]) -> dict[UserId, Account]:
        """Those of the accounts that exist."""
        ...

    async def tokens_by_prefix(self, prefixes: Collection[str]) -> dict[str, tuple[ApiToken, Account]]:
        """Those of the tokens that exist, useless ones too, each with its account."""
        ...

    async def tokens(self, account_id: UserId | None = None) -> tuple[ApiToken, ...]:
        """The tokens of an account, or all, that were not revoked; the newest first."""
        ...


class IdentityVerifier(Protocol):
    """Tells whom another service vouches for."""

    async def verify(self, credential: str) -> Vouched:
        """What the credential says, if it is to be believed.

        Raises:
            RefusedCredentialError: if it is not, with the reason.
            UnavailableError: if the service is needed to tell, and does not answer.
        """
        ...
