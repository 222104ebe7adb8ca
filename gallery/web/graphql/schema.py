"""The schema: its root types, put together, and the whole as text."""

from __future__ import annotations

import asyncio
from typing import Annotated, cast

import strawberry
from graphql import lexicographic_sort_schema, print_schema
from strawberry.schema.config import StrawberryConfig

from gallery.domain.errors import ErrorCode, InvalidInputError
from gallery.web.graphql.accounts import AccountMutations, AccountQueries
from gallery.web.graphql.albums import AlbumMutations, AlbumQueries, find_album
from gallery.web.graphql.context import Info
from gallery.web.graphql.ids import parse_global_id
from gallery.web.graphql.images import ImageMutations, ImageQueries, find_image
from gallery.web.graphql.node import Node
from gallery.web.graphql.processing import ProcessingSubscriptions
from gallery.web.graphql.progress import ProgressSubscriptions
from gallery.web.graphql.request import IDEMPOTENCY_HEADER
from gallery.web.graphql.scalars import SCALARS
from gallery.web.graphql.sessions import SessionMutations
from gallery.web.graphql.share_links import ShareLinkMutations, ShareLinkQueries
from gallery.web.graphql.shared import SharedQueries
from gallery.web.graphql.shares import ShareMutations
from gallery.web.graphql.staged_upload_mutations import StagedUploadMutations
from gallery.web.graphql.staged_uploads import StagedUploadQueries, find_upload
from gallery.web.graphql.stats import StatsQueries
from gallery.web.graphql.storage_report import StorageQueries
from gallery.web.graphql.tags import TagMutations, TagQueries, find_tag
from gallery.web.graphql.uploads import UploadMutations

MAX_NODES = 100
_FINDERS = {"img": find_image, "tag": find_tag, "alb": find_album, "upl": find_upload}


async def find_node(info: Info, global_id: str) -> Node:
    """The image, tag, album or upload with this id.

    Raises:
        InvalidInputError: INVALID_ID.
        NotFoundError: if there is none.
    """
    prefix, _ = parse_global_id(global_id)
    if (find := _FINDERS.get(prefix)) is None:
        message = "Accounts, tokens and sessions are found by `viewer`, share links by `shareLinks`."
        raise InvalidInputError(ErrorCode.INVALID_ID, message, field=("id",))
    return await find(info, global_id)


@strawberry.type(description="What can be read.")
class Query(
    ImageQueries,
    TagQueries,
    AlbumQueries,
    StagedUploadQueries,
    StatsQueries,
    StorageQueries,
    AccountQueries,
    ShareLinkQueries,
    SharedQueries,
):
    """All root fields that read."""

    @strawberry.field(description="Whatever has this id; NOT_FOUND if there is nothing.")
    async def node(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The id.")]
    ) -> Node | None:
        """As the Relay specification has it."""
        return await find_node(info, id)

    @strawberry.field(description="Whatever has these ids, in their order; null and an error where there is nothing.")
    async def nodes(
        self, info: Info, ids: Annotated[list[strawberry.ID], strawberry.argument(description="At most 100 ids.")]
    ) -> list[Node | None]:
        """Those that exist are answered even if others do not."""
        if len(ids) > MAX_NODES:
            message = f"`ids` has {len(ids):,} items; at most {MAX_NODES} are taken at once."
            raise InvalidInputError(ErrorCode.TOO_MANY_ITEMS, message, field=("ids",))
        found = await asyncio.gather(*(find_node(info, id_) for id_ in ids), return_exceptions=True)
        return cast("list[Node | None]", found)  # GraphQL turns an exception in a list into null and an error


@strawberry.type(
    description="What can be changed. Several in one operation are done one after the other. A single one with the "
    f"header `{IDEMPOTENCY_HEADER}` is done once, however often it is sent; where the answer holds a secret, the "
    "header is refused."
)
class Mutation(
    UploadMutations,
    StagedUploadMutations,
    ImageMutations,
    TagMutations,
    AlbumMutations,
    ShareMutations,
    AccountMutations,
    SessionMutations,
    ShareLinkMutations,
):
    """All root fields that write."""


@strawberry.type(description="What can be listened to, by a WebSocket or server-sent events.")
class Subscription(ProgressSubscriptions, ProcessingSubscriptions):
    """All root fields that tell again and again."""


schema = strawberry.Schema(
    query=Query, mutation=Mutation, subscription=Subscription, config=StrawberryConfig(scalar_map=SCALARS)
)


def schema_text() -> str:
    """The schema in the schema definition language, sorted, as `schema.graphql` holds it."""
    return print_schema(lexicographic_sort_schema(schema._schema)) + "\n"  # noqa: SLF001  # has no public name
