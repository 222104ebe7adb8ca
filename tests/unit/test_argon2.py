"""Hashes of passwords: their parameters, and what a flood of passwords takes."""

from __future__ import annotations

import asyncio
import threading

import pytest

from gallery.domain.errors import UnavailableError
from gallery.platform.passwords import Argon2Hasher

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def cheap() -> Argon2Hasher:
    return Argon2Hasher(memory_kib=64, rounds=1)


async def test_parameters_are_those_that_owasp_recommends() -> None:
    assert (await Argon2Hasher().hash(PASSWORD)).startswith("$argon2id$v=19$m=19456,t=2,p=1$")


async def test_a_hash_is_of_its_password_alone_and_has_a_salt(cheap: Argon2Hasher) -> None:
    first, second = await cheap.hash(PASSWORD), await cheap.hash(PASSWORD)

    assert first != second
    assert PASSWORD not in first
    assert [await cheap.is_of(hashed, PASSWORD) for hashed in (first, second)] == [True, True]
    assert not await cheap.is_of(first, PASSWORD + " ")
    assert not await cheap.is_of(first, "")


async def test_without_a_hash_the_same_work_is_done_for_nothing(cheap: Argon2Hasher) -> None:
    looked = []
    verify = cheap._verify

    def watched(password_hash: str, password: str) -> bool:
        looked.append((password_hash.rpartition("$")[0].rpartition("$")[0], password))
        return verify(password_hash, password)

    cheap._verify = watched  # type: ignore[method-assign]  # to see what is worked on
    try:
        hashed = await cheap.hash(PASSWORD)
        answers = [await cheap.is_of(hashed, PASSWORD), await cheap.is_of(None, PASSWORD)]
        decoys = [await cheap.is_of(None, "nobody's password")]
    finally:
        del cheap._verify

    assert answers == [True, False]
    assert decoys == [False]
    assert looked[0] == looked[1]


@pytest.mark.parametrize("hashed", ["", "plain text", "$argon2id$v=19$m=64,t=1,p=1$broken"])
async def test_what_is_no_hash_is_of_no_password(cheap: Argon2Hasher, hashed: str) -> None:
    assert not await cheap.is_of(hashed or "x", PASSWORD)
    assert cheap.is_outdated(hashed)


async def test_a_hash_of_other_parameters_is_right_and_outdated(cheap: Argon2Hasher) -> None:
    older = await Argon2Hasher(memory_kib=32, rounds=1).hash(PASSWORD)

    assert await cheap.is_of(older, PASSWORD)
    assert cheap.is_outdated(older)
    assert not cheap.is_outdated(await cheap.hash(PASSWORD))


class Held(Argon2Hasher):
    """Hashes that are made when the test says so."""

    def __init__(self) -> None:
        super().__init__(memory_kib=64, rounds=1, most_waiting=5)
        self.go_on = threading.Event()
        self.under_way = 0
        self.most_under_way = 0
        self._lock = threading.Lock()

    def _verify(self, password_hash: str, password: str) -> bool:
        with self._lock:
            self.under_way += 1
            self.most_under_way = max(self.most_under_way, self.under_way)
        assert self.go_on.wait(20)
        with self._lock:
            self.under_way -= 1
        return super()._verify(password_hash, password)


async def test_two_are_made_at_a_time_and_five_wait_at_most() -> None:
    held = Held()
    hashed = await held.hash(PASSWORD)
    held._decoy = hashed
    waiting = [asyncio.create_task(held.is_of(hashed, PASSWORD)) for _ in range(5)]
    async with asyncio.timeout(20):
        while held.under_way < 2:  # noqa: ASYNC110  # threads tell no loop
            await asyncio.sleep(0.01)

    with pytest.raises(UnavailableError):
        await held.is_of(hashed, PASSWORD)
    held.go_on.set()

    assert await asyncio.gather(*waiting) == [True] * 5
    assert held.most_under_way == 2
    assert await held.is_of(hashed, PASSWORD)
