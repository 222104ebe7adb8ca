"""Sharing albums with people, and taking that back."""

from __future__ import annotations

import pytest

from gallery.domain.access import Role, Visibility
from gallery.domain.errors import ErrorCode, ForbiddenError, InvalidInputError, NotFoundError
from gallery.domain.events import EventKind
from gallery.domain.ids import new_album_id, new_user_id
from gallery.domain.shares import MAX_SHARES, AlbumShare, ShareLevel
from gallery.services.shares import Person
from tests.entities import ADA, a_claim, a_viewer, an_account, an_album, an_image
from tests.fakes.gallery import MemoryGallery

OWNER = a_viewer(Role.CONTRIBUTOR)
ALBUM = an_album(owner=OWNER.id)
ZOE = an_account("Zoe")
BY_NAME, BY_ID = Person(name="zoe"), Person(id=ZOE.id)


@pytest.fixture(autouse=True)
def _filled(gallery: MemoryGallery) -> None:
    gallery.holds(ALBUM)
    gallery.tables.accounts.update({ZOE.id: ZOE, OWNER.id: an_account("owner", id=OWNER.id)})


@pytest.mark.parametrize("person", [BY_NAME, BY_ID], ids=["by name", "by id"])
async def test_an_album_is_shared_and_that_is_recorded(gallery: MemoryGallery, person: Person) -> None:
    album = await gallery.shares.share(OWNER, ALBUM.id, person, ShareLevel.VIEW)

    now = gallery.clock()
    share = AlbumShare(
        album_id=ALBUM.id,
        account_id=ZOE.id,
        account_name="Zoe",
        level=ShareLevel.VIEW,
        shared_by=OWNER.id,
        shared_at=now,
    )
    assert album == ALBUM
    assert gallery.tables.shares == {(ALBUM.id, ZOE.id): share}
    payload = {"account_id": ZOE.id.hex, "level": {"from": None, "to": "VIEW"}}
    assert gallery.history == [(EventKind.ALBUM_SHARED, ALBUM.id, OWNER.id, now, payload)]


async def test_sharing_again_changes_the_level_or_nothing(gallery: MemoryGallery) -> None:
    for level in (ShareLevel.VIEW, ShareLevel.VIEW, ShareLevel.CONTRIBUTE):
        await gallery.shares.share(OWNER, ALBUM.id, BY_ID, level)

    assert gallery.tables.shares[ALBUM.id, ZOE.id].level is ShareLevel.CONTRIBUTE
    assert [event.payload["level"] for event in gallery.events] == [
        {"from": None, "to": "VIEW"},
        {"from": "VIEW", "to": "CONTRIBUTE"},
    ]


async def test_a_share_is_taken_back_and_that_is_recorded_once(gallery: MemoryGallery) -> None:
    await gallery.shares.share(OWNER, ALBUM.id, BY_ID, ShareLevel.VIEW)

    for _ in range(2):
        assert await gallery.shares.unshare(OWNER, ALBUM.id, BY_NAME) == ALBUM

    assert gallery.tables.shares == {}
    assert [event.kind for event in gallery.events] == [EventKind.ALBUM_SHARED, EventKind.ALBUM_UNSHARED]
    assert gallery.events[1].payload == {"account_id": ZOE.id.hex}


async def test_claims_are_completed(gallery: MemoryGallery) -> None:
    claims = [a_claim(key, owner=OWNER.id) for key in ("one", "two")]
    gallery.tables.claims.update({(claim.owner, claim.key): claim for claim in claims})

    await gallery.shares.share(OWNER, ALBUM.id, BY_ID, ShareLevel.VIEW, claims[0])
    await gallery.shares.unshare(OWNER, ALBUM.id, BY_ID, claims[1])

    assert all(claim.snapshot and claim.snapshot.album == ALBUM for claim in gallery.tables.claims.values())


@pytest.mark.parametrize("role", [Role.CONTRIBUTOR, Role.EDITOR])
@pytest.mark.parametrize(
    ("visibility", "error"), [(Visibility.PRIVATE, NotFoundError), (Visibility.PUBLIC, ForbiddenError)]
)
async def test_others_do_not_share_an_album_however_much_they_see(
    gallery: MemoryGallery, role: Role, visibility: Visibility, error: type[NotFoundError | ForbiddenError]
) -> None:
    album = an_album(owner=OWNER.id, visibility=visibility)
    gallery.holds(album)
    viewer = a_viewer(role)

    with gallery.refuses(error):
        await gallery.shares.share(viewer, album.id, BY_ID, ShareLevel.VIEW)
    with gallery.refuses(error):
        await gallery.shares.unshare(viewer, album.id, BY_ID)


async def test_administrators_share_every_album(gallery: MemoryGallery) -> None:
    await gallery.shares.share(ADA, ALBUM.id, BY_ID, ShareLevel.VIEW)

    assert gallery.tables.shares[ALBUM.id, ZOE.id].shared_by == ADA.id


@pytest.mark.parametrize(
    ("person", "error", "field"),
    [
        (Person(name="Nobody"), NotFoundError, "accountName"),
        (Person(id=new_user_id()), NotFoundError, "accountId"),
        (Person(), InvalidInputError, "accountName"),
        (Person(name="Zoe", id=ZOE.id), InvalidInputError, "accountName"),
        (Person(id=OWNER.id), InvalidInputError, "accountName"),
    ],
    ids=["unknown name", "unknown id", "nobody", "two", "the owner"],
)
async def test_whom_nobody_knows_gets_no_share(
    gallery: MemoryGallery, person: Person, error: type[NotFoundError | InvalidInputError], field: str
) -> None:
    with gallery.refuses(error) as refusal:
        await gallery.shares.share(OWNER, ALBUM.id, person, ShareLevel.VIEW)

    assert refusal.value.field == (field,)


async def test_an_album_that_is_not_there_is_not_shared(gallery: MemoryGallery) -> None:
    with gallery.refuses(NotFoundError):
        await gallery.shares.share(OWNER, new_album_id(), BY_ID, ShareLevel.VIEW)


async def test_an_album_is_shared_with_so_many_and_no_more(gallery: MemoryGallery) -> None:
    accounts = [an_account(f"account {place}") for place in range(MAX_SHARES)]
    gallery.tables.accounts.update({account.id: account for account in accounts})
    for account in accounts:
        await gallery.shares.share(OWNER, ALBUM.id, Person(id=account.id), ShareLevel.VIEW)

    with gallery.refuses(InvalidInputError) as refusal:
        await gallery.shares.share(OWNER, ALBUM.id, BY_ID, ShareLevel.VIEW)
    await gallery.shares.share(OWNER, ALBUM.id, Person(id=accounts[0].id), ShareLevel.CONTRIBUTE)

    assert refusal.value.code is ErrorCode.TOO_MANY_ITEMS


async def test_what_a_guest_has_put_there_is_shown_no_more_when_the_share_is_taken_back(gallery: MemoryGallery) -> None:
    guest, friend = a_viewer(Role.CONTRIBUTOR), an_account("friend")
    gallery.tables.accounts.update({guest.id: an_account("guest", id=guest.id), friend.id: friend})
    other = an_album(owner=OWNER.id)
    of_guest, elsewhere, of_host = an_image(owner=guest.id), an_image(owner=guest.id), an_image(owner=OWNER.id)
    gallery.holds(other, of_guest, elsewhere, of_host)
    gallery.put_in_album(ALBUM, of_host)
    for album, image in ((ALBUM, of_guest), (other, elsewhere)):
        await gallery.shares.share(OWNER, album.id, Person(id=guest.id), ShareLevel.CONTRIBUTE)
        await gallery.shares.share(OWNER, album.id, Person(id=friend.id), ShareLevel.VIEW)
        await gallery.albums.add_images(guest, album.id, [image.id])
    assert gallery.tables.offered_to(friend.id) == {of_guest.id, elsewhere.id, of_host.id}

    await gallery.shares.unshare(OWNER, ALBUM.id, Person(id=guest.id))

    assert gallery.tables.offered_to(friend.id) == gallery.tables.offered_to(OWNER.id) == {elsewhere.id, of_host.id}
    assert gallery.album_of(ALBUM) == [of_host.id, of_guest.id]
