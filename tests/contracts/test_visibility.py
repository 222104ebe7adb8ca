"""Who is shown what, by every reader: as the rules in `gallery/domain/access.py` say."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import pytest

from gallery.domain.access import ANONYMOUS, Right, Role, Viewer, Visibility, has, may_list, may_see
from gallery.domain.accounts import Account
from gallery.domain.albums import Album
from gallery.domain.errors import NotFoundError
from gallery.domain.ids import UserId, new_image_id, new_user_id
from gallery.domain.images import Image
from gallery.domain.pages import AlbumQuery, ImageFilter, ImageQuery, ImageSortField, PageRequest, TagMode, TagQuery
from gallery.domain.shares import AlbumShare, ShareLevel
from tests.contracts.under_test import Database
from tests.entities import NOON, a_tag, a_viewer, after, an_account, an_album, an_image

STRANGER = Viewer(id=ANONYMOUS.id, rights=frozenset({Right.READ}))
WHOLE = PageRequest(limit=100)


@dataclass(frozen=True, kw_only=True)
class Filled:
    """A database with images and albums of every visibility: another's, the viewer's own, and shared ones."""

    database: Database
    viewer: Viewer
    images: list[Image]
    shared_images: set[Image]
    albums: list[Album]
    shared_albums: set[Album]

    def listed(self) -> set[Image]:
        return {one for one in self.images if may_list(self.viewer, one, is_shared=one in self.shared_images)}

    def found(self) -> set[Image]:
        return {one for one in self.images if may_see(self.viewer, one, is_shared=one in self.shared_images)}

    def listed_albums(self) -> set[Album]:
        return {one for one in self.albums if may_list(self.viewer, one, is_shared=one in self.shared_albums)}

    def found_albums(self) -> set[Album]:
        return {one for one in self.albums if may_see(self.viewer, one, is_shared=one in self.shared_albums)}


async def share(database: Database, album: Album, account: Account, level: ShareLevel = ShareLevel.VIEW) -> AlbumShare:
    made = AlbumShare(
        album_id=album.id,
        account_id=account.id,
        account_name=account.name,
        level=level,
        shared_by=album.owner,
        shared_at=NOON,
    )
    async with database.unit_of_work() as work:
        await work.accounts.add_unless_there(account)
        await work.shares.save(made)
        await work.commit()
    return made


async def fill(database: Database, viewer: Viewer) -> Filled:
    other = new_user_id()
    owners = [other, *([] if viewer == STRANGER else [viewer.id])]
    images = [
        an_image(owner=owner, visibility=visibility, uploaded_at=after(place), title=f"{place:02}")
        for place, (owner, visibility, _) in enumerate(product(owners, Visibility, range(2)))
    ]
    shared_images = {an_image(owner=other, visibility=one, uploaded_at=after(100)) for one in Visibility}
    albums = [an_album(owner=owner, visibility=visibility) for owner, visibility in product(owners, Visibility)]
    shared_albums = {an_album(owner=other, visibility=one) for one in Visibility}
    if viewer == STRANGER:
        shared_albums = set()
    holder = next(iter(shared_albums), an_album(owner=other))
    everything = [*images, *sorted(shared_images, key=lambda image: image.id)]
    await database.store(
        *everything, *albums, *shared_albums, *({holder} - shared_albums), held={holder: everything[-3:]}
    )
    if viewer != STRANGER:
        account = an_account("viewer", id=viewer.id)
        for album in shared_albums:
            await share(database, album, account)
    return Filled(
        database=database,
        viewer=viewer,
        images=everything,
        shared_images=shared_images if viewer != STRANGER else set(),
        albums=[*albums, *shared_albums, *({holder} - shared_albums)],
        shared_albums=shared_albums,
    )


@pytest.fixture(params=[*Role, "stranger"])
async def filled(request: pytest.FixtureRequest, database: Database) -> Filled:
    viewer = STRANGER if request.param == "stranger" else a_viewer(Role(request.param))
    return await fill(database, viewer)


@pytest.mark.parametrize("field", ImageSortField)
async def test_lists_and_counts_have_what_the_viewer_may_list(filled: Filled, field: ImageSortField) -> None:
    images = filled.database.images
    query = ImageQuery(sort_field=field, page=WHOLE)

    page = await images.list_page(filled.viewer, query)

    assert sorted(page.items, key=lambda image: image.id) == sorted(filled.listed(), key=lambda image: image.id)
    assert await images.count(filled.viewer, ImageFilter()) == len(filled.listed())
    first = await images.list_page(filled.viewer, ImageQuery(sort_field=field, page=PageRequest(limit=2)))
    rest = await images.list_page(
        filled.viewer, ImageQuery(sort_field=field, page=PageRequest(limit=100, after=first.positions[-1]))
    )
    assert (*first.items, *rest.items) == tuple(page.items)


async def test_a_thing_is_found_by_its_id_if_the_viewer_may_see_it(filled: Filled) -> None:
    database, viewer = filled.database, filled.viewer
    ids = [*(image.id for image in filled.images), new_image_id()]

    assert await database.images.get_many(viewer, ids) == {image.id: image for image in filled.found()}
    offered = await database.images.offered(viewer, ids)
    assert offered >= {image.id for image in filled.shared_images}
    assert await database.albums.get_many(viewer, [album.id for album in filled.albums]) == {
        album.id: album for album in filled.found_albums()
    }
    assert await database.albums.shared(viewer, [album.id for album in filled.albums]) == {
        album.id for album in filled.shared_albums
    }


async def test_albums_are_listed_and_counted_by_the_same_rules(filled: Filled) -> None:
    albums = filled.database.albums

    page = await albums.list_page(filled.viewer, AlbumQuery(page=WHOLE))

    assert set(page.items) == filled.listed_albums()
    assert await albums.count(filled.viewer, None) == len(filled.listed_albums())


async def test_statistics_tell_of_what_is_listed(filled: Filled) -> None:
    stats = await filled.database.images.stats(filled.viewer)

    assert stats.image_count == len(filled.listed())
    assert stats.album_count == len(filled.listed_albums())
    assert stats.size_bytes == sum(image.file_size_bytes for image in filled.listed())
    assert sum(one.image_count for one in stats.content_types) == len(filled.listed())


async def test_an_album_shows_of_its_images_what_the_viewer_may_list(filled: Filled) -> None:
    database, viewer = filled.database, filled.viewer
    album = an_album(visibility=Visibility.PUBLIC, owner=new_user_id(), cover_id=filled.images[0].id)
    await database.store(album, held={album: filled.images})
    listed = [image for image in filled.images if image in filled.listed()]

    pages = await database.images.pages_by_album(viewer, [album.id], WHOLE)
    inside = ImageFilter(album_id=album.id)

    assert list(pages[album.id].items) == listed
    assert await database.albums.image_counts(viewer, [album.id]) == {album.id: len(listed)}
    assert await database.albums.cover_ids(viewer, [album.id]) == {album.id: listed[0].id}
    assert await database.images.count(viewer, inside) == len(listed)
    page = await database.images.list_page(viewer, ImageQuery(filter=inside, page=WHOLE))
    assert set(page.items) == set(listed)


async def test_an_album_that_is_not_seen_leaves_nothing_even_of_ones_own(filled: Filled) -> None:
    database, viewer = filled.database, filled.viewer
    album = an_album(visibility=Visibility.PRIVATE, owner=new_user_id())
    await database.store(album, held={album: filled.images})
    inside, is_seen = ImageFilter(album_id=album.id), may_see(viewer, album)

    assert await database.images.count(viewer, inside) == (len(filled.images) if is_seen else 0)
    page = await database.images.list_page(viewer, ImageQuery(filter=inside, page=WHOLE))
    assert bool(page.items) is is_seen
    albums = await database.albums.by_image(viewer, [filled.images[0].id])
    assert bool(albums) is is_seen


async def test_images_tell_of_the_albums_that_the_viewer_may_list(filled: Filled) -> None:
    database, viewer = filled.database, filled.viewer
    image = an_image(visibility=Visibility.PUBLIC)
    await database.store(image, held={album: [image] for album in filled.albums})

    found = await database.albums.by_image(viewer, [image.id])

    assert set(found.get(image.id, ())) == filled.listed_albums()


async def test_a_tag_is_seen_by_whoever_lists_an_image_with_it(filled: Filled) -> None:
    database, viewer = filled.database, filled.viewer
    tags = {a_tag(f"tag {place:02}", owner=new_user_id()): [image] for place, image in enumerate(filled.images)}
    unused, everywhere = a_tag("unused", owner=new_user_id()), a_tag("everywhere", owner=new_user_id())
    own = a_tag("own", owner=viewer.id)
    await database.store(*tags, unused, everywhere, own, tagged={**tags, everywhere: filled.images})
    seen = {tag for tag, (image,) in tags.items() if image in filled.listed()} | {own, everywhere}
    if Right.ADMINISTER in viewer.rights:
        seen.add(unused)
    ids = [tag.id for tag in (*tags, unused, everywhere, own)]

    page = await database.tags.list_page(viewer, TagQuery(page=WHOLE))
    listing = (await database.images.pages_by_tag(viewer, [everywhere.id], WHOLE))[everywhere.id]

    assert set(page.items) == seen
    assert await database.tags.count(viewer, None) == len(seen)
    assert await database.tags.get_many(viewer, ids) == {tag.id: tag for tag in seen}
    assert (await database.tags.image_counts(viewer, ids))[everywhere.id] == len(filled.listed())
    assert set(listing.items) == filled.listed()
    assert (await database.images.stats(viewer)).tag_count == len(seen)
    for mode in TagMode:
        wanted = ImageFilter(tag_names=("everywhere",), tag_mode=mode)
        assert await database.images.count(viewer, wanted) == len(filled.listed())
    either = ImageFilter(tag_names=("everywhere", "tag 00"))
    assert await database.images.count(viewer, either) == len(filled.listed())
    async with database.unit_of_work() as work:
        assert {tag_id for tag_id in ids if await work.tags.is_seen(viewer, tag_id)} == {tag.id for tag in seen}


async def test_an_album_offers_private_images_that_their_owners_put_there_and_no_others(database: Database) -> None:
    host, guest, friend = (a_viewer(Role.CONTRIBUTOR) for _ in range(3))
    album = an_album(owner=host.id)
    of_host, of_guest, of_other, lent = (an_image(owner=one) for one in (host.id, guest.id, new_user_id(), guest.id))
    await database.store(album, of_host, of_guest, of_other, lent)
    for viewer, name in ((guest, "guest"), (friend, "friend")):
        await share(database, album, an_account(name, id=viewer.id))
    async with database.unit_of_work() as work:
        await work.albums.append(album.id, [of_host.id, of_other.id, lent.id], offered_by=[host.id])
        await work.albums.append(album.id, [of_guest.id], offered_by=[guest.id])
        await work.commit()
    ids = [image.id for image in (of_host, of_guest, of_other, lent)]

    async def offered(account: UserId) -> set[object]:
        seen = await database.images.offered(Viewer(id=account, rights=frozenset({Right.READ})), ids)
        async with database.unit_of_work() as work:
            assert await work.shares.offered(account, ids) == seen
        return set(seen)

    assert await offered(friend.id) == await offered(host.id) == await offered(guest.id) == {of_host.id, of_guest.id}
    assert await offered(new_user_id()) == set()
    async with database.unit_of_work() as work:
        await work.albums.remove(album.id, [of_guest.id])
        await work.shares.delete(album.id, friend.id)
        await work.commit()
    assert await offered(friend.id) == set()
    assert await offered(guest.id) == {of_host.id}


async def test_nobody_offers_the_images_of_others_even_in_an_album_of_their_owner(database: Database) -> None:
    host, editor, friend = a_viewer(Role.CONTRIBUTOR), a_viewer(Role.EDITOR), a_viewer(Role.CONTRIBUTOR)
    album, image = an_album(owner=host.id), an_image(owner=host.id)
    await database.store(album, image)
    await share(database, album, an_account("friend", id=friend.id))

    async def put(*offered_by: UserId) -> tuple[object, ...]:
        async with database.unit_of_work() as work:
            changed = await work.albums.append(album.id, [image.id], offered_by=offered_by)
            await work.commit()
        return changed

    async def seen() -> set[object]:
        found = await database.images.get_many(friend, [image.id])
        assert await database.images.offered(friend, [image.id]) == set(found)
        return set(found)

    assert await put(editor.id) == (image.id,)
    assert await seen() == set()
    assert await put(editor.id) == await put() == ()
    assert await seen() == set()
    assert await put(host.id) == (image.id,)
    assert await seen() == {image.id}
    assert await put(host.id) == await put(editor.id) == ()
    assert await seen() == {image.id}


async def test_what_is_put_there_again_stays_where_it_is(database: Database) -> None:
    owner = new_user_id()
    album, first, second, third = an_album(), *(an_image(owner=owner) for _ in range(3))
    await database.store(album, first, second, third, held={album: [first, second]})

    async with database.unit_of_work() as work:
        assert await work.albums.append(album.id, [third.id, first.id], offered_by=[owner]) == (third.id, first.id)
        await work.commit()

    pages = await database.images.pages_by_album(a_viewer(Role.ADMINISTRATOR), [album.id], WHOLE)
    assert pages[album.id].items == (first, second, third)


async def test_what_an_account_has_put_into_an_album_is_withdrawn_from_it_alone(database: Database) -> None:
    host, guest = new_user_id(), new_user_id()
    album, other = an_album(owner=host), an_album(owner=host)
    of_guest, also_of_guest, of_host = an_image(owner=guest), an_image(owner=guest), an_image(owner=host)
    await database.store(album, other, of_guest, also_of_guest, of_host, held={album: [of_host]})
    async with database.unit_of_work() as work:
        await work.albums.append(album.id, [of_guest.id], offered_by=[guest])
        await work.albums.append(other.id, [also_of_guest.id], offered_by=[guest])
        await work.commit()
    ids = [image.id for image in (of_guest, also_of_guest, of_host)]
    viewer = Viewer(id=host, rights=frozenset({Right.READ}))
    assert await database.images.offered(viewer, ids) == set(ids)

    async with database.unit_of_work() as work:
        await work.albums.withdraw(album.id, guest)
        await work.commit()

    assert await database.images.offered(viewer, ids) == {also_of_guest.id, of_host.id}
    async with database.unit_of_work() as work:
        assert await work.albums.members(album.id, ids) == {of_host.id, of_guest.id}


async def test_shares_are_told_to_who_has_the_album_by_name(database: Database) -> None:
    owner, viewer = a_viewer(Role.CONTRIBUTOR), a_viewer(Role.EDITOR)
    administrator = a_viewer(Role.ADMINISTRATOR)
    album, other = an_album(owner=owner.id, visibility=Visibility.PUBLIC), an_album(owner=owner.id)
    await database.store(album, other)
    zoe = await share(database, album, an_account("Zoe"))
    ben = await share(database, album, an_account("ben", id=viewer.id), ShareLevel.CONTRIBUTE)

    for asks in (owner, administrator):
        assert has(asks, album)
        assert await database.albums.shares(asks, [album.id, other.id]) == {album.id: (ben, zoe)}
    assert await database.albums.shares(viewer, [album.id, other.id]) == {}
    async with database.unit_of_work() as work:
        assert await work.shares.of_album(album.id) == (ben, zoe)
        assert await work.shares.level(album.id, viewer.id) is ShareLevel.CONTRIBUTE
        assert await work.shares.level(other.id, viewer.id) is None
        assert await work.shares.delete(album.id, viewer.id)
        assert not await work.shares.delete(album.id, viewer.id)
        await work.commit()
    assert await database.albums.shares(owner, [album.id]) == {album.id: (zoe,)}


async def test_a_share_takes_the_place_of_an_earlier_one_and_goes_with_its_album(database: Database) -> None:
    album, account = an_album(), an_account("Zoe")
    await database.store(album)
    await share(database, album, account)
    again = await share(database, album, account, ShareLevel.CONTRIBUTE)

    async with database.unit_of_work() as work:
        assert await work.shares.of_album(album.id) == (again,)
        await work.albums.delete(album.id)
        assert await work.shares.of_album(album.id) == ()
        await work.commit()


@pytest.mark.parametrize("missing", ["album", "account"])
async def test_what_is_not_there_is_not_shared(database: Database, missing: str) -> None:
    album, account = an_album(), an_account("Zoe")
    await database.store(*([] if missing == "album" else [album]))
    made = AlbumShare(
        album_id=album.id,
        account_id=account.id,
        account_name="Zoe",
        level=ShareLevel.VIEW,
        shared_by=album.owner,
        shared_at=NOON,
    )
    async with database.unit_of_work() as work:
        if missing == "album":
            await work.accounts.add_unless_there(account)
        with pytest.raises(NotFoundError, match=f"no such {missing}"):
            await work.shares.save(made)
