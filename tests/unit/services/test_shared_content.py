"""What somebody with a share link sees: what its maker may pass on, and nothing at all if it is of no use."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

import pytest

from gallery.domain.access import Role, Visibility
from gallery.domain.accounts import Account
from gallery.domain.errors import NotFoundError, PasswordRequiredError
from gallery.domain.ids import new_image_id, new_user_id
from gallery.domain.pages import PageRequest, Position
from gallery.domain.share_links import ShareLink, new_share_token
from gallery.services.shared_content import LOOKUPS_AT_ONCE, SharedContents
from tests.entities import ADA, BOB, NOON, a_rendition, a_share_link, after, an_account, an_album, an_image
from tests.fakes.gallery import MemoryGallery
from tests.fakes.share_links import MemoryShareLinkReader

MAKER = an_account("Ada", id=ADA.id)
ALBUM = an_album()
FIRST, SECOND, OUTSIDE = an_image(), an_image(), an_image()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    gallery: MemoryGallery

    @property
    def contents(self) -> SharedContents:
        return self.gallery.shared

    def link(self, **fields: object) -> tuple[ShareLink, str]:
        link, token = a_share_link(**{"album_id": ALBUM.id, "made_by": MAKER.id} | fields)
        self.gallery.tables.share_links[link.id] = link
        return link, token

    def maker_is(self, role: Role) -> None:
        self.gallery.tables.accounts[MAKER.id] = replace(MAKER, role=role)

    def to_image(self, **fields: object) -> tuple[ShareLink, str]:
        return self.link(album_id=None, image_id=FIRST.id, **fields)

    async def opens_nothing(self, token: str, proof: str = "") -> None:
        """Shows that neither way in finds anything, nor tells why."""
        for opening in (
            self.contents.open(token),
            self.contents.open(token, "correct horse"),
            self.contents.enter(token, proof),
        ):
            with pytest.raises(NotFoundError) as refusal:
                await opening
            assert refusal.value.message.startswith("There is nothing to see here.")
        await self.contents.settle()
        assert all(link.open_count == 0 for link in self.gallery.tables.share_links.values())


@pytest.fixture
def shared(gallery: MemoryGallery) -> Shared:
    gallery.holds(ALBUM, FIRST, SECOND, OUTSIDE)
    gallery.put_in_album(ALBUM, SECOND, FIRST)
    gallery.tables.accounts[MAKER.id] = MAKER
    return Shared(gallery=gallery)


async def test_a_token_opens_what_the_link_leads_to(shared: Shared) -> None:
    (to_album, album_token), (to_image, image_token) = shared.link(), shared.to_image()

    album, image = await shared.contents.open(album_token), await shared.contents.open(image_token)
    await shared.contents.settle()

    assert (album.link, album.content, album.token, album.proof) == (to_album, ALBUM, album_token, None)
    assert (image.link, image.content) == (to_image, FIRST)
    assert album.viewer == MAKER.viewer()
    counted = shared.gallery.tables.share_links
    assert [(counted[link.id].open_count, counted[link.id].last_opened_at) for link in (to_album, to_image)] == [
        (1, NOON)
    ] * 2


async def test_what_is_no_token_is_not_looked_for(shared: Shared) -> None:
    await shared.opens_nothing("shr_short")

    assert shared.gallery.link_reader.lookups == 0


async def test_a_token_that_nobody_has_opens_nothing(shared: Shared) -> None:
    shared.link()

    await shared.opens_nothing(new_share_token())


@pytest.mark.parametrize("fields", [{"revoked_at": NOON}, {"expires_at": NOON}], ids=["revoked", "expired"])
async def test_a_link_of_no_use_opens_nothing_even_to_who_knows_its_password(
    shared: Shared, fields: dict[str, object]
) -> None:
    link, token = shared.link(password_hash="1:correct horse", **fields)

    await shared.opens_nothing(token, link.proof(NOON))
    assert len(shared.gallery.hasher.looked) == 0


async def test_a_link_expires_by_the_clock(shared: Shared) -> None:
    _, token = shared.link(expires_at=after(5))
    await shared.contents.open(token)
    shared.gallery.clock.advance(minutes=5)

    with pytest.raises(NotFoundError):
        await shared.contents.open(token)


async def test_a_link_of_a_disabled_account_opens_nothing(shared: Shared) -> None:
    _, token = shared.link()
    shared.gallery.tables.accounts[MAKER.id] = replace(MAKER, disabled_at=NOON)

    await shared.opens_nothing(token)


async def test_a_link_to_what_is_deleted_opens_nothing(shared: Shared) -> None:
    (_, album_token), (_, image_token) = shared.link(password_hash="1:correct horse"), shared.to_image()
    del shared.gallery.tables.albums[ALBUM.id]
    shared.gallery.tables.images[FIRST.id] = FIRST.deleted(NOON)

    await shared.opens_nothing(album_token)
    await shared.opens_nothing(image_token)


async def test_a_link_that_is_revoked_opens_nothing_at_once_in_every_process(shared: Shared) -> None:
    link, token = shared.link()
    elsewhere = shared.gallery.new_shared()
    await elsewhere.open(token)

    await shared.gallery.share_links.revoke(ADA, link.id)

    with pytest.raises(NotFoundError):
        await elsewhere.open(token)
    await elsewhere.settle()


async def test_a_password_opens_a_link_that_has_one(shared: Shared) -> None:
    link, token = shared.link(password_hash="1:correct horse")

    for wrong in (None, "", "battery staple"):
        with pytest.raises(PasswordRequiredError):
            await shared.contents.open(token, wrong)
    opened = await shared.contents.open(token, "correct horse")
    await shared.contents.settle()

    assert opened.proof == link.proof(NOON)
    assert shared.gallery.tables.share_links[link.id].open_count == 1


async def test_a_proof_stands_for_the_password_until_it_is_too_old(shared: Shared) -> None:
    _, token = shared.link(password_hash="1:correct horse")
    proof = (await shared.contents.open(token, "correct horse")).proof or ""

    assert (await shared.contents.enter(token, proof)).content == ALBUM
    with pytest.raises(NotFoundError):
        await shared.contents.enter(token, "")
    shared.gallery.clock.advance(minutes=121)
    with pytest.raises(NotFoundError):
        await shared.contents.enter(token, proof)


async def test_files_of_a_link_without_a_password_need_no_proof_and_are_not_counted(shared: Shared) -> None:
    link, token = shared.link()

    assert (await shared.contents.enter(token, "")).content == ALBUM
    await shared.contents.settle()
    assert shared.gallery.tables.share_links[link.id].open_count == 0


# What is under a link


async def test_a_link_leads_to_the_images_of_its_album_and_to_no_other(shared: Shared) -> None:
    _, token = shared.link()
    opened = await shared.contents.enter(token, "")

    assert await shared.contents.image_of(opened, FIRST.id) == FIRST
    for other in (OUTSIDE.id, new_image_id()):
        with pytest.raises(NotFoundError):
            await shared.contents.image_of(opened, other)


async def test_an_image_in_another_album_is_not_under_the_link(shared: Shared) -> None:
    other = an_album()
    shared.gallery.holds(other)
    shared.gallery.put_in_album(other, OUTSIDE)
    _, token = shared.link()

    with pytest.raises(NotFoundError):
        await shared.contents.image_of(await shared.contents.enter(token, ""), OUTSIDE.id)


async def test_a_link_to_an_image_leads_to_that_alone(shared: Shared) -> None:
    _, token = shared.to_image()
    opened = await shared.contents.enter(token, "")

    assert await shared.contents.image_of(opened, FIRST.id) == FIRST
    with pytest.raises(NotFoundError):
        await shared.contents.image_of(opened, SECOND.id)


async def test_an_album_is_shown_in_pages(shared: Shared) -> None:
    _, token = shared.link()
    opened = await shared.contents.enter(token, "")

    first = await shared.contents.page(opened, PageRequest(limit=1))
    second = await shared.contents.page(opened, PageRequest(limit=1, after=first.positions[0]))

    assert (first.items, first.has_next, second.items, second.has_next) == ((SECOND,), True, (FIRST,), False)
    assert await shared.contents.count(opened) == 2


@pytest.mark.parametrize(
    ("role", "is_owner"),
    [(Role.CONTRIBUTOR, True), (Role.EDITOR, True), (Role.ADMINISTRATOR, True), (Role.ADMINISTRATOR, False)],
)
async def test_an_album_shows_what_its_maker_may_pass_on_and_no_more_of_what_they_see(
    shared: Shared, role: Role, *, is_owner: bool
) -> None:
    gallery, guest = shared.gallery, BOB.id
    shared.maker_is(role)
    album, elsewhere = an_album(owner=ADA.id if is_owner else new_user_id()), an_album(owner=ADA.id)
    of_host = an_image(owner=album.owner)
    brought, public = an_image(owner=guest), an_image(owner=guest, visibility=Visibility.PUBLIC)
    taken = {one: an_image(owner=guest, visibility=one) for one in (Visibility.PRIVATE, Visibility.UNLISTED)}
    gallery.holds(album, elsewhere, of_host, brought, public, *taken.values())
    gallery.put_in_album(elsewhere, taken[Visibility.PRIVATE], by=guest)  # their maker is shown it, there
    gallery.put_in_album(album, of_host, *taken.values(), public)
    gallery.put_in_album(album, brought, by=guest)
    _, token = shared.link(album_id=album.id)
    opened = await shared.contents.enter(token, "")

    shown = [of_host, public, brought]
    assert (await shared.contents.page(opened, PageRequest())).items == tuple(shown)
    assert await shared.contents.count(opened) == len(shown)
    assert [await shared.contents.image_of(opened, image.id) for image in shown] == shown
    for hidden in taken.values():
        with pytest.raises(NotFoundError):
            await shared.contents.image_of(opened, hidden.id)


@pytest.mark.parametrize("visibility", Visibility)
@pytest.mark.parametrize("role", [Role.VIEWER, Role.EDITOR])
async def test_a_link_to_what_its_maker_may_not_show_any_more_opens_nothing(
    shared: Shared, role: Role, visibility: Visibility
) -> None:
    owner = ADA.id if role is Role.VIEWER else new_user_id()
    album, image = (
        an_album(owner=owner, visibility=visibility),
        an_image(owner=owner, visibility=visibility),
    )
    shared.gallery.holds(album, image)
    (_, to_album), (_, to_image) = shared.link(album_id=album.id), shared.link(album_id=None, image_id=image.id)
    await shared.contents.enter(to_album, "")
    await shared.contents.enter(to_image, "")

    shared.maker_is(role)

    await shared.opens_nothing(to_album)
    await shared.opens_nothing(to_image)


async def test_an_empty_album_has_an_empty_page(shared: Shared) -> None:
    empty = an_album()
    shared.gallery.holds(empty)
    _, token = shared.link(album_id=empty.id)
    opened = await shared.contents.enter(token, "")

    assert (await shared.contents.page(opened, PageRequest())).items == ()
    assert await shared.contents.count(opened) == 0


async def test_an_image_is_a_list_of_one(shared: Shared) -> None:
    _, token = shared.to_image()
    opened = await shared.contents.enter(token, "")

    page = await shared.contents.page(opened, PageRequest())
    rest = await shared.contents.page(opened, PageRequest(after=page.positions[0]))

    assert (page.items, page.positions, page.has_next) == ((FIRST,), (Position(1, FIRST.id),), False)
    assert (rest.items, rest.has_previous) == ((), True)
    assert await shared.contents.count(opened) == 1


async def test_renditions_are_those_of_the_gallery(shared: Shared) -> None:
    rendition = a_rendition(FIRST)
    shared.gallery.tables.renditions[FIRST.id] = (rendition,)
    _, token = shared.link()

    found = await shared.contents.renditions(await shared.contents.enter(token, ""), [FIRST.id, SECOND.id])

    assert found == {FIRST.id: (rendition,)}


class SlowReader(MemoryShareLinkReader):
    """Notes how many look for a token at once."""

    at_once = most = 0

    async def find_by_digest(self, digest: bytes) -> tuple[ShareLink, Account] | None:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        return await super().find_by_digest(digest)


async def test_who_makes_up_tokens_takes_few_connections(gallery: MemoryGallery) -> None:
    gallery.link_reader = reader = SlowReader(gallery.database)
    contents = gallery.new_shared()

    answers = await asyncio.gather(*(contents.open(new_share_token()) for _ in range(50)), return_exceptions=True)

    assert all(isinstance(answer, NotFoundError) for answer in answers)
    assert (reader.lookups, reader.most) == (50, LOOKUPS_AT_ONCE)
