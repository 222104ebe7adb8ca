"""Accounts, as those who use them see them."""

from __future__ import annotations

from dataclasses import dataclass

from gallery.domain.access import Role, Scope, Viewer, require_account
from gallery.domain.account_ports import AccountReader
from gallery.domain.accounts import Account, ApiToken
from gallery.domain.errors import NotFoundError
from gallery.domain.events import EntityKind


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnAccount:
    """The account of a viewer, the tokens that it has, and the one that the viewer showed."""

    account: Account
    tokens: tuple[ApiToken, ...]
    shown: ApiToken | None

    @property
    def role(self) -> Role:
        """The role that counts: the lower one of account and token."""
        return self.account.role if self.shown is None else self.shown.role.at_most(self.account.role)

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """To what the rights of the role are held."""
        return () if self.shown is None else self.shown.scopes


class AccountService:
    """Use cases of accounts."""

    def __init__(self, reader: AccountReader) -> None:
        self._reader = reader

    async def own(self, viewer: Viewer) -> OwnAccount:
        """The viewer's account.

        Raises:
            ForbiddenError: for a stranger, who has none.
            NotFoundError: if the viewer has none.
        """
        require_account(viewer)
        account = (await self._reader.get_many([viewer.id])).get(viewer.id)
        if account is None:
            raise NotFoundError.of(EntityKind.ACCOUNT)
        tokens = await self._reader.tokens(viewer.id)
        shown = next((token for token in tokens if token.id == viewer.token_id), None)
        return OwnAccount(account=account, tokens=tokens, shown=shown)
