"""Tokens by their prefixes, as `directory.py` finds things."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from gallery.domain.access import Viewer
from gallery.domain.account_ports import AccountReader
from gallery.domain.accounts import Account, ApiToken
from gallery.services.directory import MOST_AT_ONCE, PAUSE_SECONDS, Directory

__all__ = ["MOST_AT_ONCE", "PAUSE_SECONDS", "KnownToken", "TokenDirectory"]


@dataclass(slots=True, kw_only=True)
class KnownToken:
    """A token as the database had it, and who shows it. `use_is_noted` once somebody sees to it."""

    token: ApiToken
    account: Account
    viewer: Viewer
    use_is_noted: bool = False


class TokenDirectory(Directory[str, KnownToken]):
    """Finds tokens by their prefixes, useless ones too."""

    def __init__(
        self,
        reader: AccountReader,
        *,
        pause_seconds: float = PAUSE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        async def read(prefixes: Collection[str]) -> dict[str, KnownToken]:
            found = await reader.tokens_by_prefix(prefixes)
            return {
                prefix: KnownToken(token=token, account=account, viewer=token.viewer(account))
                for prefix, (token, account) in found.items()
            }

        super().__init__(read, pause_seconds=pause_seconds, clock=clock)
