"""What every comparison of rows with objects must know."""

from __future__ import annotations

from gallery.domain.images import Image, Rendition, RenditionSize
from gallery.domain.upload_ports import ExpectedObject
from gallery.domain.uploads import UploadState
from tests.contracts.under_test import Database
from tests.entities import a_rendition, a_staged_upload, after, an_image, an_upload


def the_original(image: Image) -> ExpectedObject:
    return ExpectedObject(
        image_id=image.id,
        size_name=None,
        storage_path=image.storage_path,
        size_bytes=image.file_size_bytes,
        checksum=image.checksum,
        stored_at=image.uploaded_at,
    )


def the_rendition(image: Image, rendition: Rendition) -> ExpectedObject:
    return ExpectedObject(
        image_id=image.id,
        size_name=rendition.size.value,
        storage_path=rendition.storage_path,
        size_bytes=rendition.file_size_bytes,
        checksum=rendition.checksum,
        stored_at=image.updated_at,
    )


async def rendered(database: Database, image: Image, *sizes: RenditionSize) -> None:
    async with database.unit_of_work() as work:
        await work.images.replace_renditions(image.id, [a_rendition(image, size) for size in sizes])
        await work.commit()


async def test_images_renditions_and_open_uploads_name_objects(database: Database) -> None:
    image, upload, staged = an_image(), an_upload(), a_staged_upload()
    await database.store(image, upload, staged)
    await rendered(database, image, RenditionSize.SMALL)
    named = {image.storage_path, a_rendition(image).storage_path, upload.storage_path, staged.storage_path}

    assert await database.named_objects.named([*named, "images/2026/05/unknown.jpg"]) == named
    assert await database.named_objects.named([image.storage_path]) == {image.storage_path}
    assert await database.named_objects.named([]) == set()


async def test_deleted_images_and_completed_uploads_name_nothing(database: Database) -> None:
    image, completed = an_image(), a_staged_upload(state=UploadState.COMPLETED)
    await database.store(image, completed)
    await rendered(database, image, RenditionSize.SMALL)
    await database.save(image.deleted(after(1)))

    paths = [image.storage_path, a_rendition(image).storage_path, completed.storage_path]
    assert await database.named_objects.named(paths) == set()


async def test_an_object_is_named_while_its_upload_becomes_an_image(database: Database) -> None:
    upload = an_upload()
    image = an_image(id=upload.image_id, storage_path=upload.storage_path)
    await database.store(upload)

    async with database.unit_of_work() as work:
        await work.images.add(image)
        await work.uploads.delete([upload.id])
        assert await database.named_objects.named([upload.storage_path]) == {upload.storage_path}
        await work.commit()

    assert await database.named_objects.named([upload.storage_path]) == {upload.storage_path}


async def test_living_images_expect_their_original_and_then_their_renditions(database: Database) -> None:
    image, plain, deleted = an_image(updated_at=after(5)), an_image(), an_image()
    await database.store(image, plain, deleted)
    await rendered(database, image, RenditionSize.LARGE, RenditionSize.SMALL)
    await rendered(database, deleted, RenditionSize.SMALL)
    await database.save(deleted.deleted(after(1)))
    of_image = (
        the_original(image),
        the_rendition(image, a_rendition(image, RenditionSize.SMALL)),
        the_rendition(image, a_rendition(image, RenditionSize.LARGE)),
    )
    in_order = {image.id: of_image, plain.id: (the_original(plain),)}

    expected = await database.named_objects.expected(after=None, limit=10)

    assert expected == tuple(one for image_id in sorted(in_order) for one in in_order[image_id])


async def test_the_limit_counts_images_and_the_next_page_goes_on_after_the_last(database: Database) -> None:
    first, second, third = sorted((an_image() for _ in range(3)), key=lambda image: image.id)
    await database.store(first, second, third)
    await rendered(database, first, RenditionSize.SMALL)

    page = await database.named_objects.expected(after=None, limit=2)
    rest = await database.named_objects.expected(after=second.id, limit=2)

    assert page == (the_original(first), the_rendition(first, a_rendition(first)), the_original(second))
    assert rest == (the_original(third),)
    assert await database.named_objects.expected(after=third.id, limit=2) == ()
