"""What passwords need from outside, those of accounts and those of share links."""

from __future__ import annotations

from typing import Protocol


class PasswordHasher(Protocol):
    """A slow hash that takes much memory, with its parameters in what it gives."""

    async def hash(self, password: str) -> str:
        """A hash of the password with a salt of its own.

        Raises:
            UnavailableError: if too many others wait for theirs.
        """
        ...

    async def is_of(self, password_hash: str | None, password: str) -> bool:
        """Whether the hash is of this password. Without a hash it is not, and that takes as long.

        Raises:
            UnavailableError: as `hash`.
        """
        ...

    def is_outdated(self, password_hash: str) -> bool:
        """Whether the hash was made with other parameters than one is now."""
        ...
