"""Changes complete the claim of their request: by their own commit, and even if there was nothing to change."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from gallery.domain.errors import ConflictError, ErrorCode, NotFoundError, UnavailableError
from gallery.domain.idempotency import Claim, Snapshot
from gallery.domain.ids import new_image_id
from gallery.services.albums import AlbumChange
from gallery.services.images import ImageChange
from tests.entities import ADA, NOON, a_claim, a_tag, an_album, an_image
from tests.fakes.database import CommitFault
from tests.fakes.gallery import MemoryGallery

IMAGE, IN_ALBUM, UNKNOWN = an_image(title="Harbour"), an_image(), new_image_id()
TAG, ALBUM = a_tag("Sea"), an_album(title="Summer")
RENAMED = replace(IMAGE, title="Lighthouse", updated_at=NOON, version=2)
RETITLED = replace(ALBUM, title="Winter", updated_at=NOON, version=2)
FILLED = replace(ALBUM, updated_at=NOON, version=2)

Change = Callable[[MemoryGallery, Claim], Awaitable[object]]

CHANGES: dict[str, tuple[Change, Snapshot]] = {
    "update an image": (
        lambda gallery, claim: gallery.images.update(ADA, ImageChange(image_id=IMAGE.id, title="Lighthouse"), claim),
        Snapshot(image=RENAMED),
    ),
    "delete an image": (
        lambda gallery, claim: gallery.images.delete(ADA, IMAGE.id, claim),
        Snapshot(image=IMAGE),
    ),
    "tag images": (
        lambda gallery, claim: gallery.tags.tag_images(ADA, [UNKNOWN, IMAGE.id], ["Sand"], claim),
        Snapshot(image_ids=(IMAGE.id,)),
    ),
    "untag images": (
        lambda gallery, claim: gallery.tags.untag_images(ADA, [IN_ALBUM.id, UNKNOWN], ["Sea"], claim),
        Snapshot(image_ids=(IN_ALBUM.id,)),
    ),
    "delete a tag": (
        lambda gallery, claim: gallery.tags.delete(ADA, TAG.id, claim),
        Snapshot(tag=TAG),
    ),
    "update an album": (
        lambda gallery, claim: gallery.albums.update(ADA, AlbumChange(album_id=ALBUM.id, title="Winter"), claim),
        Snapshot(album=RETITLED),
    ),
    "delete an album": (
        lambda gallery, claim: gallery.albums.delete(ADA, ALBUM.id, claim),
        Snapshot(album=ALBUM),
    ),
    "add images to an album": (
        lambda gallery, claim: gallery.albums.add_images(ADA, ALBUM.id, [IMAGE.id, UNKNOWN], claim),
        Snapshot(album=FILLED, image_ids=(IMAGE.id,)),
    ),
    "remove images from an album": (
        lambda gallery, claim: gallery.albums.remove_images(ADA, ALBUM.id, [IN_ALBUM.id], claim),
        Snapshot(album=FILLED, image_ids=(IN_ALBUM.id,)),
    ),
}

WITHOUT_EFFECT: dict[str, tuple[Change, Snapshot]] = {
    "update an image": (
        lambda gallery, claim: gallery.images.update(ADA, ImageChange(image_id=IMAGE.id, title="Harbour"), claim),
        Snapshot(image=IMAGE),
    ),
    "tag images": (
        lambda gallery, claim: gallery.tags.tag_images(ADA, [UNKNOWN], ["Sand"], claim),
        Snapshot(),
    ),
    "untag images": (
        lambda gallery, claim: gallery.tags.untag_images(ADA, [IMAGE.id], ["Sea"], claim),
        Snapshot(image_ids=(IMAGE.id,)),
    ),
    "update an album": (
        lambda gallery, claim: gallery.albums.update(ADA, AlbumChange(album_id=ALBUM.id, title="Summer"), claim),
        Snapshot(album=ALBUM),
    ),
    "add images to an album": (
        lambda gallery, claim: gallery.albums.add_images(ADA, ALBUM.id, [IN_ALBUM.id], claim),
        Snapshot(album=ALBUM, image_ids=(IN_ALBUM.id,)),
    ),
    "remove images from an album": (
        lambda gallery, claim: gallery.albums.remove_images(ADA, ALBUM.id, [IMAGE.id], claim),
        Snapshot(album=ALBUM, image_ids=(IMAGE.id,)),
    ),
}

every_change = pytest.mark.parametrize(("change", "snapshot"), CHANGES.values(), ids=CHANGES)


@pytest.fixture
def claim(gallery: MemoryGallery) -> Claim:
    """The claim of a request, in a gallery with something to change."""
    gallery.holds(IMAGE, IN_ALBUM, TAG, ALBUM)
    gallery.put_in_album(ALBUM, IN_ALBUM)
    gallery.put_tags(IN_ALBUM, TAG)
    claim = a_claim()
    gallery.tables.claims[claim.owner, claim.key] = claim
    return claim


@every_change
async def test_a_change_completes_its_claim_with_what_it_answers(
    gallery: MemoryGallery, claim: Claim, change: Change, snapshot: Snapshot
) -> None:
    await change(gallery, claim)

    assert list(gallery.tables.claims.values()) == [claim.changed(snapshot)]
    assert len(gallery.heard) == 1


@pytest.mark.parametrize("change", [change for change, _ in CHANGES.values()], ids=CHANGES)
async def test_a_claim_that_was_taken_over_lets_nothing_be_changed(
    gallery: MemoryGallery, claim: Claim, change: Change
) -> None:
    with gallery.refuses(ConflictError) as refusal:
        await change(gallery, replace(claim, holder=a_claim().holder))

    assert refusal.value.code is ErrorCode.VERSION_CONFLICT
    assert gallery.tables.claims == {(claim.owner, claim.key): claim}


@every_change
async def test_a_commit_that_fails_leaves_neither_change_nor_result(
    gallery: MemoryGallery, claim: Claim, change: Change, snapshot: Snapshot
) -> None:
    gallery.database.commit_faults.append(CommitFault(error=UnavailableError("database")))
    with gallery.refuses(UnavailableError):
        await change(gallery, claim)

    await change(gallery, claim)

    assert gallery.tables.claims[claim.owner, claim.key].snapshot == snapshot


@pytest.mark.parametrize(("change", "snapshot"), WITHOUT_EFFECT.values(), ids=WITHOUT_EFFECT)
async def test_a_request_that_changes_nothing_is_done_all_the_same(
    gallery: MemoryGallery, claim: Claim, change: Change, snapshot: Snapshot
) -> None:
    await change(gallery, claim)

    assert list(gallery.tables.claims.values()) == [claim.changed(snapshot)]
    assert gallery.events == []
    assert gallery.heard == []


async def test_a_refused_change_completes_no_claim(gallery: MemoryGallery, claim: Claim) -> None:
    with gallery.refuses(NotFoundError):
        await gallery.images.delete(ADA, UNKNOWN, claim)

    assert gallery.tables.claims[claim.owner, claim.key] == claim


async def test_a_claim_whose_work_was_done_under_another_key_gets_its_result(
    gallery: MemoryGallery, claim: Claim
) -> None:
    completed = claim.completed(IMAGE.id, outcome="CREATED", file_checksum=IMAGE.checksum)

    await gallery.idempotency.complete(ADA, completed)

    assert list(gallery.tables.claims.values()) == [completed]
