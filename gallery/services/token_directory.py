"""Tokens by their prefixes, remembered for a few seconds and asked for together.

Guessing costs the database next to nothing: whatever many strangers make up at once is one statement, at most every so
often, and who has a token of the gallery waits for no more than that.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gallery.domain.access import Viewer
from gallery.domain.account_ports import AccountReader
from gallery.domain.accounts import Account, ApiToken
from gallery.services.remembered import Remembered

PAUSE_SECONDS: Final = 0.02
"""How long after one statement the next is sent."""

MOST_AT_ONCE: Final = 500


@dataclass(slots=True, kw_only=True)
class KnownToken:
    """A token as the database had it, and who shows it. `use_is_noted` once somebody sees to it."""

    token: ApiToken
    account: Account
    viewer: Viewer
    use_is_noted: bool = False


class TokenDirectory:
    """Finds tokens.

    Those that exist are remembered apart from prefixes that nobody has, so that these cannot drive them out.
    """

    def __init__(
        self,
        reader: AccountReader,
        *,
        pause_seconds: float = PAUSE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reader = reader
        self._pause_seconds = pause_seconds
        self._known: Remembered[str, KnownToken] = Remembered(clock)
        self._unknown: Remembered[str, bool] = Remembered(clock)
        self._wanted: dict[str, asyncio.Future[KnownToken | None]] = {}
        self._reading: asyncio.Task[None] | None = None
        self._forgotten = 0

    async def find(self, prefix: str) -> KnownToken | None:
        """The token with this prefix, useless ones too.

        Raises:
            UnavailableError: if the database does not answer.
        """
        known = self._known.get(prefix)
        if known is not None or self._unknown.get(prefix):
            return known
        if (wanted := self._wanted.get(prefix)) is None:
            wanted = self._wanted[prefix] = asyncio.get_running_loop().create_future()
            if self._reading is None:
                self._reading = asyncio.create_task(self._read_all())
        return await asyncio.shield(wanted)

    def forget(self) -> None:
        """Remembers no token any more: one was revoked. What is being read was read too early to be remembered."""
        self._forgotten += 1
        self._known.clear()

    async def _read_all(self) -> None:
        try:
            while self._wanted:
                batch = {prefix: self._wanted.pop(prefix) for prefix in list(self._wanted)[:MOST_AT_ONCE]}
                await self._read(batch)
                await asyncio.sleep(self._pause_seconds)
        finally:
            self._reading = None

    async def _read(self, batch: dict[str, asyncio.Future[KnownToken | None]]) -> None:
        forgotten = self._forgotten
        try:
            found = await self._reader.tokens_by_prefix(batch)
        except Exception as error:  # noqa: BLE001  # told to those who wait, whatever it is
            for wanted in batch.values():
                wanted.set_exception(error)
            return
        for prefix, wanted in batch.items():
            if (pair := found.get(prefix)) is None:
                self._unknown.keep(prefix, True)  # noqa: FBT003  # the value, no flag
                wanted.set_result(None)
                continue
            token, account = pair
            known = KnownToken(token=token, account=account, viewer=token.viewer(account))
            if forgotten == self._forgotten:
                self._known.keep(prefix, known)
            wanted.set_result(known)
