"""Tags in the schema: how they are found, made, and given to images."""

from __future__ import annotations

from typing import Annotated

import strawberry

from gallery.domain import tags
from gallery.domain.errors import NotFoundError
from gallery.domain.events import EntityKind
from gallery.domain.idempotency import Snapshot
from gallery.domain.ids import TagId
from gallery.domain.names import clean_search_text
from gallery.domain.pages import TagQuery
from gallery.web.graphql.bulk import BulkImageResult, bulk_results, changed_images
from gallery.web.graphql.context import Info
from gallery.web.graphql.errors import UserError, answer
from gallery.web.graphql.idempotency import KEY_DESCRIPTION, change_once, once
from gallery.web.graphql.ids import parse_image_ids, parse_tag_id
from gallery.web.graphql.pagination import After, Before, Connection, First, Last, Listing
from gallery.web.graphql.types import Tag


async def find_tag(info: Info, global_id: str) -> Tag:
    """The tag with this id.

    Raises:
        InvalidInputError: INVALID_ID.
        NotFoundError: if there is none.
    """
    tag = await info.context.loaders.tag_by_id.load(parse_tag_id(global_id))
    if tag is None:
        raise NotFoundError.of(EntityKind.TAG, field=("id",))
    return Tag.of(tag)


@strawberry.type
class TagQueries:
    """Root fields that find tags."""

    @strawberry.field(description="A tag by its id; NOT_FOUND if there is none.")
    async def tag(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The id of the tag.")]
    ) -> Tag | None:
        """One tag."""
        return await find_tag(info, id)

    @strawberry.field(
        description="The tags that you made, and those of images that you see, by name without regard to case."
    )
    async def tags(  # the arguments of a Relay connection
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        text: Annotated[
            str | None, strawberry.argument(description="Text that the name contains, whatever its case.")
        ] = None,
    ) -> Connection[Tag]:
        """A page of tags."""
        wanted = clean_search_text(text)
        listing = Listing.of("tags", wanted)
        viewer, reader = info.context.viewer, info.context.use_cases.tag_reader
        query = TagQuery(text=wanted, page=listing.page_request(first, after, last, before))
        page = await info.context.records.tags.list_page(viewer, query)
        return listing.connection(page, Tag.of, lambda: reader.count(viewer, wanted))


@strawberry.input(description="A tag to make.")
class CreateTagInput:
    """Makes a tag."""

    name: str = strawberry.field(description="The name, 1 to 255 characters; unique whatever its case.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY_DESCRIPTION)


@strawberry.input(description="Which tags to give to which images.")
class TagImagesInput:
    """Tags images."""

    image_ids: list[strawberry.ID] = strawberry.field(description="The images, at most 100.")
    tags: list[str] = strawberry.field(description="Names of tags, at most 100. Those that do not exist are made.")


@strawberry.input(description="Which tags to take from which images.")
class UntagImagesInput:
    """Untags images."""

    image_ids: list[strawberry.ID] = strawberry.field(description="The images, at most 100.")
    tags: list[str] = strawberry.field(description="Names of tags, at most 100. Those that do not exist do not matter.")


@strawberry.input(description="Which tag to delete.")
class DeleteTagInput:
    """Deletes a tag."""

    id: strawberry.ID = strawberry.field(description="The tag to delete.")


@strawberry.type(description="The tag that was made, or why it was not.")
class CreateTagPayload:
    """Answer of `createTag`."""

    tag: Tag | None = strawberry.field(description="The new tag; null if `errors` is not empty.")
    errors: list[UserError] = strawberry.field(description="What to put right; empty if the tag was made.")


@strawberry.type(description="What became of each image.")
class TagImagesPayload:
    """Answer of `tagImages`."""

    results: list[BulkImageResult] = strawberry.field(description="One for each image, in the order of the input.")
    errors: list[UserError] = strawberry.field(description="What to put right in the input; then nothing was changed.")


@strawberry.type(description="What became of each image.")
class UntagImagesPayload:
    """Answer of `untagImages`."""

    results: list[BulkImageResult] = strawberry.field(description="One for each image, in the order of the input.")
    errors: list[UserError] = strawberry.field(description="What to put right in the input; then nothing was changed.")


@strawberry.type(description="The tag that was deleted, or why it was not.")
class DeleteTagPayload:
    """Answer of `deleteTag`."""

    tag: Tag | None = strawberry.field(description="The tag as it was; null if `errors` is not empty.")
    errors: list[UserError] = strawberry.field(description="What to put right; empty if the tag was deleted.")


@strawberry.type
class TagMutations:
    """Root fields that change tags."""

    @strawberry.mutation(description="Makes a tag.")
    async def create_tag(
        self, info: Info, input: Annotated[CreateTagInput, strawberry.argument(description="The tag.")]
    ) -> CreateTagPayload:
        """TAG_EXISTS if there is one of that name."""
        tags, viewer = info.context.use_cases.tags, info.context.viewer
        tag, errors = await answer(
            info,
            lambda: once(
                info,
                "createTag",
                input,
                lambda claim: tags.create(viewer, input.name, claim),
                lambda id_: info.context.loaders_of_own.tag_by_id.load(TagId(id_)),
            ),
        )
        return CreateTagPayload(tag=Tag.of(tag) if tag else None, errors=errors)

    @strawberry.mutation(description="Gives tags to images, making those tags that do not exist yet.")
    async def tag_images(
        self, info: Info, input: Annotated[TagImagesInput, strawberry.argument(description="Tags and images.")]
    ) -> TagImagesPayload:
        """Every image gets every tag."""
        tags, viewer = info.context.use_cases.tags, info.context.viewer
        done, errors = await answer(
            info,
            lambda: change_once(
                info,
                input,
                lambda claim: tags.tag_images(viewer, parse_image_ids(input.image_ids), input.tags, claim),
                lambda then: changed_images(info, then),
            ),
        )
        return TagImagesPayload(results=bulk_results(input.image_ids, done), errors=errors)

    @strawberry.mutation(description="Takes tags from images. The tags themselves stay.")
    async def untag_images(
        self, info: Info, input: Annotated[UntagImagesInput, strawberry.argument(description="Tags and images.")]
    ) -> UntagImagesPayload:
        """Every image loses every tag."""
        tags, viewer = info.context.use_cases.tags, info.context.viewer
        done, errors = await answer(
            info,
            lambda: change_once(
                info,
                input,
                lambda claim: tags.untag_images(viewer, parse_image_ids(input.image_ids), input.tags, claim),
                lambda then: changed_images(info, then),
            ),
        )
        return UntagImagesPayload(results=bulk_results(input.image_ids, done), errors=errors)

    @strawberry.mutation(description="Deletes a tag and takes it from all images.")
    async def delete_tag(
        self, info: Info, input: Annotated[DeleteTagInput, strawberry.argument(description="What to delete.")]
    ) -> DeleteTagPayload:
        """The images stay."""
        tags, viewer = info.context.use_cases.tags, info.context.viewer
        tag, errors = await answer(
            info,
            lambda: change_once(
                info, input, lambda claim: tags.delete(viewer, parse_tag_id(input.id), claim), _changed
            ),
        )
        return DeleteTagPayload(tag=Tag.of(tag) if tag else None, errors=errors)


async def _changed(then: Snapshot) -> tags.Tag | None:
    return then.tag
