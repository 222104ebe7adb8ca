"""Reads by ids that several ask for at the same moment, sent as one statement.

Requests that come together ask for relations of their images together. A statement costs more than the few rows that
it answers, so what is asked for within a turn of the event loop is read by whoever asked first; others wait for that.
While such a statement is under way, the next one gathers for a moment: the more there is to do, the more of it is done
together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Hashable
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

from gallery.domain.errors import OverloadedError

K = TypeVar("K", bound=UUID)
V = TypeVar("V")

_MOST_IDS: Final = 200
"""How many ids are read together, unless somebody asks for more alone: few enough to be there soon."""

_PATIENCE_SECONDS: Final = 0.002
"""How long a read waits at most for the one before it, so that a slow one keeps nobody waiting for longer."""

Read = Callable[[Collection[K]], Awaitable[dict[K, V]]]
"""Reads what there is of each id."""


class _Joint(Generic[K, V]):
    """A read that waits for others to join it. Those who do wait for a future each."""

    __slots__ = ("_waiters", "ids")

    def __init__(self, ids: Collection[K]) -> None:
        self.ids = set(ids)
        self._waiters: list[asyncio.Future[dict[K, V] | None]] = []

    def joined(self, ids: Collection[K]) -> asyncio.Future[dict[K, V] | None]:
        """What is read for these ids too; None if nobody reads it after all."""
        self.ids.update(ids)
        waiter: asyncio.Future[dict[K, V] | None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        return waiter

    @property
    def is_shared(self) -> bool:
        """Whether anybody has joined."""
        return bool(self._waiters)

    def end(self, found: dict[K, V] | None, error: Exception | None) -> None:
        """Wakes all who wait."""
        for waiter in self._waiters:
            if waiter.done():
                continue
            if error is None:
                waiter.set_result(found)
            else:
                waiter.set_exception(error)


class JointReads:
    """Reads that are gathering, by what makes them the same but for their ids.

    Nobody gets what was read before they asked. If the one who reads is cancelled, the first of the others does it.
    """

    def __init__(self) -> None:
        self._gathering: dict[Hashable, _Joint[Any, Any]] = {}
        self._under_way: dict[Hashable, asyncio.Future[None]] = {}

    async def read(self, same: Hashable, ids: Collection[K], read: Read[K, V]) -> dict[K, V]:
        """What there is of each id, read by `read` or by that of somebody else who asks for the `same`.

        Raises:
            Exception: what the read raised, for all who joined it.
        """
        gathering = self._gathering
        while (joint := gathering.get(same)) is not None and len(joint.ids) + len(ids) <= _MOST_IDS:
            try:
                found = await joint.joined(ids)
            except OverloadedError:  # whoever read had no more patience, which is not that of others
                return await read(ids)
            if found is not None:
                return {id_: found[id_] for id_ in ids if id_ in found}
        joint = gathering[same] = _Joint(ids)
        found, failure = None, None
        try:
            await self._gather(same, joint)
            found = await self._sent(same, read(joint.ids))
        except Exception as error:
            failure = error
            raise
        finally:
            joint.end(found, failure)
        return {id_: found[id_] for id_ in ids if id_ in found} if joint.is_shared else found

    async def _gather(self, same: Hashable, joint: _Joint[Any, Any]) -> None:
        """Lets others join, until the read before is over or the moment is."""
        before = self._under_way.get(same)
        try:
            if before is None:
                await asyncio.sleep(0)
            else:
                await asyncio.wait([before], timeout=_PATIENCE_SECONDS)
        finally:
            if self._gathering.get(same) is joint:
                del self._gathering[same]

    async def _sent(self, same: Hashable, reading: Awaitable[dict[K, V]]) -> dict[K, V]:
        over = self._under_way[same] = asyncio.get_running_loop().create_future()
        try:
            return await reading
        finally:
            over.set_result(None)
            if self._under_way.get(same) is over:
                del self._under_way[same]
