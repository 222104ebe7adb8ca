"""What jobs do: making renditions, giving up, removing objects."""

from __future__ import annotations

import pytest

from gallery.domain.access import GALLERY_ITSELF
from gallery.domain.errors import CorruptImageError, NotFoundError, UnavailableError
from gallery.domain.events import EventKind
from gallery.domain.ids import new_image_id
from gallery.domain.images import Image, ProcessingState, Rendition, RenditionSize
from tests.entities import ADA, NOON, an_image, checksum_of
from tests.fakes.database import CommitFault
from tests.fakes.gallery import MemoryGallery
from tests.fakes.storage import MemoryObject


@pytest.fixture
def image(gallery: MemoryGallery) -> Image:
    image = an_image()
    gallery.holds(image)
    return image


async def test_renditions_are_stored_and_the_image_is_ready(gallery: MemoryGallery, image: Image) -> None:
    now = gallery.clock.advance(minutes=5)

    await gallery.renditions.render(image.id)

    contents = {size: f"{size} of ".encode() + image.id.bytes for size in RenditionSize}
    paths = {size: f"thumbnails/{size}/{image.id}.webp" for size in RenditionSize}
    assert gallery.tables.renditions == {
        image.id: tuple(
            Rendition(
                image_id=image.id,
                size=size,
                content_type="image/webp",
                width_px=40 * scale,
                height_px=30 * scale,
                file_size_bytes=len(contents[size]),
                checksum=checksum_of(contents[size]),
                storage_path=paths[size],
            )
            for scale, size in enumerate(RenditionSize, start=1)
        )
    }
    assert {size: gallery.storage.objects[path] for size, path in paths.items()} == {
        size: MemoryObject(content=content, content_type="image/webp") for size, content in contents.items()
    }
    assert gallery.tables.images == {image.id: image.rendered(now)}
    payload = {"sizes": ["small", "medium", "large"]}
    assert gallery.history == [(EventKind.IMAGE_RENDERED, image.id, GALLERY_ITSELF.id, now, payload)]
    assert gallery.heard == [tuple(gallery.events)]


async def test_rendering_twice_does_no_harm(gallery: MemoryGallery, image: Image) -> None:
    await gallery.renditions.render(image.id)
    before = gallery.state()

    await gallery.renditions.render(image.id)

    assert gallery.state() == before
    assert len(gallery.renderer.originals) == 1


async def test_an_image_that_failed_can_be_rendered_later(gallery: MemoryGallery) -> None:
    failed = an_image().failed("It took too long.", NOON)
    gallery.holds(failed)

    await gallery.renditions.render(failed.id)

    assert gallery.tables.images[failed.id] == failed.rendered(NOON)


@pytest.mark.parametrize("deleted", [True, False])
async def test_an_image_that_is_not_there_is_not_rendered(gallery: MemoryGallery, *, deleted: bool) -> None:
    image = an_image().deleted(NOON)
    if deleted:
        gallery.holds(image)
    before = gallery.state()

    await gallery.renditions.render(image.id)

    assert gallery.state() == before
    assert gallery.renderer.originals == []


async def test_the_renditions_of_an_image_that_is_deleted_meanwhile_are_removed(
    gallery: MemoryGallery, image: Image
) -> None:
    gallery.renderer.meanwhile = lambda: gallery.images.delete(ADA, image.id)

    await gallery.renditions.render(image.id)

    assert set(gallery.storage.objects) == {image.storage_path}
    assert gallery.storage.puts == 3
    assert gallery.tables.renditions == {}
    assert [kind for kind, *_ in gallery.history] == [EventKind.IMAGE_DELETED]


async def test_an_image_that_cannot_be_decoded_stays_pending(gallery: MemoryGallery, image: Image) -> None:
    gallery.renderer.refusal = CorruptImageError("The pixels are damaged.")

    with gallery.refuses(CorruptImageError):
        await gallery.renditions.render(image.id)

    assert gallery.tables.images[image.id].processing is ProcessingState.PENDING


async def test_an_original_that_is_gone_is_not_found(gallery: MemoryGallery, image: Image) -> None:
    gallery.storage.objects.clear()

    with gallery.refuses(NotFoundError):
        await gallery.renditions.render(image.id)


@pytest.mark.parametrize("method", ["open", "put"])
async def test_nothing_changes_while_the_storage_does_not_answer(
    gallery: MemoryGallery, image: Image, method: str
) -> None:
    gallery.storage.broken = {method}

    with gallery.refuses(UnavailableError):
        await gallery.renditions.render(image.id)

    gallery.storage.broken.clear()
    await gallery.renditions.render(image.id)
    assert gallery.tables.images[image.id].processing is ProcessingState.READY


async def test_renditions_whose_rows_could_not_be_written_are_made_again(gallery: MemoryGallery, image: Image) -> None:
    gallery.database.commit_faults.append(CommitFault(error=UnavailableError("database")))

    with pytest.raises(UnavailableError):
        await gallery.renditions.render(image.id)
    assert gallery.tables.images == {image.id: image}
    assert gallery.events == []

    await gallery.renditions.render(image.id)
    assert gallery.tables.images == {image.id: image.rendered(NOON)}


async def test_an_image_that_is_given_up_says_why(gallery: MemoryGallery, image: Image) -> None:
    now = gallery.clock.advance(minutes=5)

    await gallery.renditions.give_up(image.id, "The pixels are damaged.")

    assert gallery.tables.images == {image.id: image.failed("The pixels are damaged.", now)}
    payload = {"reason": "The pixels are damaged."}
    assert gallery.history == [(EventKind.IMAGE_RENDERING_FAILED, image.id, GALLERY_ITSELF.id, now, payload)]
    assert gallery.heard == [tuple(gallery.events)]


async def test_an_image_that_is_ready_or_gone_is_not_given_up(gallery: MemoryGallery) -> None:
    ready, deleted = an_image().rendered(NOON), an_image().deleted(NOON)
    gallery.holds(ready, deleted)
    before = gallery.state()

    for image_id in (ready.id, deleted.id, new_image_id()):
        await gallery.renditions.give_up(image_id, "It took too long.")

    assert gallery.state() == before
    assert gallery.heard == []


async def test_objects_are_removed_whether_or_not_they_are_there(gallery: MemoryGallery, image: Image) -> None:
    other = an_image()
    gallery.holds(other)

    await gallery.renditions.delete_objects([image.storage_path, "thumbnails/small/none.webp"])

    assert set(gallery.storage.objects) == {other.storage_path}
