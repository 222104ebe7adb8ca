"""Share links: who may make, list, change and revoke which, and what is left when they are refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gallery.domain.access import LOCAL_ADMINISTRATOR, Right, Role, Viewer, Visibility
from gallery.domain.accounts import digest_of
from gallery.domain.errors import ErrorCode, ForbiddenError, GalleryError, InvalidInputError, NotFoundError
from gallery.domain.events import EventKind
from gallery.domain.ids import new_album_id, new_image_id, new_share_link_id
from gallery.domain.share_links import ShareLink, is_share_token
from gallery.domain.shares import AlbumShare, ShareLevel
from gallery.services.share_links import MAX_USABLE_LINKS, NewShareLink, ShareLinkChange
from tests.entities import ADA, BOB, NOON, a_share_link, a_viewer, after, an_account, an_album, an_image
from tests.fakes.gallery import MemoryGallery

ALBUM, IMAGE = an_album(), an_image()
OWNER = Viewer(id=ADA.id, rights=frozenset({Right.READ, Right.CONTRIBUTE}))
OTHER = Viewer(id=BOB.id, rights=frozenset({Right.READ, Right.CONTRIBUTE}))
EDITOR = a_viewer(Role.EDITOR)
ADMINISTRATOR = Viewer(id=BOB.id, rights=Role.ADMINISTRATOR.rights)


@pytest.fixture
def gallery() -> MemoryGallery:
    gallery = MemoryGallery()
    gallery.holds(ALBUM, IMAGE)
    for viewer in (ADA, BOB):
        gallery.tables.accounts[viewer.id] = an_account(viewer.id.hex, id=viewer.id)
    return gallery


def knows(gallery: MemoryGallery, **fields: object) -> ShareLink:
    link, _ = a_share_link(**{"album_id": ALBUM.id, "made_by": ADA.id} | fields)
    gallery.tables.share_links[link.id] = link
    return link


# Making


async def test_a_link_shows_little_unless_told_otherwise(gallery: MemoryGallery) -> None:
    issued = await gallery.share_links.create(OWNER, NewShareLink(album_id=ALBUM.id))

    link = issued.link
    assert is_share_token(issued.token)
    assert link == ShareLink(
        id=link.id,
        digest=digest_of(issued.token),
        secret=link.secret,
        album_id=ALBUM.id,
        image_id=None,
        made_by=ADA.id,
        label=None,
        allows_download=False,
        shows_metadata=False,
        password_hash=None,
        created_at=NOON,
    )
    assert len(link.secret) == 32
    assert gallery.tables.share_links == {link.id: link}
    assert issued.token[4:] not in repr(gallery.tables)


async def test_a_link_has_what_is_asked_for_and_the_trail_tells_no_secret(gallery: MemoryGallery) -> None:
    new = NewShareLink(
        image_id=IMAGE.id,
        expires_at=after(60),
        password="correct horse",
        allows_download=True,
        shows_metadata=True,
        label=" for Eve ",
    )

    issued = await gallery.share_links.create(ADMINISTRATOR, new)

    link = gallery.tables.share_links[issued.link.id]
    assert (link.album_id, link.image_id, link.made_by, link.label) == (None, IMAGE.id, BOB.id, "for Eve")
    assert (link.expires_at, link.allows_download, link.shows_metadata) == (after(60), True, True)
    assert link.password_hash == "1:correct horse"
    payload = {
        "album_id": None,
        "image_id": IMAGE.id.hex,
        "label": "for Eve",
        "expires_at": after(60).isoformat(),
        "allows_download": True,
        "shows_metadata": True,
        "has_password": True,
    }
    assert gallery.history == [(EventKind.LINK_CREATED, link.id, BOB.id, NOON, payload)]


@pytest.mark.parametrize(
    ("new", "code", "field"),
    [
        (NewShareLink(), ErrorCode.INVALID_INPUT, "albumId"),
        (NewShareLink(album_id=ALBUM.id, image_id=IMAGE.id), ErrorCode.INVALID_INPUT, "albumId"),
        (NewShareLink(album_id=ALBUM.id, expires_at=NOON), ErrorCode.INVALID_INPUT, "expiresAt"),
        (NewShareLink(album_id=ALBUM.id, password="short"), ErrorCode.INVALID_INPUT, "password"),
        (NewShareLink(album_id=ALBUM.id, password=""), ErrorCode.INVALID_INPUT, "password"),
        (NewShareLink(album_id=ALBUM.id, label="a\0b"), ErrorCode.INVALID_NAME, "label"),
    ],
    ids=["nothing", "two things", "past", "short password", "empty password", "label"],
)
async def test_a_value_that_breaks_its_rule_makes_no_link(
    gallery: MemoryGallery, new: NewShareLink, code: ErrorCode, field: str
) -> None:
    with gallery.refuses(InvalidInputError) as refusal:
        await gallery.share_links.create(OWNER, new)

    assert (refusal.value.code, refusal.value.field) == (code, (field,))


@pytest.mark.parametrize(
    ("new", "field"),
    [(NewShareLink(album_id=new_album_id()), "albumId"), (NewShareLink(image_id=new_image_id()), "imageId")],
    ids=["album", "image"],
)
async def test_what_is_not_there_is_not_shared(gallery: MemoryGallery, new: NewShareLink, field: str) -> None:
    with gallery.refuses(NotFoundError) as refusal:
        await gallery.share_links.create(ADA, new)

    assert refusal.value.field == (field,)


async def test_what_is_deleted_is_not_shared(gallery: MemoryGallery) -> None:
    gallery.tables.images[IMAGE.id] = IMAGE.deleted(NOON)

    with gallery.refuses(NotFoundError):
        await gallery.share_links.create(ADA, NewShareLink(image_id=IMAGE.id))


@pytest.mark.parametrize(
    ("visibility", "refusal"),
    [(Visibility.PRIVATE, NotFoundError), (Visibility.UNLISTED, ForbiddenError), (Visibility.PUBLIC, ForbiddenError)],
)
@pytest.mark.parametrize("viewer", [OTHER, EDITOR], ids=["contributor", "editor"])
async def test_what_is_somebody_elses_is_not_shared_nor_are_its_links_listed(
    gallery: MemoryGallery, viewer: Viewer, visibility: Visibility, refusal: type[GalleryError]
) -> None:
    gallery.holds(replace(ALBUM, visibility=visibility), replace(IMAGE, visibility=visibility))

    for new in (NewShareLink(album_id=ALBUM.id), NewShareLink(image_id=IMAGE.id)):
        with gallery.refuses(refusal):
            await gallery.share_links.create(viewer, new)
        with gallery.refuses(refusal):
            await gallery.share_links.of(viewer, album_id=new.album_id, image_id=new.image_id)


async def test_what_is_shared_with_somebody_is_not_theirs_to_share(gallery: MemoryGallery) -> None:
    gallery.put_in_album(ALBUM, IMAGE)
    gallery.tables.shares[ALBUM.id, OTHER.id] = AlbumShare(
        album_id=ALBUM.id,
        account_id=OTHER.id,
        account_name=OTHER.id.hex,
        level=ShareLevel.CONTRIBUTE,
        shared_by=ADA.id,
        shared_at=NOON,
    )

    for new in (NewShareLink(album_id=ALBUM.id), NewShareLink(image_id=IMAGE.id)):
        with gallery.refuses(ForbiddenError):
            await gallery.share_links.create(OTHER, new)


async def test_owners_who_may_only_look_share_nothing(gallery: MemoryGallery) -> None:
    reader = Viewer(id=ADA.id, rights=Role.VIEWER.rights)

    with gallery.refuses(ForbiddenError):
        await gallery.share_links.create(reader, NewShareLink(album_id=ALBUM.id))


async def test_an_account_has_1000_links_of_use_at_most(gallery: MemoryGallery) -> None:
    for _ in range(MAX_USABLE_LINKS - 1):
        knows(gallery)
    knows(gallery, revoked_at=NOON)
    knows(gallery, expires_at=NOON)
    knows(gallery, made_by=BOB.id)
    await gallery.share_links.create(OWNER, NewShareLink(album_id=ALBUM.id))

    with gallery.refuses(InvalidInputError) as refusal:
        await gallery.share_links.create(OWNER, NewShareLink(album_id=ALBUM.id))

    assert refusal.value.code is ErrorCode.TOO_MANY_ITEMS


# Listing


async def test_people_see_the_links_that_they_have_made(gallery: MemoryGallery) -> None:
    older, newer = knows(gallery), knows(gallery, created_at=after(1))
    knows(gallery, revoked_at=NOON)
    knows(gallery, made_by=BOB.id)

    assert await gallery.share_links.own(OWNER) == (newer, older)


async def test_who_may_show_a_thing_sees_everybodys_links_to_it(gallery: MemoryGallery) -> None:
    own, others = knows(gallery), knows(gallery, made_by=BOB.id, created_at=after(1))
    to_image = knows(gallery, album_id=None, image_id=IMAGE.id)

    assert await gallery.share_links.of(OWNER, album_id=ALBUM.id) == (others, own)
    assert await gallery.share_links.of(ADMINISTRATOR, image_id=IMAGE.id) == (to_image,)
    with gallery.refuses(NotFoundError):
        await gallery.share_links.of(ADA, album_id=new_album_id())
    with gallery.refuses(InvalidInputError):
        await gallery.share_links.of(OWNER)


# Changing


async def test_a_change_changes_what_it_names(gallery: MemoryGallery) -> None:
    link = knows(gallery, label="for Eve", expires_at=after(60), password_hash="1:correct horse")
    change = ShareLinkChange(link_id=link.id, expires_at=None, allows_download=True, shows_metadata=True, label=None)

    changed = await gallery.share_links.update(OWNER, change)

    assert changed == replace(link, expires_at=None, allows_download=True, shows_metadata=True, label=None)
    assert gallery.tables.share_links[link.id] == changed
    payload = {
        "album_id": ALBUM.id.hex,
        "image_id": None,
        "label": {"from": "for Eve", "to": None},
        "expires_at": {"from": after(60).isoformat(), "to": None},
        "allows_download": {"from": False, "to": True},
        "shows_metadata": {"from": False, "to": True},
    }
    assert gallery.history == [(EventKind.LINK_UPDATED, link.id, ADA.id, NOON, payload)]


@pytest.mark.parametrize(
    ("before", "password", "after_it", "told"),
    [
        (None, "correct horse", "1:correct horse", "another"),
        ("1:battery staple", "correct horse", "1:correct horse", "another"),
        ("1:battery staple", None, None, "none"),
    ],
    ids=["first", "another", "none"],
)
async def test_another_password_makes_proofs_void(
    gallery: MemoryGallery, before: str | None, password: str | None, after_it: str | None, told: str
) -> None:
    link = knows(gallery, password_hash=before)

    changed = await gallery.share_links.update(OWNER, ShareLinkChange(link_id=link.id, password=password))

    assert changed.password_hash == after_it
    assert not changed.is_proof(link.proof(NOON), NOON)
    (event,) = gallery.events
    assert event.payload == {"album_id": ALBUM.id.hex, "image_id": None, "password": told}


async def test_a_change_that_changes_nothing_is_not_recorded(gallery: MemoryGallery) -> None:
    link = knows(gallery, label="for Eve")
    before = gallery.state()

    for change in (
        ShareLinkChange(link_id=link.id),
        ShareLinkChange(link_id=link.id, label=" for Eve "),
        ShareLinkChange(link_id=link.id, password=None, expires_at=None),
    ):
        assert await gallery.share_links.update(OWNER, change) == link

    assert gallery.state() == before


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"expires_at": NOON}, "expiresAt"),
        ({"password": "short"}, "password"),
        ({"label": "a\0b"}, "label"),
    ],
    ids=["past", "password", "label"],
)
async def test_a_value_that_breaks_its_rule_changes_nothing(
    gallery: MemoryGallery, change: dict[str, object], field: str
) -> None:
    link = knows(gallery)

    with gallery.refuses(InvalidInputError) as refusal:
        await gallery.share_links.update(OWNER, ShareLinkChange(link_id=link.id, **change))  # type: ignore[arg-type]

    assert refusal.value.field == (field,)


async def test_who_may_not_show_the_thing_finds_no_link_to_change(gallery: MemoryGallery) -> None:
    link, change = knows(gallery), {"allows_download": True}
    own = knows(gallery, made_by=BOB.id)
    gone = knows(gallery, album_id=None, image_id=new_image_id())

    gallery.holds(replace(ALBUM, visibility=Visibility.PUBLIC))
    for viewer, link_id in (
        (OTHER, link.id),
        (OTHER, own.id),
        (EDITOR, link.id),
        (ADA, gone.id),
        (ADA, new_share_link_id()),
    ):
        with gallery.refuses(NotFoundError):
            await gallery.share_links.update(viewer, ShareLinkChange(link_id=link_id, **change))  # type: ignore[arg-type]
    assert (await gallery.share_links.update(ADMINISTRATOR, ShareLinkChange(link_id=link.id, label="x"))).label == "x"


# Revoking


async def test_a_link_is_revoked_by_its_maker_and_by_who_may_show_the_thing(gallery: MemoryGallery) -> None:
    of_bob, of_ada = knows(gallery, made_by=BOB.id), knows(gallery)
    gallery.clock.advance(minutes=1)

    assert (await gallery.share_links.revoke(OTHER, of_bob.id)).revoked_at == after(1)
    with gallery.refuses(NotFoundError):
        await gallery.share_links.revoke(OTHER, of_ada.id)
    with gallery.refuses(NotFoundError):
        await gallery.share_links.revoke(EDITOR, of_ada.id)
    assert (await gallery.share_links.revoke(ADMINISTRATOR, of_ada.id)).revoked_at == after(1)

    target = {"album_id": ALBUM.id.hex, "image_id": None}
    assert gallery.history == [
        (EventKind.LINK_REVOKED, of_bob.id, BOB.id, after(1), target),
        (EventKind.LINK_REVOKED, of_ada.id, BOB.id, after(1), target),
    ]


async def test_a_link_that_is_revoked_again_stays_as_it_is(gallery: MemoryGallery) -> None:
    link = knows(gallery, revoked_at=after(-1))

    assert await gallery.share_links.revoke(OWNER, link.id) == link
    assert gallery.events == []


async def test_a_link_to_a_deleted_image_can_be_revoked(gallery: MemoryGallery) -> None:
    link = knows(gallery, album_id=None, image_id=new_image_id(), made_by=LOCAL_ADMINISTRATOR.id)

    assert (await gallery.share_links.revoke(LOCAL_ADMINISTRATOR, link.id)).revoked_at == NOON
