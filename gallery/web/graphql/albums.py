"""Albums in the schema: how they are found, made, changed, and filled."""

from __future__ import annotations

from typing import Annotated

import strawberry

from gallery.domain import albums
from gallery.domain.access import Visibility
from gallery.domain.errors import NotFoundError
from gallery.domain.events import EntityKind
from gallery.domain.idempotency import Snapshot
from gallery.domain.ids import AlbumId, ImageId
from gallery.domain.names import clean_search_text
from gallery.domain.pages import AlbumQuery, AlbumSortField, Direction
from gallery.services.albums import AlbumChange, NewAlbum
from gallery.services.bulk import BulkResult
from gallery.services.changes import KEEP
from gallery.web.graphql.bulk import BulkImageResult, bulk_results, changed_images
from gallery.web.graphql.context import Info
from gallery.web.graphql.errors import UserError, answer
from gallery.web.graphql.idempotency import KEY_DESCRIPTION, change_once, once
from gallery.web.graphql.ids import parse_album_id, parse_image_id, parse_image_ids
from gallery.web.graphql.pagination import After, Before, Connection, First, Last, Listing
from gallery.web.graphql.types import Album
from gallery.web.graphql.uploads import VISIBILITY_DESCRIPTION


async def find_album(info: Info, global_id: str) -> Album:
    """The album with this id.

    Raises:
        InvalidInputError: INVALID_ID.
        NotFoundError: if there is none.
    """
    album = await info.context.loaders.album_by_id.load(parse_album_id(global_id))
    if album is None:
        raise NotFoundError.of(EntityKind.ALBUM, field=("id",))
    return Album.of(album)


@strawberry.input(name="AlbumSort", description="The order of a list of albums.")
class AlbumSortInput:
    """Sorts a list of albums."""

    field: AlbumSortField = strawberry.field(default=AlbumSortField.CREATED_AT, description="What to sort by.")
    direction: Direction = strawberry.field(default=Direction.DESC, description="Which end comes first.")


@strawberry.type
class AlbumQueries:
    """Root fields that find albums."""

    @strawberry.field(description="An album by its id; NOT_FOUND if there is none.")
    async def album(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The id of the album.")]
    ) -> Album | None:
        """One album."""
        return await find_album(info, id)

    @strawberry.field(description="The albums that you see, newest first unless sorted otherwise.")
    async def albums(  # noqa: PLR0913, PLR0917  # the arguments of a Relay connection
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        text: Annotated[
            str | None, strawberry.argument(description="Text that the title contains, whatever its case.")
        ] = None,
        sort: Annotated[
            AlbumSortInput | None, strawberry.argument(description="The order; newest first by default.")
        ] = None,
    ) -> Connection[Album]:
        """A page of albums."""
        wanted, order = clean_search_text(text), sort or AlbumSortInput()
        listing = Listing.of("albums", wanted, order.field, order.direction)
        viewer, reader = info.context.viewer, info.context.use_cases.album_reader
        query = AlbumQuery(
            text=wanted,
            sort_field=order.field,
            direction=order.direction,
            page=listing.page_request(first, after, last, before),
        )
        page = await info.context.records.albums.list_page(viewer, query)
        return listing.connection(page, Album.of, lambda: reader.count(viewer, wanted))


@strawberry.input(description="An album to make.")
class CreateAlbumInput:
    """Makes an album."""

    title: str = strawberry.field(description="The title, 1 to 255 characters.")
    description: str | None = strawberry.field(default=None, description="Up to 10,000 characters.")
    image_ids: list[strawberry.ID] | None = strawberry.field(
        default=None, description="Images to put into it, at most 100, in this order."
    )
    visibility: Visibility | None = strawberry.field(default=None, description=VISIBILITY_DESCRIPTION)
    idempotency_key: str | None = strawberry.field(default=None, description=KEY_DESCRIPTION)

    def new(self) -> NewAlbum:
        """The album as the service takes it."""
        return NewAlbum(
            title=self.title,
            description=self.description,
            image_ids=parse_image_ids(self.image_ids or []),
            visibility=self.visibility,
        )


@strawberry.input(description="What to change of an album. What is left out stays as it is.")
class UpdateAlbumInput:
    """Changes an album."""

    id: strawberry.ID = strawberry.field(description="The album to change.")
    title: str | None = strawberry.field(
        default=strawberry.UNSET, description="The new title, 1 to 255 characters. Null leaves it as it is."
    )
    description: str | None = strawberry.field(
        default=strawberry.UNSET, description="The new description, up to 10,000 characters. Null removes it."
    )
    cover_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The image to show for the album, one of its own. Null: the first one."
    )

    visibility: Visibility | None = strawberry.field(
        default=strawberry.UNSET,
        description="Who is shown the album: its owner and administrators say so. The images in it keep their own. "
        "Null leaves it as it is.",
    )

    def change(self) -> AlbumChange:
        """The change as the service takes it."""
        cover_id: ImageId | None = None
        if self.cover_id is not strawberry.UNSET and self.cover_id is not None:
            cover_id = parse_image_id(self.cover_id, field=("coverId",))
        return AlbumChange(
            album_id=parse_album_id(self.id),
            title=KEEP if self.title is strawberry.UNSET or self.title is None else self.title,
            description=KEEP if self.description is strawberry.UNSET else self.description,
            cover_id=KEEP if self.cover_id is strawberry.UNSET else cover_id,
            visibility=self.visibility or KEEP,
        )


@strawberry.input(description="Which album to delete.")
class DeleteAlbumInput:
    """Deletes an album."""

    id: strawberry.ID = strawberry.field(description="The album to delete.")


@strawberry.input(description="Which images to put at the end of which album.")
class AddImagesToAlbumInput:
    """Fills an album."""

    album_id: strawberry.ID = strawberry.field(description="The album.")
    image_ids: list[strawberry.ID] = strawberry.field(description="The images, at most 100, in this order.")


@strawberry.input(description="Which images to take out of which album.")
class RemoveImagesFromAlbumInput:
    """Takes images out of an album."""

    album_id: strawberry.ID = strawberry.field(description="The album.")
    image_ids: list[strawberry.ID] = strawberry.field(description="The images, at most 100.")


@strawberry.type(description="The album that was made, or why it was not.")
class CreateAlbumPayload:
    """Answer of `createAlbum`."""

    album: Album | None = strawberry.field(description="The new album; null if `errors` is not empty.")
    errors: list[UserError] = strawberry.field(description="What to put right; empty if the album was made.")


@strawberry.type(description="The album after a change, or why it was not changed.")
class UpdateAlbumPayload:
    """Answer of `updateAlbum`."""

    album: Album | None = strawberry.field(description="The album as it is now; null if `errors` is not empty.")
    errors: list[UserError] = strawberry.field(description="What to put right; empty if the change was made.")


@strawberry.type(description="The album that was deleted, or why it was not.")
class DeleteAlbumPayload:
    """Answer of `deleteAlbum`."""

    album: Album | None = strawberry.field(description="The album as it was; null if `errors` is not empty.")
    errors: list[UserError] = strawberry.field(description="What to put right; empty if the album was deleted.")


@strawberry.type(description="The album after images were added, and what became of each image.")
class AddImagesToAlbumPayload:
    """Answer of `addImagesToAlbum`."""

    album: Album | None = strawberry.field(description="The album as it is now; null if `errors` is not empty.")
    results: list[BulkImageResult] = strawberry.field(description="One for each image, in the order of the input.")
    errors: list[UserError] = strawberry.field(description="What to put right in the input; then nothing was changed.")


@strawberry.type(description="The album after images were taken out, and what became of each image.")
class RemoveImagesFromAlbumPayload:
    """Answer of `removeImagesFromAlbum`."""

    album: Album | None = strawberry.field(description="The album as it is now; null if `errors` is not empty.")
    results: list[BulkImageResult] = strawberry.field(description="One for each image, in the order of the input.")
    errors: list[UserError] = strawberry.field(description="What to put right in the input; then nothing was changed.")


@strawberry.type
class AlbumMutations:
    """Root fields that change albums."""

    @strawberry.mutation(description="Makes an album, with images in it if you like.")
    async def create_album(
        self, info: Info, input: Annotated[CreateAlbumInput, strawberry.argument(description="The album.")]
    ) -> CreateAlbumPayload:
        """All or nothing: an unknown image makes no album."""
        albums, viewer = info.context.use_cases.albums, info.context.viewer
        album, errors = await answer(
            info,
            lambda: once(
                info,
                "createAlbum",
                input,
                lambda claim: albums.create(viewer, input.new(), claim),
                lambda id_: info.context.loaders_of_own.album_by_id.load(AlbumId(id_)),
            ),
        )
        return CreateAlbumPayload(album=Album.of(album) if album else None, errors=errors)

    @strawberry.mutation(description="Changes the title, description, cover and visibility of an album.")
    async def update_album(
        self, info: Info, input: Annotated[UpdateAlbumInput, strawberry.argument(description="What to change.")]
    ) -> UpdateAlbumPayload:
        """Title, description, cover and visibility."""
        albums, viewer = info.context.use_cases.albums, info.context.viewer
        album, errors = await answer(
            info,
            lambda: change_once(info, input, lambda claim: albums.update(viewer, input.change(), claim), _changed),
        )
        return UpdateAlbumPayload(album=Album.of(album) if album else None, errors=errors)

    @strawberry.mutation(description="Deletes an album. Its images stay in the gallery.")
    async def delete_album(
        self, info: Info, input: Annotated[DeleteAlbumInput, strawberry.argument(description="What to delete.")]
    ) -> DeleteAlbumPayload:
        """The images stay."""
        albums, viewer = info.context.use_cases.albums, info.context.viewer
        album, errors = await answer(
            info,
            lambda: change_once(
                info, input, lambda claim: albums.delete(viewer, parse_album_id(input.id), claim), _changed
            ),
        )
        return DeleteAlbumPayload(album=Album.of(album) if album else None, errors=errors)

    @strawberry.mutation(description="Puts images at the end of an album. Those in it already stay where they are.")
    async def add_images_to_album(
        self, info: Info, input: Annotated[AddImagesToAlbumInput, strawberry.argument(description="Which where.")]
    ) -> AddImagesToAlbumPayload:
        """In the order of the input."""
        albums, viewer = info.context.use_cases.albums, info.context.viewer
        done, errors = await answer(
            info,
            lambda: change_once(
                info,
                input,
                lambda claim: albums.add_images(viewer, *_parsed(input), claim),
                lambda then: _filled(info, then),
            ),
            subject="albumId",
        )
        album, images = done or (None, None)
        return AddImagesToAlbumPayload(
            album=Album.of(album) if album else None, results=bulk_results(input.image_ids, images), errors=errors
        )

    @strawberry.mutation(description="Takes images out of an album. They stay in the gallery.")
    async def remove_images_from_album(
        self, info: Info, input: Annotated[RemoveImagesFromAlbumInput, strawberry.argument(description="Which where.")]
    ) -> RemoveImagesFromAlbumPayload:
        """Images that are not in the album do not matter."""
        albums, viewer = info.context.use_cases.albums, info.context.viewer
        done, errors = await answer(
            info,
            lambda: change_once(
                info,
                input,
                lambda claim: albums.remove_images(viewer, *_parsed(input), claim),
                lambda then: _filled(info, then),
            ),
            subject="albumId",
        )
        album, images = done or (None, None)
        return RemoveImagesFromAlbumPayload(
            album=Album.of(album) if album else None, results=bulk_results(input.image_ids, images), errors=errors
        )


def _parsed(input: AddImagesToAlbumInput | RemoveImagesFromAlbumInput) -> tuple[AlbumId, list[ImageId]]:
    return parse_album_id(input.album_id, field=("albumId",)), parse_image_ids(input.image_ids)


async def _changed(then: Snapshot) -> albums.Album | None:
    return then.album


async def _filled(info: Info, then: Snapshot) -> tuple[albums.Album | None, BulkResult]:
    return then.album, await changed_images(info, then)
