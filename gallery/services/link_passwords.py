"""Passwords of share links: a slow hash, and few guesses."""

from __future__ import annotations

import math
import time
import unicodedata
from collections.abc import Callable
from datetime import datetime
from typing import Final

from gallery.domain.accounts import digest_of
from gallery.domain.errors import PasswordRequiredError, RateLimitedError, UnavailableError
from gallery.domain.ids import ShareLinkId
from gallery.domain.password_ports import PasswordHasher
from gallery.domain.ports import UnitOfWorkFactory
from gallery.domain.share_links import PASSWORD_MAX_CHARACTERS, GuessLimit, ShareLink
from gallery.services.remembered import Remembered

_LIMIT: Final = GuessLimit()

_Right = tuple[ShareLinkId, str, bytes]


class LinkPasswords:
    """Tells whether a password opens a link.

    A guess is counted before it is looked at, in the database: however many processes are asked at once, no more are
    looked at than the limit says. One that was right is taken back, and remembered for some seconds.
    """

    def __init__(
        self,
        unit_of_work: UnitOfWorkFactory,
        hasher: PasswordHasher,
        *,
        limit: GuessLimit = _LIMIT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._unit_of_work = unit_of_work
        self._hasher = hasher
        self._limit = limit
        self._known: Remembered[_Right, bool] = Remembered(clock)

    async def check(self, link: ShareLink, password: str | None, now: datetime) -> None:
        """Passes the password of the link, and whatever is given for a link that has none.

        Raises:
            PasswordRequiredError: for none, or a wrong one.
            RateLimitedError: if there were too many wrong ones lately; then a right one is not looked at either.
            UnavailableError: if too many passwords are being looked at; that is no guess.
        """
        if link.password_hash is None:
            return
        if not password or len(password) > PASSWORD_MAX_CHARACTERS:
            raise PasswordRequiredError
        normal = unicodedata.normalize("NFC", password)
        key = link.id, link.password_hash, digest_of(normal)
        if self._known.get(key):
            return
        await self._take_guess(link.id, now)
        if not await self._is_right(link.id, link.password_hash, normal):
            raise PasswordRequiredError
        await self._return_guess(link.id)
        self._known.keep(key, True)  # noqa: FBT003  # the value, no flag

    async def _is_right(self, link_id: ShareLinkId, password_hash: str, password: str) -> bool:
        try:
            return await self._hasher.is_of(password_hash, password)
        except UnavailableError:
            await self._return_guess(link_id)
            raise

    async def _take_guess(self, link_id: ShareLinkId, now: datetime) -> None:
        async with self._unit_of_work() as work:
            until = await work.share_links.take_guess(link_id, now, self._limit)
            await work.commit()
        if until is not None:
            seconds = max(1, math.ceil((until - now).total_seconds()))
            message = "There were too many wrong passwords for this link."
            raise RateLimitedError(message, retry_after_seconds=seconds)

    async def _return_guess(self, link_id: ShareLinkId) -> None:
        async with self._unit_of_work() as work:
            await work.share_links.return_guess(link_id)
            await work.commit(durable=False)
