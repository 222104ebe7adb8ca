"""Tags in memory: the repository of a unit of work, and the reader."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from gallery.domain.access import Viewer
from gallery.domain.errors import NotFoundError
from gallery.domain.events import EntityKind
from gallery.domain.ids import ImageId, TagId
from gallery.domain.pages import Edge, Page, Position, TagQuery
from gallery.domain.tags import Tag, tag_key
from tests.fakes.database import MemoryDatabase, Tables, Transaction
from tests.fakes.pages import contains, page_of


class MemoryTagRepository:
    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def get(self, tag_id: TagId) -> Tag:
        if tag_id in self._transaction.tables.tags:
            await self._transaction.lock(tag_id)
        tag = self._transaction.tables.tags.get(tag_id)
        if tag is None:
            raise NotFoundError.of(EntityKind.TAG)
        return tag

    async def find_by_names(self, names: Collection[str]) -> dict[str, Tag]:
        stored = _by_key(self._transaction.tables)
        return {key: stored[key] for key in map(tag_key, names) if key in stored}

    async def add_missing(self, tags: Sequence[Tag]) -> dict[str, Tag]:
        for key in sorted({tag_key(tag.name) for tag in tags}):
            await self._transaction.lock(("tag", key))
        for tag in tags:
            if tag_key(tag.name) not in _by_key(self._transaction.tables):
                self._add(tag)
        return await self.find_by_names([tag.name for tag in tags])

    async def is_seen(self, viewer: Viewer, tag_id: TagId) -> bool:
        tables = self._transaction.tables
        return tag_id in tables.tags and tables.sees_tag(viewer, tables.tags[tag_id])

    async def delete(self, tag_id: TagId) -> tuple[ImageId, ...]:
        tagged = tuple(image for image, tag in sorted(self._transaction.tables.image_tags) if tag == tag_id)

        def change(tables: Tables) -> None:
            tables.tags.pop(tag_id, None)
            tables.image_tags = {pair for pair in tables.image_tags if pair[1] != tag_id}

        self._transaction.change(change)
        return tagged

    async def attach(self, image_ids: Collection[ImageId], tag_ids: Collection[TagId]) -> set[tuple[ImageId, TagId]]:
        tables = self._transaction.tables
        if not set(image_ids) <= tables.living.keys():
            raise NotFoundError.of(EntityKind.IMAGE)
        if not set(tag_ids) <= tables.tags.keys():
            raise NotFoundError.of(EntityKind.TAG)
        new = {(image, tag) for image in image_ids for tag in tag_ids} - tables.image_tags
        self._transaction.change(lambda tables: tables.image_tags.update(new))
        return new

    async def detach(self, image_ids: Collection[ImageId], tag_ids: Collection[TagId]) -> set[tuple[ImageId, TagId]]:
        there = {(image, tag) for image in image_ids for tag in tag_ids} & self._transaction.tables.image_tags
        self._transaction.change(lambda tables: tables.image_tags.difference_update(there))
        return there

    def _add(self, tag: Tag) -> None:
        self._transaction.change(lambda tables: tables.tags.update({tag.id: tag}))


class MemoryTagReader:
    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def get_many(self, viewer: Viewer, tag_ids: Collection[TagId]) -> dict[TagId, Tag]:
        return {tag.id: tag for tag in self._seen(viewer) if tag.id in tag_ids}

    async def list_page(self, viewer: Viewer, query: TagQuery) -> Page[Tag]:
        found = [tag for tag in self._seen(viewer) if _is_like(tag, query.text)]
        return page_of((Edge(tag, Position(tag_key(tag.name), tag.id)) for tag in found), query.page)

    async def count(self, viewer: Viewer, text: str | None) -> int:
        return sum(_is_like(tag, text) for tag in self._seen(viewer))

    async def by_image(self, viewer: Viewer, image_ids: Collection[ImageId]) -> dict[ImageId, tuple[Tag, ...]]:
        tables = self._database.committed
        found: dict[ImageId, list[Tag]] = {}
        for image_id, tag_id in tables.image_tags:
            if image_id in image_ids:
                found.setdefault(image_id, []).append(tables.tags[tag_id])
        return {image_id: tuple(sorted(tags, key=lambda tag: tag_key(tag.name))) for image_id, tags in found.items()}

    async def image_counts(self, viewer: Viewer, tag_ids: Collection[TagId]) -> dict[TagId, int]:
        tables = self._database.committed
        return dict(
            Counter(
                tag
                for image, tag in tables.image_tags
                if tag in tag_ids and tables.lists_image(viewer, tables.images[image])
            )
        )

    def _seen(self, viewer: Viewer) -> list[Tag]:
        tables = self._database.committed
        return [tag for tag in tables.tags.values() if tables.sees_tag(viewer, tag)]


def _is_like(tag: Tag, text: str | None) -> bool:
    return contains(tag_key(tag.name), None if text is None else tag_key(text))


def _by_key(tables: Tables) -> dict[str, Tag]:
    return {tag_key(tag.name): tag for tag in tables.tags.values()}
