"""Argon2id (RFC 9106), in threads of its own: it takes time and memory, which is its point."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_AT_ONCE: Final = 2
"""How many hashes are made at once in a process; others wait. Each takes 19 MiB and some 20 ms."""

_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
"""What OWASP's cheat sheet on storing passwords asks for at least."""


class Argon2Hashing:
    """As the port says."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="argon2")

    async def hash(self, password: str) -> str:
        """As the port says."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, _HASHER.hash, password)

    async def is_right(self, password: str, password_hash: str) -> bool:
        """As the port says."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, _is_right, password, password_hash)


def _is_right(password: str, password_hash: str) -> bool:
    try:
        return _HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False
