"""Long listings in pieces that fit into memory and into one statement."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from typing import TypeVar

T = TypeVar("T")


async def batches(items: AsyncIterable[T], size: int) -> AsyncIterator[list[T]]:
    """The items in their order, `size` at a time; the last batch may be smaller."""
    batch: list[T] = []
    async for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
