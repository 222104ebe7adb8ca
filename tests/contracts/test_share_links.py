"""What every repository and every reader of share links must do."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from gallery.domain.access import LOCAL_ADMINISTRATOR, Visibility
from gallery.domain.accounts import digest_of
from gallery.domain.errors import NotFoundError
from gallery.domain.ids import new_album_id, new_image_id, new_share_link_id
from gallery.domain.pages import PageRequest
from gallery.domain.share_link_ports import Opened
from gallery.domain.share_links import GuessLimit, ShareLink
from tests.contracts.under_test import Database
from tests.entities import ADA, BOB, NOON, a_share_link, after, an_account, an_album, an_image

ALBUM, IMAGE = an_album(), an_image()
LIMIT = GuessLimit(guesses=3, period=timedelta(minutes=10))


async def keep(database: Database, *links: ShareLink) -> None:
    async with database.unit_of_work() as work:
        for link in links:
            await work.share_links.add(link)
        await work.commit()


async def found(database: Database, link: ShareLink) -> ShareLink:
    async with database.unit_of_work() as work:
        return await work.share_links.get(link.id)


async def take_guess(database: Database, link: ShareLink, minute: float = 0) -> object:
    async with database.unit_of_work() as work:
        until = await work.share_links.take_guess(link.id, after(minute), LIMIT)
        await work.commit()
        return until


async def return_guess(database: Database, link: ShareLink) -> None:
    async with database.unit_of_work() as work:
        await work.share_links.return_guess(link.id)
        await work.commit()


@pytest.fixture
async def link(database: Database) -> ShareLink:
    await database.store(IMAGE, ALBUM)
    link, _ = a_share_link(album_id=ALBUM.id)
    await keep(database, link)
    return link


# Links


async def test_a_link_is_kept_as_it_is(database: Database) -> None:
    await database.store(IMAGE, ALBUM)
    link, token = a_share_link(
        image_id=IMAGE.id,
        label="for Eve",
        allows_download=True,
        shows_metadata=True,
        password_hash="a hash",
        expires_at=after(60),
        revoked_at=after(2),
        open_count=3,
        last_opened_at=after(1),
    )
    await keep(database, link)

    assert await found(database, link) == link
    answer = await database.share_links.find_by_digest(digest_of(token))
    assert answer is not None
    assert (answer[0], answer[1].id) == (link, LOCAL_ADMINISTRATOR.id)


async def test_what_is_not_there_is_not_found(database: Database, link: ShareLink) -> None:
    other, token = a_share_link(album_id=ALBUM.id)

    assert await database.share_links.find_by_digest(digest_of(token)) is None
    async with database.unit_of_work() as work:
        with pytest.raises(NotFoundError):
            await work.share_links.get(other.id)
        with pytest.raises(NotFoundError):
            await work.share_links.save(other)
        with pytest.raises(NotFoundError):
            await work.share_links.take_guess(other.id, NOON, LIMIT)
        await work.share_links.return_guess(other.id)
    assert await found(database, link) == link


@pytest.mark.parametrize("target", [{"album_id": new_album_id()}, {"image_id": new_image_id()}], ids=["album", "image"])
async def test_there_is_no_link_to_nothing(database: Database, target: dict[str, object]) -> None:
    link, _ = a_share_link(**target)

    with pytest.raises(NotFoundError):
        await keep(database, link)


async def test_links_are_listed_newest_first_without_those_that_were_revoked(
    database: Database, link: ShareLink
) -> None:
    ada = an_account()
    async with database.unit_of_work() as work:
        await work.accounts.add_unless_there(ada)
        await work.commit()
    newer, _ = a_share_link(album_id=ALBUM.id, created_at=after(1), expires_at=after(-1))
    of_ada, _ = a_share_link(album_id=ALBUM.id, created_at=after(2), made_by=ada.id)
    to_image, _ = a_share_link(image_id=IMAGE.id, created_at=after(3))
    revoked, _ = a_share_link(image_id=IMAGE.id, revoked_at=NOON)
    await keep(database, newer, of_ada, to_image, revoked)
    links = database.share_links

    assert await links.made_by(LOCAL_ADMINISTRATOR.id) == (to_image, newer, link)
    assert await links.made_by(ada.id) == (of_ada,)
    assert await links.of_album(ALBUM.id) == (of_ada, newer, link)
    assert await links.of_image(IMAGE.id) == (to_image,)
    assert await links.of_image(new_image_id()) == ()


async def test_links_of_use_are_counted(database: Database, link: ShareLink) -> None:
    expired, _ = a_share_link(album_id=ALBUM.id, expires_at=NOON)
    revoked, _ = a_share_link(album_id=ALBUM.id, revoked_at=NOON)
    limited, _ = a_share_link(album_id=ALBUM.id, expires_at=after(1))
    await keep(database, expired, revoked, limited)

    async with database.unit_of_work() as work:
        assert await work.share_links.count_usable(link.made_by, NOON) == 2
        assert await work.share_links.count_usable(an_account().id, NOON) == 0


async def test_links_to_an_album_go_with_it(database: Database, link: ShareLink) -> None:
    async with database.unit_of_work() as work:
        await work.albums.delete(ALBUM.id)
        await work.commit()

    assert await database.share_links.made_by(link.made_by) == ()
    with pytest.raises(NotFoundError):
        await found(database, link)


# Openings


async def test_openings_are_added_whoever_saves_the_link_meanwhile(database: Database, link: ShareLink) -> None:
    for count, last in ((2, after(5)), (1, after(3))):
        async with database.unit_of_work() as work:
            opened = {link.id: Opened(count, last), new_share_link_id(): Opened(1, NOON)}
            await work.share_links.note_opened(opened)
            await work.commit()
    async with database.unit_of_work() as work:
        await work.share_links.save(replace(link, label="for Eve", open_count=0, last_opened_at=None))
        await work.commit()

    assert await found(database, link) == replace(link, label="for Eve", open_count=3, last_opened_at=after(5))


async def test_openings_of_many_at_once_add_up(database: Database, link: ShareLink) -> None:
    other, _ = a_share_link(album_id=ALBUM.id)
    await keep(database, other)

    async def note(first: ShareLink, second: ShareLink) -> None:
        async with database.unit_of_work() as work:
            await work.share_links.note_opened({first.id: Opened(1, NOON), second.id: Opened(1, NOON)})
            await work.commit()

    await asyncio.gather(*(note(*pair) for _ in range(5) for pair in ((link, other), (other, link))))

    assert [(await found(database, one)).open_count for one in (link, other)] == [10, 10]


async def test_no_openings_are_none(database: Database, link: ShareLink) -> None:
    async with database.unit_of_work() as work:
        await work.share_links.note_opened({})
        await work.commit()

    assert (await found(database, link)).open_count == 0


# Guesses


async def test_guesses_are_counted_up_to_the_limit_and_from_the_first_on(database: Database, link: ShareLink) -> None:
    answers = [await take_guess(database, link, minute) for minute in (0, 4, 8, 9)]

    assert answers == [None, None, None, after(10)]
    assert await take_guess(database, link, 9.9) == after(10)
    assert [await take_guess(database, link, minute) for minute in (10, 10, 10, 10)] == [None, None, None, after(20)]


async def test_a_guess_that_was_right_is_taken_back(database: Database, link: ShareLink) -> None:
    await return_guess(database, link)  # there is none
    for _ in range(3):
        assert await take_guess(database, link) is None
    await return_guess(database, link)

    assert await take_guess(database, link) is None
    assert await take_guess(database, link) == after(10)


async def test_of_many_guesses_at_once_none_is_passed_over(database: Database, link: ShareLink) -> None:
    answers = await asyncio.gather(*(take_guess(database, link) for _ in range(12)))

    assert sorted(answers, key=str) == [after(10)] * 9 + [None] * 3


# What links to albums show


async def test_an_album_passes_on_what_owners_put_there_and_what_everybody_sees(database: Database) -> None:
    album, other = an_album(owner=ADA.id), an_album(owner=BOB.id)
    own = [an_image(owner=ADA.id, visibility=one) for one in Visibility]
    lent = {one: an_image(owner=BOB.id, visibility=one) for one in Visibility}
    brought, elsewhere = an_image(owner=BOB.id), an_image(owner=ADA.id)
    await database.store(album, other, *own, *lent.values(), brought, elsewhere)
    async with database.unit_of_work() as work:
        await work.albums.append(other.id, [elsewhere.id, *(image.id for image in lent.values())], offered_by=[BOB.id])
        await work.albums.append(album.id, [image.id for image in (*own, *lent.values())], offered_by=[ADA.id])
        await work.albums.append(album.id, [brought.id], offered_by=[BOB.id])
        await work.commit()
    shown = [*own, lent[Visibility.PUBLIC], brought]

    first = await database.linked.page(album.id, PageRequest(limit=2))
    rest = await database.linked.page(album.id, PageRequest(limit=100, after=first.positions[-1]))
    found = [await database.linked.find(album.id, image.id) for image in (*own, *lent.values(), brought, elsewhere)]

    assert [*first.items, *rest.items] == shown
    assert (first.has_next, rest.has_next) == (True, False)
    assert await database.linked.count(album.id) == len(shown)
    assert [image for image in found if image is not None] == shown


async def test_an_album_that_is_not_there_passes_nothing_on(database: Database) -> None:
    await database.store(IMAGE)
    nowhere = new_album_id()

    assert (await database.linked.page(nowhere, PageRequest())).items == ()
    assert await database.linked.count(nowhere) == 0
    assert await database.linked.find(nowhere, IMAGE.id) is None
