"""What the cached readers have in common: lists are kept as ids, and their items are taken from their own slots.

So a page never shows an item as it was before a change: dropping the item is enough.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import Any, TypeVar
from uuid import UUID

from gallery.domain import footprints
from gallery.domain.pages import Page
from gallery.platform.cache.cache import Cache
from gallery.platform.cache.codec import Outline
from gallery.platform.cache.keys import Slot
from gallery.platform.cache.kinds import PAGE
from gallery.platform.cache.loads import Load

K = TypeVar("K")
V = TypeVar("V")
I = TypeVar("I", bound=UUID)  # noqa: E741  # an id

Find = Callable[[Collection[I]], Awaitable[Mapping[I, V]]]
"""Finds items by their ids."""

SlotOf = Callable[[Any], Slot]
"""Where an item lies by itself, by its id."""


def or_else(read: Callable[[list[K]], Awaitable[Mapping[K, V]]], default: V) -> Load[K, V]:
    """Reads with a value for those that the database leaves out, so that this is kept too."""

    async def load(keys: list[K]) -> dict[K, V]:
        found = await read(keys)
        return {key: found.get(key, default) for key in keys}

    return load


async def read_pages(
    cache: Cache, slots: Mapping[K, Slot], load: Load[K, Page[V]], find: Find[Any, V], slot_of: SlotOf
) -> dict[K, Page[V]]:
    """Pages whose items are as they are now. Items read with a page need not be found again."""
    fresh: dict[UUID, V] = {}

    async def load_outlines(keys: list[K]) -> dict[K, Outline]:
        pages = await load(keys)
        for page in pages.values():
            fresh.update(zip((position.id for position in page.positions), page.items, strict=True))
        return {key: Outline.of(page) for key, page in pages.items()}

    outlines = await cache.get_many(PAGE, slots, load_outlines)
    report_items(slot_of, (id_ for outline in outlines.values() for id_ in outline.ids))
    wanted = {id_: None for outline in outlines.values() for id_ in outline.ids if id_ not in fresh}
    items = fresh | dict(await find(list(wanted))) if wanted else fresh
    return {key: outline.filled(items) for key, outline in outlines.items()}


async def read_page(
    cache: Cache, slot: Slot, load: Callable[[], Awaitable[Page[V]]], find: Find[Any, V], slot_of: SlotOf
) -> Page[V]:
    """One page, as `read_pages`."""

    async def load_one(_: list[Slot]) -> dict[Slot, Page[V]]:
        return {slot: await load()}

    return (await read_pages(cache, {slot: slot}, load_one, find, slot_of))[slot]


def report_items(slot_of: SlotOf, ids: Iterable[UUID]) -> None:
    """Tells the request that it shows these items, for those that came with a list are not looked up in their slots."""
    footprints.report(tag for slot in map(slot_of, ids) for tag in (slot.key, *slot.generations))
