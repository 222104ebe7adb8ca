"""What an execution does when values are still to come: it waits for them level by level.

All values of a level that are there at the same time are one unit. What the completion of a unit leaves for later is
taken up when the whole unit is complete, so that a batch gets all parents of its level in one call.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Coroutine, Sequence
from inspect import CORO_CREATED, getcoroutinestate, iscoroutine
from typing import Any

from gallery.compiler.background import settle_in_background
from gallery.compiler.declarations import Batch
from gallery.compiler.plan import FieldPlan, Level
from gallery.compiler.run import Parked, Pending, Queued, Run, abandon, place_of

Entries = Sequence[Parked | Queued]


class Settling:
    """Brings an execution to its end."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._live: dict[asyncio.Task[None], tuple[Level, Entries]] = {}
        self._cancelled: set[asyncio.Task[None]] = set()
        self._cancels_soon = False

    async def settle(self, pending: Pending) -> None:
        """Waits for all that is pending and for all that comes of it."""
        units = [(key, kept) for key, entries in pending.items() if (kept := self._kept(key, entries))]
        if len(units) == 1 and not self._live:
            await self._unit(*units[0])
        elif units:
            await self._join([self._start(self._unit(*unit), _level(unit[0]), unit[1]) for unit in units])

    def _kept(self, key: Level | FieldPlan, entries: list[Any]) -> list[Any]:
        """Those of which the place is not null yet."""
        errors = self._run.errors
        if not errors.positions:
            return entries
        level = _level(key)
        lost = [entry for entry in entries if errors.covers(level.path(place_of(entry)))]
        settle_in_background([entry.awaitable for entry in lost if isinstance(entry, Parked)])
        gone = set(map(id, lost))
        return [entry for entry in entries if id(entry) not in gone]

    async def _unit(self, key: Level | FieldPlan, entries: list[Any]) -> None:
        pending: Pending = defaultdict(list)
        try:
            if isinstance(key, FieldPlan):
                await self._batch(key, entries, pending)
            elif len(entries) == 1:
                await self._arrival(key, entries[0], pending)
            else:
                await self._join([self._start(self._arrival(key, entry, pending), key, [entry]) for entry in entries])
        except BaseException:
            abandon(pending)
            raise
        if pending:
            await self.settle(pending)

    async def _arrival(self, level: Level, parked: Parked, pending: Pending) -> None:
        run = self._run
        try:
            value = await parked.awaitable
            run.pending = pending
            value = parked.resume(run, value, parked.at)
        except Exception as error:  # noqa: BLE001  # is an error of the field, whatever it is
            self._failed(error, level, parked.at)
        else:
            run.put(level.path(parked.at), value)

    async def _batch(self, field: FieldPlan, queued: list[Queued], pending: Pending) -> None:
        run, level = self._run, field.level
        try:
            values = await _resolve(run, field, queued)
        except Exception as error:  # noqa: BLE001  # is the error of each
            for *_, at in queued:
                self._failed(error, level, at)
            return
        run.pending = pending
        for failure, at in run.operation.batches[field.number](run, queued, values):
            self._failed(failure, level, at)

    def _failed(self, error: Exception, level: Level, at: tuple[int, ...]) -> None:
        self._run.fail_at(error, level, at)
        if level.non_null and self._live and not self._cancels_soon:
            self._cancels_soon = True
            asyncio.get_running_loop().call_soon(self._cancel_lost)

    def _cancel_lost(self) -> None:
        """Cancels what would only fill places that have become null."""
        self._cancels_soon = False
        covers = self._run.errors.covers
        for task, (level, entries) in self._live.items():
            if not task.done() and all(covers(level.path(place_of(entry))) for entry in entries):
                self._cancelled.add(task)
                self._cancel(task)

    def _cancel(self, task: asyncio.Task[None]) -> None:
        task.cancel()
        _, entries = self._live[task]
        for entry in entries:
            awaitable = entry.awaitable if isinstance(entry, Parked) else None
            if iscoroutine(awaitable) and getcoroutinestate(awaitable) == CORO_CREATED:
                awaitable.close()

    def _start(self, work: Coroutine[Any, Any, None], level: Level, entries: Entries) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._live[task] = level, entries
        return task

    async def _join(self, tasks: list[asyncio.Task[None]]) -> None:
        """Waits for tasks. If one fails or this is cancelled, none is left running."""
        try:
            await self._ended(tasks)
            for task in tasks:
                if task.done() and task not in self._cancelled:
                    task.result()
        except BaseException:
            for task in tasks:
                if not task.done():
                    self._cancel(task)
            await asyncio.gather(*tasks, return_exceptions=True)
            raise
        finally:
            for task in tasks:
                del self._live[task]
                self._cancelled.discard(task)

    def _ended(self, tasks: list[asyncio.Task[None]]) -> asyncio.Future[None]:
        """What is there once all tasks have ended, or one has failed: `asyncio.wait` with less to do."""
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        left = len(tasks)

        def end(task: asyncio.Task[None]) -> None:
            nonlocal left
            left -= 1
            has_failed = not task.cancelled() and task.exception() is not None and task not in self._cancelled
            if (has_failed or not left) and not over.done():
                over.set_result(None)

        for task in tasks:
            task.add_done_callback(end)
        return over


async def _resolve(run: Run, field: FieldPlan, queued: list[Queued]) -> Sequence[Any]:
    batch = field.declaration
    assert isinstance(batch, Batch)  # noqa: S101  # others are not queued
    parents = [source for source, _, _ in queued]
    arguments = dict(run.arguments(field)) if field.has_arguments else {}
    values = await batch.resolve(parents, run.resolve_info(field, queued[0][2]), arguments)
    if len(values) != len(parents):
        message = f"The batch of {field.parent_type}.{field.name} gave {len(values)} values for {len(parents)} parents."
        raise RuntimeError(message)
    return values


def _level(key: Level | FieldPlan) -> Level:
    return key.level if isinstance(key, FieldPlan) else key
