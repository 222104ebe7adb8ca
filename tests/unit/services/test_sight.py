"""What use cases find and change for whom: what is not shown is not there, what is only shown stays as it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from gallery.domain.access import NOT_YOURS, Role, Viewer, Visibility
from gallery.domain.albums import Album
from gallery.domain.errors import ForbiddenError, InvalidInputError, NotFoundError
from gallery.domain.events import EventKind
from gallery.domain.ids import new_album_id, new_image_id, new_user_id
from gallery.domain.images import Image
from gallery.domain.shares import AlbumShare, ShareLevel
from gallery.services.albums import AlbumChange, AlbumService, NewAlbum
from gallery.services.images import ImageChange
from gallery.services.uploads import NewImage
from tests.entities import ADA, NOON, a_claim, a_tag, a_viewer, an_account, an_album, an_image
from tests.fakes.gallery import MemoryGallery
from tests.fakes.incoming import MemoryIncomingFile

PRIVATE, UNLISTED, PUBLIC = Visibility
CONTRIBUTOR, EDITOR, OWNER = a_viewer(Role.CONTRIBUTOR), a_viewer(Role.EDITOR), a_viewer(Role.CONTRIBUTOR)

OnImage = Callable[[MemoryGallery, Viewer, Image], Awaitable[object]]
OnAlbum = Callable[[MemoryGallery, Viewer, Album], Awaitable[object]]

ON_IMAGES: dict[str, OnImage] = {
    "update": lambda gallery, viewer, image: gallery.images.update(
        viewer, ImageChange(image_id=image.id, title="Lighthouse")
    ),
    "delete": lambda gallery, viewer, image: gallery.images.delete(viewer, image.id),
}
ON_ALBUMS: dict[str, OnAlbum] = {
    "update": lambda gallery, viewer, album: gallery.albums.update(
        viewer, AlbumChange(album_id=album.id, title="Winter")
    ),
    "delete": lambda gallery, viewer, album: gallery.albums.delete(viewer, album.id),
    "add": lambda gallery, viewer, album: gallery.albums.add_images(viewer, album.id, []),
    "upload": lambda gallery, viewer, album: gallery.uploads.upload(
        viewer, NewImage(file=MemoryIncomingFile([b"a photograph"]), album_id=album.id)
    ),
}


def share(gallery: MemoryGallery, album: Album, viewer: Viewer, level: ShareLevel = ShareLevel.VIEW) -> None:
    account = an_account(f"account {viewer.id}", id=viewer.id)
    gallery.tables.accounts[account.id] = account
    gallery.tables.shares[album.id, viewer.id] = AlbumShare(
        album_id=album.id,
        account_id=viewer.id,
        account_name=account.name,
        level=level,
        shared_by=album.owner,
        shared_at=NOON,
    )


@pytest.mark.parametrize("act", ON_IMAGES.values(), ids=ON_IMAGES)
async def test_an_image_that_is_not_shown_is_refused_as_one_that_is_not_there(
    gallery: MemoryGallery, act: OnImage
) -> None:
    image = an_image(owner=OWNER.id, visibility=PRIVATE)
    gallery.holds(image)

    with gallery.refuses(NotFoundError) as hidden:
        await act(gallery, CONTRIBUTOR, image)
    with gallery.refuses(NotFoundError) as missing:
        await act(gallery, CONTRIBUTOR, an_image())
    with gallery.refuses(NotFoundError):
        await act(gallery, EDITOR, image)

    assert (hidden.value.message, hidden.value.field) == (missing.value.message, missing.value.field)


@pytest.mark.parametrize("act", ON_IMAGES.values(), ids=ON_IMAGES)
@pytest.mark.parametrize("visibility", [UNLISTED, PUBLIC])
async def test_an_image_that_is_shown_is_changed_by_editors_and_its_owner_alone(
    gallery: MemoryGallery, act: OnImage, visibility: Visibility
) -> None:
    first, second = (an_image(owner=OWNER.id, visibility=visibility) for _ in range(2))
    gallery.holds(first, second)

    with gallery.refuses(ForbiddenError) as refusal:
        await act(gallery, CONTRIBUTOR, first)
    await act(gallery, EDITOR, first)
    await act(gallery, OWNER, second)

    assert refusal.value.message == NOT_YOURS
    assert [event.actor for event in gallery.events] == [EDITOR.id, OWNER.id]


async def test_an_image_that_an_album_shows_is_found_and_changed_by_editors(gallery: MemoryGallery) -> None:
    image, album = an_image(owner=OWNER.id), an_album(owner=OWNER.id)
    gallery.holds(image, album)
    gallery.put_in_album(album, image)
    for viewer in (CONTRIBUTOR, EDITOR):
        share(gallery, album, viewer)

    with gallery.refuses(ForbiddenError):
        await gallery.images.update(CONTRIBUTOR, ImageChange(image_id=image.id, title="Lighthouse"))
    changed = await gallery.images.update(EDITOR, ImageChange(image_id=image.id, title="Lighthouse"))

    assert changed.title == "Lighthouse"


async def test_who_is_shown_an_image_is_its_owners_to_say_and_recorded(gallery: MemoryGallery) -> None:
    image = an_image(owner=OWNER.id, visibility=UNLISTED)
    gallery.holds(image)

    with gallery.refuses(ForbiddenError):
        await gallery.images.update(EDITOR, ImageChange(image_id=image.id, visibility=PUBLIC))
    same = await gallery.images.update(EDITOR, ImageChange(image_id=image.id, visibility=UNLISTED))
    changed = await gallery.images.update(OWNER, ImageChange(image_id=image.id, title="Lighthouse", visibility=PUBLIC))

    assert same == image
    assert (changed.visibility, changed.version) == (PUBLIC, 2)
    assert [(event.kind, event.payload) for event in gallery.events] == [
        (EventKind.IMAGE_UPDATED, {"title": {"from": "Harbour", "to": "Lighthouse"}}),
        (EventKind.IMAGE_VISIBILITY_CHANGED, {"visibility": {"from": "UNLISTED", "to": "PUBLIC"}}),
    ]


async def test_many_images_are_shown_at_once_and_those_of_others_are_not(gallery: MemoryGallery) -> None:
    own, public, others, hidden = (
        an_image(owner=owner, visibility=visibility)
        for owner, visibility in ((OWNER.id, PRIVATE), (OWNER.id, PUBLIC), (ADA.id, PUBLIC), (ADA.id, PRIVATE))
    )
    gallery.holds(own, public, others, hidden)
    claim = a_claim(owner=OWNER.id)
    gallery.tables.claims[claim.owner, claim.key] = claim
    missing = new_image_id()

    done = await gallery.images.set_visibility(OWNER, [own.id, public.id, others.id, hidden.id, missing], PUBLIC, claim)

    assert set(done.images) == {own.id, public.id}
    assert done.refused == {others.id}
    assert done.missing == (hidden.id, missing)
    shown = {image.id for image in gallery.tables.images.values() if image.visibility is PUBLIC}
    assert shown == {own.id, public.id, others.id}
    assert [event.entity_id for event in gallery.events] == [own.id]
    assert gallery.tables.claims[claim.owner, claim.key].snapshot is not None


@pytest.mark.parametrize("act", ON_ALBUMS.values(), ids=ON_ALBUMS)
async def test_an_album_that_is_not_shown_is_refused_as_one_that_is_not_there(
    gallery: MemoryGallery, act: OnAlbum
) -> None:
    album = an_album(owner=OWNER.id, visibility=PRIVATE)
    gallery.holds(album)

    with gallery.refuses(NotFoundError) as hidden:
        await act(gallery, CONTRIBUTOR, album)
    with gallery.refuses(NotFoundError) as missing:
        await act(gallery, CONTRIBUTOR, replace(album, id=new_album_id()))

    assert (hidden.value.message, hidden.value.field) == (missing.value.message, missing.value.field)


@pytest.mark.parametrize("act", ON_ALBUMS.values(), ids=ON_ALBUMS)
async def test_an_album_that_is_shown_is_changed_by_editors_and_its_owner_alone(
    gallery: MemoryGallery, act: OnAlbum
) -> None:
    first, second, third = (an_album(owner=OWNER.id, visibility=PUBLIC) for _ in range(3))
    shared = an_album(owner=OWNER.id)
    gallery.holds(first, second, third, shared)
    share(gallery, third, CONTRIBUTOR)
    share(gallery, shared, EDITOR)

    for album in (first, third):
        with gallery.refuses(ForbiddenError):
            await act(gallery, CONTRIBUTOR, album)
    await act(gallery, EDITOR, first)
    await act(gallery, OWNER, second)
    await act(gallery, EDITOR, shared)


async def test_who_is_shown_an_album_is_its_owners_to_say_and_recorded(gallery: MemoryGallery) -> None:
    album = an_album(owner=OWNER.id, visibility=UNLISTED)
    gallery.holds(album)

    with gallery.refuses(ForbiddenError):
        await gallery.albums.update(EDITOR, AlbumChange(album_id=album.id, visibility=PRIVATE))
    changed = await gallery.albums.update(OWNER, AlbumChange(album_id=album.id, visibility=PRIVATE))

    assert changed.visibility is PRIVATE
    payload = {"visibility": {"from": "UNLISTED", "to": "PRIVATE"}}
    assert [(event.kind, event.payload) for event in gallery.events] == [(EventKind.ALBUM_VISIBILITY_CHANGED, payload)]


async def test_a_cover_that_is_not_shown_is_refused_as_one_that_is_not_in_the_album(gallery: MemoryGallery) -> None:
    album, hidden = an_album(owner=OWNER.id), an_image(owner=new_user_id())
    gallery.holds(album, hidden)
    gallery.put_in_album(album, hidden)

    for cover_id in (hidden.id, new_image_id()):
        with gallery.refuses(InvalidInputError) as refusal:
            await gallery.albums.update(OWNER, AlbumChange(album_id=album.id, cover_id=cover_id))
        assert refusal.value.field == ("coverId",)


async def test_images_that_are_not_shown_are_put_into_no_album(gallery: MemoryGallery) -> None:
    album, hidden, own = an_album(owner=OWNER.id), an_image(owner=ADA.id), an_image(owner=OWNER.id)
    gallery.holds(album, hidden, own)

    _, done = await gallery.albums.add_images(OWNER, album.id, [hidden.id, own.id])
    with gallery.refuses(NotFoundError) as refusal:
        await gallery.albums.create(OWNER, NewAlbum(title="Winter", image_ids=[own.id, hidden.id]))

    assert done.missing == (hidden.id,)
    assert gallery.album_of(album) == [own.id]
    assert refusal.value.field == ("imageIds", "1")


async def test_those_with_whom_an_album_is_shared_for_it_put_their_own_images_into_it(gallery: MemoryGallery) -> None:
    album = an_album(owner=OWNER.id)
    own, public, also_own = an_image(owner=CONTRIBUTOR.id), an_image(visibility=PUBLIC), an_image(owner=CONTRIBUTOR.id)
    gallery.holds(album, own, public, also_own)
    share(gallery, album, CONTRIBUTOR, ShareLevel.CONTRIBUTE)

    await gallery.albums.add_images(CONTRIBUTOR, album.id, [own.id])
    with gallery.refuses(ForbiddenError):
        await gallery.albums.add_images(CONTRIBUTOR, album.id, [also_own.id, public.id])
    with gallery.refuses(ForbiddenError):
        await gallery.albums.update(CONTRIBUTOR, AlbumChange(album_id=album.id, title="Winter"))

    assert gallery.album_of(album) == [own.id]
    assert gallery.tables.offered_to(OWNER.id) == {own.id}


async def test_whoever_sees_an_album_takes_their_own_images_out_of_it_and_no_others(gallery: MemoryGallery) -> None:
    album = an_album(owner=OWNER.id, visibility=PUBLIC)
    own, public = an_image(owner=CONTRIBUTOR.id), an_image(visibility=PUBLIC)
    gallery.holds(album, own, public)
    gallery.put_in_album(album, own, public)

    with gallery.refuses(ForbiddenError):
        await gallery.albums.remove_images(CONTRIBUTOR, album.id, [own.id, public.id])
    await gallery.albums.remove_images(CONTRIBUTOR, album.id, [own.id])
    assert gallery.album_of(album) == [public.id]
    await gallery.albums.remove_images(OWNER, album.id, [public.id])
    assert gallery.album_of(album) == []


async def test_new_albums_are_shown_as_they_ask_for_or_as_is_the_default(gallery: MemoryGallery) -> None:
    showing = AlbumService(gallery.unit_of_work, gallery.clock, default_visibility=UNLISTED)

    assert (await gallery.albums.create(OWNER, NewAlbum(title="Winter"))).visibility is PRIVATE
    assert (await showing.create(OWNER, NewAlbum(title="Winter"))).visibility is UNLISTED
    assert (await showing.create(OWNER, NewAlbum(title="Winter", visibility=PUBLIC))).visibility is PUBLIC


@pytest.mark.parametrize(("asked", "shown"), [(None, PRIVATE), (UNLISTED, UNLISTED)])
async def test_new_images_are_shown_as_they_ask_for(
    gallery: MemoryGallery, asked: Visibility | None, shown: Visibility
) -> None:
    file = MemoryIncomingFile([b"a photograph"])

    uploaded = await gallery.uploads.upload(OWNER, NewImage(file=file, visibility=asked))

    assert uploaded.image.visibility is shown


async def test_tags_are_given_and_taken_where_one_may_change_the_image(gallery: MemoryGallery) -> None:
    own, public, hidden = an_image(owner=OWNER.id), an_image(visibility=PUBLIC), an_image()
    tag = a_tag("sea", owner=ADA.id)
    gallery.holds(own, public, hidden, tag)
    ids = [own.id, public.id, hidden.id]
    for image in (public, hidden):
        gallery.put_tags(image, tag)

    given = await gallery.tags.tag_images(OWNER, ids, ["sea"])
    taken = await gallery.tags.untag_images(OWNER, ids, ["sea"])

    for done in (given, taken):
        assert set(done.images) == {own.id}
        assert done.refused == {public.id}
        assert done.missing == (hidden.id,)
    assert gallery.tables.image_tags == {(public.id, tag.id), (hidden.id, tag.id)}


async def test_a_tag_that_is_not_shown_is_not_there_for_editors(gallery: MemoryGallery) -> None:
    hidden, shown = a_tag("secret", owner=ADA.id), a_tag("sea", owner=ADA.id)
    image, public = an_image(), an_image(visibility=PUBLIC)
    gallery.holds(hidden, shown, image, public)
    gallery.put_tags(image, hidden)
    gallery.put_tags(public, shown)

    with gallery.refuses(NotFoundError):
        await gallery.tags.delete(EDITOR, hidden.id)
    await gallery.tags.delete(EDITOR, shown.id)

    assert set(gallery.tables.tags) == {hidden.id}


async def test_an_editor_shows_nobody_the_images_of_an_owner_that_were_shown_to_them(gallery: MemoryGallery) -> None:
    shown, other = an_album(owner=OWNER.id), an_album(owner=OWNER.id)
    private, unlisted = an_image(owner=OWNER.id), an_image(owner=OWNER.id, visibility=UNLISTED)
    gallery.holds(shown, other, private, unlisted)
    gallery.put_in_album(shown, private)
    for album in (shown, other):
        share(gallery, album, EDITOR)
    share(gallery, other, CONTRIBUTOR)

    await gallery.albums.add_images(EDITOR, other.id, [private.id, unlisted.id])
    made = await gallery.albums.create(EDITOR, NewAlbum(title="Winter", image_ids=[private.id, unlisted.id]))
    share(gallery, made, CONTRIBUTOR)

    assert gallery.album_of(other) == gallery.album_of(made) == [private.id, unlisted.id]
    assert gallery.tables.offered_to(CONTRIBUTOR.id) == set()
    with gallery.refuses(NotFoundError):
        await gallery.images.update(CONTRIBUTOR, ImageChange(image_id=private.id, title="Seen"))


async def test_owners_show_what_others_have_put_there_by_putting_it_there_themselves(gallery: MemoryGallery) -> None:
    album, image = an_album(owner=OWNER.id), an_image(owner=OWNER.id, visibility=UNLISTED)
    gallery.holds(album, image)
    share(gallery, album, CONTRIBUTOR)
    share(gallery, album, EDITOR)
    await gallery.albums.add_images(EDITOR, album.id, [image.id])
    assert gallery.tables.offered_to(CONTRIBUTOR.id) == set()

    for _ in range(2):
        await gallery.albums.add_images(OWNER, album.id, [image.id])

    assert gallery.tables.offered_to(CONTRIBUTOR.id) == {image.id}
    assert gallery.album_of(album) == [image.id]
    assert [event.actor for event in gallery.events if event.kind is EventKind.ALBUM_IMAGES_ADDED] == [
        EDITOR.id,
        OWNER.id,
    ]


async def test_administrators_show_images_of_the_owner_of_the_album_and_nobody_elses(gallery: MemoryGallery) -> None:
    album = an_album(owner=OWNER.id)
    of_owner, of_other = an_image(owner=OWNER.id), an_image(owner=new_user_id())
    gallery.holds(album, of_owner, of_other)
    share(gallery, album, CONTRIBUTOR)

    await gallery.albums.add_images(ADA, album.id, [of_owner.id, of_other.id])

    assert gallery.tables.offered_to(CONTRIBUTOR.id) == {of_owner.id}
