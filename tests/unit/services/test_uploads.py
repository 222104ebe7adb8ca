"""Files that become images."""

from __future__ import annotations

import asyncio

import pytest

from gallery.domain.events import EventKind
from gallery.domain.images import ContentType, Image, ImageInfo, ProcessingState
from gallery.domain.jobs import RenderImage
from gallery.services.recording import UploadOutcome, UploadResult
from gallery.services.uploads import NewImage
from tests.entities import ADA, BOB, a_tag, an_album, checksum_of
from tests.fakes.gallery import HEAD_BYTES, MAX_FILE_SIZE_BYTES, MemoryGallery
from tests.fakes.incoming import MemoryIncomingFile
from tests.fakes.storage import MemoryObject

CONTENT = b"a photograph of a harbour"


async def upload(gallery: MemoryGallery, content: bytes = CONTENT) -> UploadResult:
    return await gallery.uploads.upload(BOB, NewImage(file=MemoryIncomingFile([content])))


async def test_a_file_becomes_an_image_with_its_bytes_event_and_job(gallery: MemoryGallery) -> None:
    gallery.inspector.answer = ImageInfo(content_type=ContentType.PNG, width_px=40, height_px=30)
    now = gallery.clock.advance(minutes=5)
    file = MemoryIncomingFile([CONTENT[:4], CONTENT[4:20], CONTENT[20:]], filename="C:\\Photos\\harbour.png")

    result = await gallery.uploads.upload(BOB, NewImage(file=file, title=" Harbour ", description=" By day "))

    image = result.image
    assert result.outcome is UploadOutcome.CREATED
    assert image == Image(
        id=image.id,
        owner=BOB.id,
        filename=f"{image.id}.png",
        original_filename="harbour.png",
        content_type=ContentType.PNG,
        file_size_bytes=len(CONTENT),
        storage_path=f"images/2026/05/{image.id}.png",
        checksum=checksum_of(CONTENT),
        width_px=40,
        height_px=30,
        title="Harbour",
        description="By day",
        processing=ProcessingState.PENDING,
        processing_error=None,
        uploaded_at=now,
        created_at=now,
        updated_at=now,
    )
    assert gallery.tables.images == {image.id: image}
    assert gallery.storage.objects == {image.storage_path: MemoryObject(content=CONTENT, content_type="image/png")}
    assert gallery.jobs == [RenderImage(image.id)]
    payload = {
        "original_filename": "harbour.png",
        "content_type": "image/png",
        "file_size_bytes": len(CONTENT),
        "checksum": checksum_of(CONTENT),
    }
    assert gallery.history == [(EventKind.IMAGE_UPLOADED, image.id, BOB.id, now, payload)]
    assert gallery.heard == [tuple(gallery.events)]


async def test_an_untitled_image_is_called_like_its_file(gallery: MemoryGallery) -> None:
    file = MemoryIncomingFile([CONTENT], filename="harbour at night.jpg")

    result = await gallery.uploads.upload(BOB, NewImage(file=file))

    assert (result.image.title, result.image.description) == ("harbour at night", None)


async def test_a_file_without_a_name_is_called_unnamed(gallery: MemoryGallery) -> None:
    result = await gallery.uploads.upload(BOB, NewImage(file=MemoryIncomingFile([CONTENT], filename=None)))

    assert (result.image.title, result.image.original_filename) == ("unnamed", "unnamed")


async def test_an_image_gets_its_tags_and_its_album(gallery: MemoryGallery) -> None:
    sea, album = a_tag("Sea"), an_album()
    gallery.holds(sea, album)
    now = gallery.clock.advance(minutes=5)

    result = await gallery.uploads.upload(
        BOB, NewImage(file=MemoryIncomingFile([CONTENT]), tag_names=["sea"], album_id=album.id)
    )

    image = result.image
    assert gallery.tables.image_tags == {(image.id, sea.id)}
    assert gallery.album_of(album) == [image.id]
    assert gallery.tables.albums == {album.id: album.touched(now)}
    assert gallery.history[1:] == [
        (EventKind.IMAGE_TAGGED, image.id, BOB.id, now, {"tag_ids": [sea.id.hex], "tags": ["Sea"]}),
        (EventKind.ALBUM_IMAGES_ADDED, album.id, BOB.id, now, {"image_ids": [image.id.hex]}),
    ]
    assert gallery.heard == [tuple(gallery.events)]


@pytest.mark.parametrize(
    ("chunks", "head", "complete"),
    [
        ([b"123", b"4567", b"890ab", b"cdef"], b"1234567890ab", False),
        ([b"1234567890abcdef"], b"1234567890abcdef", False),
        ([b"123", b"456"], b"123456", True),
        ([b"12345", b"67890"], b"1234567890", False),  # whether more comes is not known yet
        ([b"", b"12345", b"", b"6789"], b"123456789", True),
    ],
)
async def test_the_first_bytes_are_looked_at_before_anything_is_stored(
    gallery: MemoryGallery, chunks: list[bytes], head: bytes, *, complete: bool
) -> None:
    assert HEAD_BYTES == 10

    result = await gallery.uploads.upload(BOB, NewImage(file=MemoryIncomingFile(chunks)))

    assert gallery.inspector.asked == [(head, complete)]
    [(info, check)] = gallery.inspector.followed
    assert (info, check.fed) == (gallery.inspector.answer, b"".join(chunks))
    assert gallery.storage.objects[result.image.storage_path].content == b"".join(chunks)


async def test_more_of_a_file_is_looked_at_if_its_header_is_longer(gallery: MemoryGallery) -> None:
    gallery.inspector.header_bytes = 13

    result = await gallery.uploads.upload(BOB, NewImage(file=MemoryIncomingFile([b"1234567890", b"abc", b"defgh"])))

    assert gallery.inspector.asked == [(b"1234567890", False), (b"1234567890abcdefgh", True)]
    assert gallery.storage.objects[result.image.storage_path].content == b"1234567890abcdefgh"


@pytest.mark.parametrize("chunk_size", [1, 7, MAX_FILE_SIZE_BYTES])
async def test_a_file_of_the_largest_size_is_taken(gallery: MemoryGallery, chunk_size: int) -> None:
    content = bytes(range(MAX_FILE_SIZE_BYTES))
    chunks = [content[start : start + chunk_size] for start in range(0, len(content), chunk_size)]

    result = await gallery.uploads.upload(BOB, NewImage(file=MemoryIncomingFile(chunks)))

    assert result.image.file_size_bytes == MAX_FILE_SIZE_BYTES
    assert result.image.checksum == checksum_of(content)


async def test_the_same_bytes_become_no_second_image(gallery: MemoryGallery) -> None:
    first = await upload(gallery)
    rows, objects = gallery.state()
    album = an_album()
    gallery.holds(album)
    now = gallery.clock.advance(minutes=5)

    second = await gallery.uploads.upload(
        BOB,
        NewImage(file=MemoryIncomingFile([CONTENT]), title="Another", tag_names=["Sea"], album_id=album.id),
    )

    assert second == UploadResult(image=first.image, outcome=UploadOutcome.EXISTING)
    assert gallery.tables.images == rows.images
    assert gallery.storage.puts == 2
    assert gallery.storage.objects == objects
    assert gallery.jobs == rows.jobs
    assert gallery.album_of(album) == [first.image.id]
    [sea] = gallery.tables.tags.values()
    assert gallery.history[1:] == [
        (EventKind.TAG_CREATED, sea.id, BOB.id, now, {"name": "Sea"}),
        (EventKind.IMAGE_TAGGED, first.image.id, BOB.id, now, {"tag_ids": [sea.id.hex], "tags": ["Sea"]}),
        (EventKind.ALBUM_IMAGES_ADDED, album.id, BOB.id, now, {"image_ids": [first.image.id.hex]}),
    ]


async def test_an_image_that_is_in_the_album_already_does_not_touch_it(gallery: MemoryGallery) -> None:
    album = an_album(owner=BOB.id)
    gallery.holds(album)
    first = await upload(gallery)
    gallery.put_in_album(album, first.image)

    await gallery.uploads.upload(BOB, NewImage(file=MemoryIncomingFile([CONTENT]), album_id=album.id))

    assert gallery.tables.albums == {album.id: album}
    assert [kind for kind, *_ in gallery.history] == [EventKind.IMAGE_UPLOADED]


async def test_everybody_may_have_an_image_of_the_same_bytes(gallery: MemoryGallery) -> None:
    bobs = await upload(gallery)
    adas = await gallery.uploads.upload(ADA, NewImage(file=MemoryIncomingFile([CONTENT])))

    assert adas.outcome is UploadOutcome.CREATED
    assert gallery.tables.images == {bobs.image.id: bobs.image, adas.image.id: adas.image}
    assert len(gallery.storage.objects) == 2


async def test_bytes_whose_image_was_deleted_become_an_image_again(gallery: MemoryGallery) -> None:
    first = await upload(gallery)
    await gallery.images.delete(BOB, first.image.id)

    second = await upload(gallery)

    assert second.outcome is UploadOutcome.CREATED
    assert second.image.id != first.image.id
    assert gallery.tables.living == {second.image.id: second.image}


async def test_the_same_bytes_at_the_same_moment_become_one_image(gallery: MemoryGallery) -> None:
    one, other = await asyncio.gather(upload(gallery), upload(gallery))

    assert {one.outcome, other.outcome} == {UploadOutcome.CREATED, UploadOutcome.EXISTING}
    assert one.image == other.image
    assert gallery.tables.images == {one.image.id: one.image}
    assert set(gallery.storage.objects) == {one.image.storage_path}
    assert gallery.jobs == [RenderImage(one.image.id)]


async def test_settling_waits_for_nothing_if_no_upload_is_under_way(gallery: MemoryGallery) -> None:
    await upload(gallery)
    before = gallery.state()

    await gallery.uploads.settle()

    assert gallery.state() == before
