"""How often somebody may be wrong about a password, and whom that does not concern."""

from __future__ import annotations

import pytest

from gallery.domain.errors import ErrorCode, TooManyAttemptsError
from gallery.platform.counters import LocalCounters
from gallery.services.attempts import Attempts
from tests.entities import NOON
from tests.fakes.clock import StandingClock

HOME, AWAY = "192.0.2.1", "198.51.100.7"


class Door:
    def __init__(self) -> None:
        self.clock = StandingClock(NOON)
        self.counters = LocalCounters(clock=self.clock.monotonic)
        self.attempts = Attempts(self.counters, self.clock)

    async def wrong(self, name: str = "ada", address: str = HOME, times: int = 1) -> int:
        """How many of so many wrong attempts were let through."""
        passed = 0
        for _ in range(times):
            try:
                async with self.attempts.attempt(name, address):
                    passed += 1
            except TooManyAttemptsError:
                break
        return passed

    async def right(self, name: str = "ada", address: str = HOME) -> None:
        async with self.attempts.attempt(name, address) as attempt:
            attempt.right()


@pytest.fixture
def door() -> Door:
    return Door()


async def test_five_wrong_ones_a_minute_are_let_through(door: Door) -> None:
    door.clock.advance(minutes=0.25)
    assert await door.wrong(times=10) == 5

    with pytest.raises(TooManyAttemptsError) as refused:
        await door.right()

    assert refused.value.code is ErrorCode.TOO_MANY_ATTEMPTS
    assert refused.value.retry_after_seconds == 45
    assert refused.value.message == "There were too many wrong attempts. Try again in 45 seconds."
    door.clock.advance(minutes=0.75)
    assert await door.wrong(times=10) == 5


async def test_thirty_wrong_ones_an_hour_are_let_through(door: Door) -> None:
    for _ in range(6):
        assert await door.wrong(times=5) == 5
        door.clock.advance(minutes=1)

    with pytest.raises(TooManyAttemptsError) as refused:
        await door.right()

    assert refused.value.retry_after_seconds == 54 * 60
    door.clock.advance(minutes=54)
    await door.right()


async def test_another_address_and_another_name_have_attempts_of_their_own(door: Door) -> None:
    await door.wrong(times=10)

    assert await door.wrong(address=AWAY, times=10) == 5
    assert await door.wrong(name="bob", times=10) == 5


async def test_one_address_has_sixty_attempts_a_minute_at_all_names(door: Door) -> None:
    passed = [await door.wrong(name=f"name {number}", times=5) for number in range(20)]

    assert sum(passed) == 60
    assert await door.wrong(name="ada", address=AWAY) == 1


async def test_one_name_has_twenty_attempts_a_minute_from_all_addresses(door: Door) -> None:
    passed = [await door.wrong(address=f"203.0.113.{number}", times=5) for number in range(10)]

    assert sum(passed) == 20
    door.clock.advance(minutes=1)
    await door.right(address="203.0.113.99")


async def test_who_is_refused_uses_up_nothing_of_others(door: Door) -> None:
    for _ in range(5):
        await door.wrong(times=50)  # 5 of each are let through once, and none of the others counts for the name

    assert [await door.wrong(address=f"203.0.113.{number}", times=5) for number in range(3)] == [5, 5, 5]


async def test_nobody_keeps_out_who_has_signed_in_from_there_before(door: Door) -> None:
    await door.right()
    for number in range(10):
        await door.wrong(address=f"203.0.113.{number}", times=5)
    assert await door.wrong(address=AWAY) == 0

    await door.right()
    door.clock.advance(minutes=31 * 24 * 60)
    for number in range(10):
        await door.wrong(address=f"203.0.113.{number}", times=5)

    assert await door.wrong() == 0


async def test_right_ones_do_not_count(door: Door) -> None:
    for _ in range(100):
        await door.right()

    assert await door.wrong(times=10) == 5


async def test_what_was_not_looked_at_does_not_count(door: Door) -> None:
    for _ in range(100):
        async with door.attempts.attempt("ada", HOME) as attempt:
            attempt.void()

    assert await door.wrong(times=10) == 5
    for number in range(10):
        await door.wrong(address=f"203.0.113.{number}", times=5)
    assert await door.wrong(address=AWAY) == 0  # nor is the address known by it


async def test_attempts_at_the_same_moment_count_before_they_are_looked_at(door: Door) -> None:
    async def hold(depth: int) -> int:
        if depth == 10:
            return depth
        try:
            async with door.attempts.attempt("ada", HOME):
                return await hold(depth + 1)
        except TooManyAttemptsError:
            return depth

    assert await hold(0) == 5


@pytest.mark.parametrize(
    ("first", "second", "are_one"),
    [
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("unix:", "unix:", True),
        ("", "192.0.2.1", False),
    ],
    ids=["network", "other network", "mapped", "other address", "no address", "none"],
)
async def test_whoever_has_a_network_is_one(door: Door, first: str, second: str, are_one: bool) -> None:
    await door.wrong(address=first, times=10)

    assert await door.wrong(address=second, times=10) == (0 if are_one else 5)


async def test_the_first_attempt_of_a_minute_is_told_apart(door: Door) -> None:
    async with door.attempts.attempt("ada", HOME) as first, door.attempts.attempt("ada", AWAY) as second:
        assert (first.is_first_in_minute, second.is_first_in_minute) == (True, False)


async def test_neither_names_nor_addresses_are_kept(door: Door) -> None:
    await door.right("ada lovelace")

    assert not [key for key in door.counters._numbers if "ada" in key or HOME in key]
