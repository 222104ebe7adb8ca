"""The part of the gallery's schema that is read most, as one writes it first with Strawberry and SQLAlchemy.

Strawberry's own ASGI view and data loaders, an asynchronous session per batch, objects of the ORM. The answers are
those of the gallery. Settings: `PEER_DATABASE_URL`, and with `PEER_WRONG=1` every answer has one wrong title.
"""

# Annotations stay evaluated: Strawberry reads them when it makes the schema.
import os
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import strawberry
from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Mapped
from sqlmodel import col
from starlette.requests import Request
from starlette.responses import Response
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.dataloader import DataLoader

from benchmarks.peers.serving import serve
from gallery.domain.images import ContentType
from gallery.platform.database.engine import driver_dsn
from gallery.platform.database.tables import AlbumImageRow, AlbumRow, ImageRow, ImageTagRow, RenditionRow, TagRow

Sessions = async_sessionmaker[AsyncSession]
Info = strawberry.Info[dict[str, Any], None]


async def related(
    sessions: Sessions, statement: Select[Any, UUID], column: Mapped[UUID], keys: list[UUID]
) -> list[list[Any]]:
    """The first of each row's values, by the second, for each key."""
    async with sessions() as session:
        rows = (await session.execute(statement.where(column.in_(keys)))).all()
    found: dict[UUID, list[Any]] = defaultdict(list)
    for value, key in rows:
        found[key].append(value)
    return [found[key] for key in keys]


RENDITIONS = select(RenditionRow, col(RenditionRow.image_id))
TAGS = (
    select(TagRow, col(ImageTagRow.image_id))
    .join(ImageTagRow, col(ImageTagRow.tag_id) == col(TagRow.id))
    .order_by(col(TagRow.key))
)
ALBUMS = (
    select(AlbumRow, col(AlbumImageRow.image_id))
    .join(AlbumImageRow, col(AlbumImageRow.album_id) == col(AlbumRow.id))
    .order_by(col(AlbumRow.created_at), col(AlbumRow.id))
)
IMAGE_COUNTS = select(func.count(), col(AlbumImageRow.album_id)).group_by(col(AlbumImageRow.album_id))


def loaders(sessions: Sessions) -> dict[str, DataLoader[UUID, list[Any]]]:
    """The loaders of one request."""
    return {
        "renditions": DataLoader(partial(related, sessions, RENDITIONS, col(RenditionRow.image_id))),
        "tags": DataLoader(partial(related, sessions, TAGS, col(ImageTagRow.image_id))),
        "albums": DataLoader(partial(related, sessions, ALBUMS, col(AlbumImageRow.image_id))),
        "image_counts": DataLoader(partial(related, sessions, IMAGE_COUNTS, col(AlbumImageRow.album_id))),
    }


@strawberry.type
class Tag:
    """A tag."""

    id: strawberry.ID
    name: str


@strawberry.type
class Album:
    """An album."""

    row: strawberry.Private[AlbumRow]
    id: strawberry.ID
    title: str

    @strawberry.field
    async def image_count(self, info: Info) -> int:
        """How many images it holds."""
        counts = await info.context["image_counts"].load(self.row.id)
        return counts[0] if counts else 0


@strawberry.type
class Thumbnail:
    """A rendition."""

    url: str
    width: int
    height: int


@strawberry.type
class Thumbnails:
    """The renditions of an image."""

    small: Thumbnail | None = None
    medium: Thumbnail | None = None
    large: Thumbnail | None = None


@strawberry.type
class Image:
    """An image."""

    row: strawberry.Private[ImageRow]
    id: strawberry.ID
    filename: str
    original_filename: str
    content_type: str
    file_size: int
    width: int
    height: int
    title: str
    description: str | None
    uploaded_at: datetime

    @strawberry.field
    def url(self, info: Info) -> str:
        """Where the original is."""
        return f"{info.context['base_url']}/media/{self.id}/original.{ContentType(self.content_type).extension}"

    @strawberry.field
    async def thumbnails(self, info: Info) -> Thumbnails:
        """The renditions."""
        rows = await info.context["renditions"].load(self.row.id)
        base = f"{info.context['base_url']}/media/{self.id}"
        return Thumbnails(
            **{
                row.size: Thumbnail(url=f"{base}/{row.size}.webp", width=row.width_px, height=row.height_px)
                for row in rows
            }
        )

    @strawberry.field
    async def tags(self, info: Info) -> list[Tag]:
        """By name."""
        rows = await info.context["tags"].load(self.row.id)
        return [Tag(id=strawberry.ID(f"tag_{row.id.hex}"), name=row.name) for row in rows]

    @strawberry.field
    async def albums(self, info: Info) -> list[Album]:
        """Oldest first."""
        rows = await info.context["albums"].load(self.row.id)
        return [Album(row=row, id=strawberry.ID(f"alb_{row.id.hex}"), title=row.title) for row in rows]


@strawberry.type
class PageInfo:
    """Whether there is more."""

    has_next_page: bool


@strawberry.type
class ImageConnection:
    """A page."""

    nodes: list[Image]
    page_info: PageInfo


def shown(row: ImageRow) -> Image:
    """A row as the schema shows it."""
    return Image(
        row=row,
        id=strawberry.ID(f"img_{row.id.hex}"),
        filename=row.filename,
        original_filename=row.original_filename,
        content_type=row.content_type,
        file_size=row.file_size_bytes,
        width=row.width_px,
        height=row.height_px,
        title=row.title,
        description=row.description,
        uploaded_at=row.uploaded_at,
    )


@strawberry.input
class ImageFilter:
    """Which images to list."""

    tags: list[str] | None = None


LIVING = select(ImageRow).where(col(ImageRow.deleted_at).is_(None))


def newest(first: int) -> Select[ImageRow]:
    """A page, and one image more that tells whether the list goes on."""
    return LIVING.order_by(col(ImageRow.uploaded_at).desc(), col(ImageRow.id).desc()).limit(first + 1)


def newest_with_tag(tag_id: UUID | None, first: int) -> Select[ImageRow]:
    """The same of the images that have a tag."""
    return (
        LIVING.join(ImageTagRow, col(ImageTagRow.image_id) == col(ImageRow.id))
        .where(col(ImageTagRow.tag_id) == tag_id)
        .order_by(col(ImageTagRow.uploaded_at).desc(), col(ImageTagRow.image_id).desc())
        .limit(first + 1)
    )


@strawberry.type
class Query:
    """What can be read."""

    @strawberry.field
    async def image(self, info: Info, id: strawberry.ID) -> Image | None:  # noqa: A002  # the name in the schema
        """An image by its id."""
        async with info.context["sessions"]() as session:
            row = await session.scalar(LIVING.where(col(ImageRow.id) == UUID(id.removeprefix("img_"))))
        return shown(row) if row else None

    @strawberry.field
    async def images(self, info: Info, first: int, filter: ImageFilter | None = None) -> ImageConnection:  # noqa: A002  # as above
        """Newest first."""
        async with info.context["sessions"]() as session:
            statement = newest(first)
            if filter and filter.tags:
                tag_id = await session.scalar(
                    select(col(TagRow.id)).where(col(TagRow.key) == filter.tags[0].casefold())
                )
                statement = newest_with_tag(tag_id, first)
            rows = list((await session.scalars(statement)).all())
        nodes = [shown(row) for row in rows[:first]]
        spoil(nodes)
        return ImageConnection(nodes=nodes, page_info=PageInfo(has_next_page=len(rows) > first))


def spoil(nodes: Iterable[Image]) -> None:
    """Makes the answer wrong if that is asked for: the harness has to notice."""
    if os.environ.get("PEER_WRONG"):
        for node in nodes:
            node.title += "!"


class View(GraphQL[dict[str, Any], None]):
    """Strawberry's view with loaders for each request."""

    def __init__(self, url: str) -> None:
        super().__init__(strawberry.Schema(Query))
        engine = create_async_engine(
            "postgresql+asyncpg://", connect_args={"dsn": driver_dsn(url)}, pool_size=10, max_overflow=0
        )
        self._sessions = async_sessionmaker(engine)

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> dict[str, Any]:  # noqa: ARG002  # as Strawberry calls it
        """What resolvers need."""
        base_url = f"{request.url.scheme}://{request.headers['host']}"
        return {"sessions": self._sessions, "base_url": base_url, **loaders(self._sessions)}


if __name__ == "__main__":
    serve(View(os.environ["PEER_DATABASE_URL"]))
