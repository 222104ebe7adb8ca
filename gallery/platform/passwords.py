"""Hashes of passwords by Argon2id (RFC 9106), with the parameters that OWASP recommends.

One hash takes 19 MiB of memory and some hundredths of a second of a core. One hasher serves a whole process, for
accounts and share links: two are made at a time, and fifty may wait. So whoever floods the gallery with passwords takes
no more of either.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from gallery.domain.errors import UnavailableError

T = TypeVar("T")

_AT_ONCE: Final = 2
_MOST_WAITING: Final = 50
_SERVICE: Final = "check of passwords"
_DECOY: Final = "nobody's password"


class Argon2Hasher:
    """As the port says."""

    def __init__(self, *, memory_kib: int = 19 * 1024, rounds: int = 2, most_waiting: int = _MOST_WAITING) -> None:
        self._hasher = PasswordHasher(time_cost=rounds, memory_cost=memory_kib, parallelism=1)
        self._most_waiting = most_waiting
        self._waiting = 0
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="argon2")
        self._decoy: str | None = None

    async def hash(self, password: str) -> str:
        """As the port says."""
        return await self._in_thread(partial(self._hasher.hash, password))

    async def is_of(self, password_hash: str | None, password: str) -> bool:
        """As the port says."""
        if self._decoy is None:
            self._decoy = await self.hash(_DECOY)
        is_it = await self._in_thread(partial(self._verify, password_hash or self._decoy, password))
        return is_it and password_hash is not None

    def is_outdated(self, password_hash: str) -> bool:
        """As the port says."""
        try:
            return self._hasher.check_needs_rehash(password_hash)
        except InvalidHashError:
            return True

    def _verify(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except (Argon2Error, InvalidHashError):
            return False

    async def _in_thread(self, work: Callable[[], T]) -> T:
        async with self._turn():
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        if self._waiting >= self._most_waiting:
            raise UnavailableError(_SERVICE)
        self._waiting += 1
        try:
            async with self._turns:
                yield
        finally:
            self._waiting -= 1
