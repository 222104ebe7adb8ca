"""Which objects a listing has shown, in the same memory for a thousand as for a hundred million: a Bloom filter.

It never forgets what it was shown. It may take something for seen that was not: at 8 bits an object in 3 % of cases, at
32 in six of a million. Every filter errs about others, since it has a salt of its own; so what one sweep overlooks, the
next one finds.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator

_HASHES = 8
_BYTES_OF_HASH = 4


class SeenPaths:
    """The paths and sizes of objects. `size_bytes` is rounded up to a power of two."""

    def __init__(self, size_bytes: int = 16 * 1024 * 1024) -> None:
        self._bits = bytearray(1 << (size_bytes - 1).bit_length())
        self._mask = 8 * len(self._bits) - 1
        self._salt = os.urandom(hashlib.blake2b.SALT_SIZE)

    def add(self, storage_path: str, size_bytes: int) -> None:
        """Remembers an object."""
        for bit in self._places(storage_path, size_bytes):
            self._bits[bit >> 3] |= 1 << (bit & 7)

    def __contains__(self, path_and_size: tuple[str, int]) -> bool:
        return all(self._bits[bit >> 3] & 1 << (bit & 7) for bit in self._places(*path_and_size))

    def _places(self, storage_path: str, size_bytes: int) -> Iterator[int]:
        name = f"{size_bytes}:{storage_path}".encode()
        digest = hashlib.blake2b(name, digest_size=_HASHES * _BYTES_OF_HASH, salt=self._salt).digest()
        for start in range(0, len(digest), _BYTES_OF_HASH):
            yield int.from_bytes(digest[start : start + _BYTES_OF_HASH]) & self._mask
