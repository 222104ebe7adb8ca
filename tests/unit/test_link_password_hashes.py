"""What is kept of the passwords of share links: Argon2id, with a salt of its own for each."""

from __future__ import annotations

import asyncio

import pytest

from gallery.platform.link_passwords import Argon2Hashing

PASSWORD = "Gr\u00f6\u00dfe ist relativ"  # no secret


async def test_a_password_is_kept_as_argon2id_with_a_salt() -> None:
    hashing = Argon2Hashing()

    one, other = await asyncio.gather(hashing.hash(PASSWORD), hashing.hash(PASSWORD))

    assert one != other
    for kept in (one, other):
        assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
        assert PASSWORD not in kept
        assert await hashing.is_right(PASSWORD, kept)
        assert not await hashing.is_right(PASSWORD.upper(), kept)


@pytest.mark.parametrize("kept", ["", "hash", "$argon2id$v=19$m=19456,t=2,p=1$"], ids=["nothing", "text", "cut off"])
async def test_what_is_no_hash_is_of_no_password(kept: str) -> None:
    assert not await Argon2Hashing().is_right(PASSWORD, kept)
