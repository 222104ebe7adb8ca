"""Images in the schema: how they are found and changed. Adding them is in `uploads.py`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import strawberry

from gallery.domain import images
from gallery.domain.access import Visibility
from gallery.domain.errors import NotFoundError
from gallery.domain.events import EntityKind
from gallery.domain.idempotency import Snapshot
from gallery.domain.images import ContentType
from gallery.domain.names import clean_search_text
from gallery.domain.pages import Direction, ImageFilter, ImageQuery, ImageSortField, TagMode
from gallery.services.bulk import check_count
from gallery.services.changes import KEEP
from gallery.services.images import ImageChange
from gallery.services.staging import clean_checksum
from gallery.services.tags import clean_tag_names
from gallery.web.graphql.bulk import BulkImageResult, bulk_results, changed_images
from gallery.web.graphql.context import Info
from gallery.web.graphql.errors import UserError, answer
from gallery.web.graphql.idempotency import change_once
from gallery.web.graphql.ids import parse_album_id, parse_image_id, parse_image_ids
from gallery.web.graphql.pagination import After, Before, Connection, First, Last, Listing
from gallery.web.graphql.types import Image


@strawberry.input(name="ImageFilter", description="Which images to list. Everything that is given must hold.")
class ImageFilterInput:
    """Narrows a list of images."""

    text: str | None = strawberry.field(
        default=None, description="Text that the title or the original file name contains, whatever its case."
    )
    tags: list[str] | None = strawberry.field(default=None, description="Names of tags, whatever their case.")
    tag_mode: TagMode = strawberry.field(default=TagMode.ANY, description="Whether one of `tags` is enough.")
    album_id: strawberry.ID | None = strawberry.field(default=None, description="The album that holds the images.")
    content_types: list[ContentType] | None = strawberry.field(default=None, description="Formats, any of them.")
    uploaded_from: datetime | None = strawberry.field(
        default=None, description="Images uploaded at this time or later."
    )
    uploaded_to: datetime | None = strawberry.field(default=None, description="Images uploaded before this time.")

    def criteria(self) -> ImageFilter:
        """The filter as the domain has it.

        Raises:
            InvalidInputError: if a value breaks its rule.
        """
        album_id = None if self.album_id is None else parse_album_id(self.album_id, field=("filter", "albumId"))
        return ImageFilter(
            text=clean_search_text(self.text, field=("filter", "text")),
            tag_names=tuple(clean_tag_names(self.tags or [], field=("filter", "tags"))),
            tag_mode=self.tag_mode,
            album_id=album_id,
            content_types=tuple(self.content_types or ()),
            uploaded_from=self.uploaded_from,
            uploaded_to=self.uploaded_to,
        )


@strawberry.input(name="ImageSort", description="The order of a list of images.")
class ImageSortInput:
    """Sorts a list of images."""

    field: ImageSortField = strawberry.field(default=ImageSortField.UPLOADED_AT, description="What to sort by.")
    direction: Direction = strawberry.field(default=Direction.DESC, description="Which end comes first.")


async def find_image(info: Info, global_id: str) -> Image:
    """The image with this id.

    Raises:
        InvalidInputError: INVALID_ID.
        NotFoundError: if there is none.
    """
    image = await info.context.loaders.image_by_id.load(parse_image_id(global_id))
    if image is None:
        raise NotFoundError.of(EntityKind.IMAGE, field=("id",))
    return Image.of(image)


@strawberry.type
class ImageQueries:
    """Root fields that find images."""

    @strawberry.field(description="An image by its id; NOT_FOUND if there is none.")
    async def image(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The id of the image.")]
    ) -> Image | None:
        """One image."""
        return await find_image(info, id)

    @strawberry.field(description="Your image of a file; null if you have none: then it is worth uploading.")
    async def image_by_checksum(
        self,
        info: Info,
        checksum: Annotated[str, strawberry.argument(description="SHA-256 of the file in hexadecimal.")],
    ) -> Image | None:
        """One image."""
        (image,) = await _by_checksums(info, [clean_checksum(checksum)])
        return image

    @strawberry.field(description="Your images of files, in the order of the checksums; null where you have none.")
    async def images_by_checksums(
        self,
        info: Info,
        checksums: Annotated[
            list[str], strawberry.argument(description="SHA-256 of each file in hexadecimal, at most 100.")
        ],
    ) -> list[Image | None]:
        """What a client asks before it sends many files."""
        check_count(checksums, field=("checksums",))
        cleaned = [
            clean_checksum(checksum, field=("checksums", str(index))) for index, checksum in enumerate(checksums)
        ]
        return await _by_checksums(info, cleaned)

    @strawberry.field(description="The images that you see, newest upload first unless sorted otherwise.")
    async def images(  # noqa: PLR0913, PLR0917  # the arguments of a Relay connection
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        filter: Annotated[
            ImageFilterInput | None, strawberry.argument(description="Which images to list; all by default.")
        ] = None,
        sort: Annotated[
            ImageSortInput | None, strawberry.argument(description="The order; newest upload first by default.")
        ] = None,
    ) -> Connection[Image]:
        """A page of images."""
        criteria = filter.criteria() if filter else ImageFilter()
        order = sort or ImageSortInput()
        listing = Listing.of("images", criteria, order.field, order.direction)
        query = ImageQuery(
            filter=criteria,
            sort_field=order.field,
            direction=order.direction,
            page=listing.page_request(first, after, last, before),
        )
        viewer, reader = info.context.viewer, info.context.use_cases.image_reader
        page = await info.context.records.images.list_page(viewer, query)
        return listing.connection(page, Image.of, lambda: reader.count(viewer, criteria))


async def _by_checksums(info: Info, checksums: list[str]) -> list[Image | None]:
    viewer, reader = info.context.viewer, info.context.use_cases.image_reader
    ids = await reader.known_checksums(viewer, set(checksums))
    images = await info.context.records.images.get_many(viewer, set(ids.values()))
    found = {checksum: images.get(image_id) for checksum, image_id in ids.items()}
    return [Image.of(image) if (image := found.get(checksum)) else None for checksum in checksums]


@strawberry.input(description="What to change of an image. What is left out stays as it is.")
class UpdateImageInput:
    """Changes an image."""

    id: strawberry.ID = strawberry.field(description="The image to change.")
    title: str | None = strawberry.field(
        default=strawberry.UNSET, description="The new title, 1 to 255 characters. Null leaves it as it is."
    )
    description: str | None = strawberry.field(
        default=strawberry.UNSET, description="The new description, up to 10,000 characters. Null removes it."
    )
    visibility: Visibility | None = strawberry.field(
        default=strawberry.UNSET,
        description="Who is shown the image: its owner and administrators say so. Null leaves it as it is.",
    )
    expected_version: int | None = strawberry.field(
        default=None, description="Refuse the change with VERSION_CONFLICT unless the image is at this version."
    )

    def change(self) -> ImageChange:
        """The change as the service takes it."""
        return ImageChange(
            image_id=parse_image_id(self.id),
            title=KEEP if self.title is strawberry.UNSET or self.title is None else self.title,
            description=KEEP if self.description is strawberry.UNSET else self.description,
            visibility=self.visibility or KEEP,
            expected_version=self.expected_version,
        )


@strawberry.input(description="Which image to delete.")
class DeleteImageInput:
    """Deletes an image."""

    id: strawberry.ID = strawberry.field(description="The image to delete.")


@strawberry.input(description="Who is shown which images.")
class SetVisibilityInput:
    """Shows images, or hides them."""

    image_ids: list[strawberry.ID] = strawberry.field(description="The images, at most 100.")
    visibility: Visibility = strawberry.field(description="Who is shown them.")


@strawberry.type(description="The image after a change, or why it was not changed.")
class UpdateImagePayload:
    """Answer of `updateImage`."""

    image: Image | None = strawberry.field(description="The image as it is now; null if `errors` is not empty.")
    errors: list[UserError] = strawberry.field(description="What to put right; empty if the change was made.")


@strawberry.type(description="The image that was deleted, or why it was not.")
class DeleteImagePayload:
    """Answer of `deleteImage`."""

    image: Image | None = strawberry.field(description="The image as it was; null if `errors` is not empty.")
    errors: list[UserError] = strawberry.field(description="What to put right; empty if the image was deleted.")


@strawberry.type(description="What became of each image.")
class SetVisibilityPayload:
    """Answer of `setVisibility`."""

    results: list[BulkImageResult] = strawberry.field(description="One for each image, in the order of the input.")
    errors: list[UserError] = strawberry.field(description="What to put right in the input; then nothing was changed.")


@strawberry.type
class ImageMutations:
    """Root fields that change images."""

    @strawberry.mutation(description="Changes the title, description and visibility of an image.")
    async def update_image(
        self, info: Info, input: Annotated[UpdateImageInput, strawberry.argument(description="What to change.")]
    ) -> UpdateImagePayload:
        """Title, description and visibility."""
        images, viewer = info.context.use_cases.images, info.context.viewer
        image, errors = await answer(
            info,
            lambda: change_once(info, input, lambda claim: images.update(viewer, input.change(), claim), _changed),
        )
        return UpdateImagePayload(image=Image.of(image) if image else None, errors=errors)

    @strawberry.mutation(
        description="Says who is shown images: those of others are refused with FORBIDDEN, but for administrators."
    )
    async def set_visibility(
        self, info: Info, input: Annotated[SetVisibilityInput, strawberry.argument(description="Who is shown what.")]
    ) -> SetVisibilityPayload:
        """Many at once."""
        images, viewer = info.context.use_cases.images, info.context.viewer
        done, errors = await answer(
            info,
            lambda: change_once(
                info,
                input,
                lambda claim: images.set_visibility(viewer, parse_image_ids(input.image_ids), input.visibility, claim),
                lambda then: changed_images(info, then),
            ),
        )
        return SetVisibilityPayload(results=bulk_results(input.image_ids, done), errors=errors)

    @strawberry.mutation(description="Deletes an image with its thumbnails, and takes it out of all albums.")
    async def delete_image(
        self, info: Info, input: Annotated[DeleteImageInput, strawberry.argument(description="What to delete.")]
    ) -> DeleteImagePayload:
        """For good: the bytes go too."""
        images, viewer = info.context.use_cases.images, info.context.viewer
        image, errors = await answer(
            info,
            lambda: change_once(
                info, input, lambda claim: images.delete(viewer, parse_image_id(input.id), claim), _changed
            ),
        )
        return DeleteImagePayload(image=Image.of(image) if image else None, errors=errors)


async def _changed(then: Snapshot) -> images.Image | None:
    return then.image
