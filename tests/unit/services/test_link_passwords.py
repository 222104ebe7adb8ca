"""Guessing the password of a share link: few guesses are looked at, in all processes together."""

from __future__ import annotations

import asyncio

import pytest

from gallery.domain.errors import PasswordRequiredError, RateLimitedError, UnavailableError
from gallery.domain.share_links import GuessLimit, ShareLink
from gallery.services.link_passwords import LinkPasswords
from tests.entities import a_share_link
from tests.fakes.gallery import MemoryGallery

RIGHT = "Gr\u00f6\u00dfe ist relativ"
LIMIT = GuessLimit()


def new_passwords(gallery: MemoryGallery) -> LinkPasswords:
    return LinkPasswords(gallery.unit_of_work, gallery.hasher, clock=gallery.clock.monotonic)


@pytest.fixture
def passwords(gallery: MemoryGallery) -> LinkPasswords:
    return new_passwords(gallery)


@pytest.fixture
def link(gallery: MemoryGallery) -> ShareLink:
    return put_link(gallery)


def put_link(gallery: MemoryGallery, password: str | None = RIGHT) -> ShareLink:
    link, _ = a_share_link(password_hash=None if password is None else f"1:{password}")
    gallery.tables.share_links[link.id] = link
    return link


async def guess(gallery: MemoryGallery, passwords: LinkPasswords, link: ShareLink, times: int) -> None:
    for number in range(times):
        with pytest.raises(PasswordRequiredError):
            await passwords.check(link, f"wrong {number}", gallery.clock())


async def test_a_link_without_a_password_asks_for_none(gallery: MemoryGallery, passwords: LinkPasswords) -> None:
    link = put_link(gallery, None)

    await passwords.check(link, None, gallery.clock())
    await passwords.check(link, "whatever", gallery.clock())

    assert len(gallery.hasher.looked) == gallery.database.units_opened == 0


@pytest.mark.parametrize("password", [None, "", "x" * 1025], ids=["none", "empty", "endless"])
async def test_what_is_no_password_is_no_guess(
    gallery: MemoryGallery, passwords: LinkPasswords, link: ShareLink, password: str | None
) -> None:
    with pytest.raises(PasswordRequiredError):
        await passwords.check(link, password, gallery.clock())

    assert len(gallery.hasher.looked) == gallery.database.units_opened == 0


async def test_a_right_password_is_no_guess_and_is_remembered_for_seconds(
    gallery: MemoryGallery, passwords: LinkPasswords, link: ShareLink
) -> None:
    for _ in range(LIMIT.guesses + 1):
        await passwords.check(link, "Gro\u0308\u00dfe ist relativ", gallery.clock())
    assert len(gallery.hasher.looked) == 1

    gallery.clock.advance(minutes=1)
    for _ in range(LIMIT.guesses + 1):
        await new_passwords(gallery).check(link, RIGHT, gallery.clock())

    assert gallery.tables.guesses[link.id][0] == 0


async def test_what_is_remembered_is_of_one_link_and_one_password(
    gallery: MemoryGallery, passwords: LinkPasswords, link: ShareLink
) -> None:
    await passwords.check(link, RIGHT, gallery.clock())

    for other in (put_link(gallery, "battery staple"), link.with_password("1:battery staple")):
        with pytest.raises(PasswordRequiredError):
            await passwords.check(other, RIGHT, gallery.clock())
    with pytest.raises(PasswordRequiredError):
        await passwords.check(link, "battery staple", gallery.clock())


async def test_after_ten_wrong_passwords_none_is_looked_at_in_any_process(
    gallery: MemoryGallery, passwords: LinkPasswords, link: ShareLink
) -> None:
    await guess(gallery, passwords, link, LIMIT.guesses)
    gallery.clock.advance(minutes=5)

    for elsewhere in (passwords, new_passwords(gallery)):
        with pytest.raises(RateLimitedError) as refusal:
            await elsewhere.check(link, RIGHT, gallery.clock())
        assert refusal.value.retry_after_seconds == 600

    assert len(gallery.hasher.looked) == LIMIT.guesses


async def test_other_links_are_open_meanwhile(
    gallery: MemoryGallery, passwords: LinkPasswords, link: ShareLink
) -> None:
    await guess(gallery, passwords, link, LIMIT.guesses)

    await passwords.check(put_link(gallery), RIGHT, gallery.clock())


async def test_guessing_may_go_on_after_a_quarter_of_an_hour(
    gallery: MemoryGallery, passwords: LinkPasswords, link: ShareLink
) -> None:
    await guess(gallery, passwords, link, LIMIT.guesses)
    gallery.clock.advance(minutes=15)

    await passwords.check(link, RIGHT, gallery.clock())
    await guess(gallery, passwords, link, LIMIT.guesses)
    with pytest.raises(RateLimitedError):
        await passwords.check(link, "wrong", gallery.clock())


async def test_a_right_password_gives_nobody_more_guesses(
    gallery: MemoryGallery, passwords: LinkPasswords, link: ShareLink
) -> None:
    await guess(gallery, passwords, link, LIMIT.guesses - 1)
    await passwords.check(link, RIGHT, gallery.clock())
    await guess(gallery, passwords, link, 1)

    with pytest.raises(RateLimitedError):
        await passwords.check(link, "wrong", gallery.clock())


async def test_of_many_guesses_at_once_no_more_are_looked_at(
    gallery: MemoryGallery, passwords: LinkPasswords, link: ShareLink
) -> None:
    others = new_passwords(gallery)
    guesses = [
        somewhere.check(link, f"wrong {number}", gallery.clock())
        for number in range(30)
        for somewhere in (passwords, others)
    ]

    answers = await asyncio.gather(*guesses, return_exceptions=True)

    assert sum(isinstance(answer, PasswordRequiredError) for answer in answers) == LIMIT.guesses
    assert sum(isinstance(answer, RateLimitedError) for answer in answers) == 60 - LIMIT.guesses
    assert len(gallery.hasher.looked) == LIMIT.guesses


async def test_a_password_that_nobody_has_time_to_look_at_is_no_guess(
    gallery: MemoryGallery, passwords: LinkPasswords, link: ShareLink
) -> None:
    gallery.hasher.is_busy = True
    for _ in range(LIMIT.guesses + 1):
        with pytest.raises(UnavailableError):
            await passwords.check(link, RIGHT, gallery.clock())

    gallery.hasher.is_busy = False
    await passwords.check(link, RIGHT, gallery.clock())
