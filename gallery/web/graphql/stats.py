"""Statistics in the schema."""

from __future__ import annotations

import strawberry

from gallery.domain import pages
from gallery.domain.images import ContentType
from gallery.web.graphql.context import Info
from gallery.web.graphql.scalars import ByteSize


@strawberry.type(description="How much there is of one format.")
class ContentTypeStats:
    """A share of the whole."""

    content_type: ContentType = strawberry.field(description="The format.")
    image_count: int = strawberry.field(description="How many images are of it.")
    total_size: ByteSize = strawberry.field(description="The size of their files together, in bytes.")


@strawberry.type(
    description="What the gallery holds, of what you see. May lag behind changes made by others by some seconds."
)
class Stats:
    """Counts and sizes."""

    image_count: int = strawberry.field(description="How many images there are.")
    tag_count: int = strawberry.field(description="How many tags there are.")
    album_count: int = strawberry.field(description="How many albums there are.")
    total_size: ByteSize = strawberry.field(description="The size of all image files together, in bytes.")
    content_types: list[ContentTypeStats] = strawberry.field(description="The same for each format, most images first.")

    @classmethod
    def of(cls, stats: pages.GalleryStats) -> Stats:
        """The statistics as the schema shows them."""
        return cls(
            image_count=stats.image_count,
            tag_count=stats.tag_count,
            album_count=stats.album_count,
            total_size=ByteSize(stats.size_bytes),
            content_types=[
                ContentTypeStats(
                    content_type=share.content_type,
                    image_count=share.image_count,
                    total_size=ByteSize(share.size_bytes),
                )
                for share in stats.content_types
            ],
        )


@strawberry.type
class StatsQueries:
    """The root field for statistics."""

    @strawberry.field(description="What the gallery holds, of what you see.")
    async def stats(self, info: Info) -> Stats:
        """Kept for some minutes unless something changes."""
        return Stats.of(await info.context.use_cases.image_reader.stats(info.context.viewer))
