"""Hears of the drops of all processes, says so to their writers, and holds the lease on what lies in memory.

A process answers from its memory only while it listens, has heard of every drop that came before its lease began, and
the lease lasts by its own clock. A writer waits until all who hold leases have heard, so that nobody answers with
what an acknowledged write has changed, however late a message comes.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final
from uuid import uuid4

from redis.asyncio import Redis

from gallery.platform.cache.channels import ChannelListener
from gallery.platform.cache.drop_history import DropHistory
from gallery.platform.cache.drops import HOLDER_SECONDS, Drop, Drops, Position
from gallery.platform.cache.patience import Patience

log = logging.getLogger(__name__)

_RENEW_SECONDS: Final = HOLDER_SECONDS / 3
_HELD_SECONDS: Final = 0.9 * HOLDER_SECONDS
"""How long a process believes in its lease, counted from before it asked: clocks do not run equally fast."""
_CALL_SECONDS: Final = 0.25


class DropListener:
    """What one process knows of drops.

    `on_lost` is called when something may be missed, before anything else; `on_back` once drops are heard (again).
    """

    def __init__(
        self, client: Redis, drops: Drops, *, on_lost: Callable[[], None], on_back: Callable[[], None]
    ) -> None:
        self._drops = drops
        self._on_lost = on_lost
        self._on_back = on_back
        self.name = uuid4().hex
        self.history = DropHistory()
        self._moved = asyncio.Event()
        self._heard_by: dict[str, Position] = {}
        """How far other processes have heard, as they told this one."""
        self._untold: dict[bytes, Position] = {}
        self._telling: asyncio.Task[None] | None = None
        self._holding: asyncio.Task[None] | None = None
        self._lease_wanted = asyncio.Event()
        self._lease_until = 0.0
        self._lease_from: Position | None = None
        self._channel = ChannelListener(
            client,
            drops.channel,
            f"{drops.channel}:{self.name}",
            hear=self._hear,
            on_subscribed=self._catch_up,
            on_lost=self._lose,
        )

    @property
    def is_listening(self) -> bool:
        """Whether this process hears of drops, and knows of all before."""
        return self._channel.is_subscribed.is_set() and self.history.position is not None

    def may_answer(self) -> bool:
        """Whether memory may be answered from, at this moment. Asking is what keeps the lease alive."""
        self._lease_wanted.set()
        return self._holds_lease()

    def start(self) -> None:
        """Begins to listen."""
        self._channel.start()
        self._holding = asyncio.create_task(self._hold())

    async def close(self) -> None:
        """Listens no more."""
        self._lose()
        tasks = [task for task in (self._holding, self._telling) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._channel.close()
        with suppress(Exception):  # as in `_tell`; then writers wait until it is over
            async with Patience(_CALL_SECONDS):
                await self._drops.release(self.name)

    def dropped(self, drop: Drop) -> None:
        """Hears at once of a drop of this process, if it has heard of all before."""
        now = self.history.position
        if now is not None and now.epoch == drop.position.epoch and now.number + 1 == drop.position.number:
            self._apply(drop.position, [key.encode() for key in drop.keys])

    async def told(self, drop: Drop) -> None:
        """Waits until every process that may answer from its memory has heard of a drop."""
        began = time.monotonic()
        while (left := began + self._wait_seconds(drop) - time.monotonic()) > 0:
            self._moved.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._moved.wait()

    async def reach(self, position: Position, seconds: float) -> bool:
        """Waits a moment until this process has heard of the drops up to a position; whether it has."""
        until = time.monotonic() + seconds
        while not (now := self.history.position) or not now.reaches(position):
            left = until - time.monotonic()
            if left <= 0 or not self.is_listening:
                return False
            self._moved.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._moved.wait()
        return True

    def _holds_lease(self) -> bool:
        if time.monotonic() >= self._lease_until:
            return False
        now, begun = self.history.position, self._lease_from
        return now is not None and begun is not None and now.reaches(begun)

    def _wait_seconds(self, drop: Drop) -> float:
        """For how long after a drop somebody may not have heard of it who answers from memory."""
        waiting = [seconds for name, seconds in drop.holders.items() if not self._has_heard(name, drop.position)]
        return max(drop.unknown_seconds, *waiting, 0.0)

    def _has_heard(self, name: str, position: Position) -> bool:
        if name != self.name:
            heard = self._heard_by.get(name)
        elif self._holds_lease():
            heard = self.history.position
        else:
            return True
        return heard is not None and heard.reaches(position)

    def _hear(self, channel: bytes, message: bytes) -> None:
        head, *keys = message.split(b"\n")
        try:
            epoch, number, who = head.split(b" ")
            position = Position(epoch, int(number))
        except ValueError:
            log.warning("there is something in Valkey that is no drop: %r", message[:100])
            return
        if channel != self._drops.channel.encode():
            self._heard_by[who.decode("ascii", "replace")] = position
            self._moved.set()
            return
        self._apply(position, keys)
        if who != self.name.encode() and time.monotonic() < self._lease_until + HOLDER_SECONDS - _HELD_SECONDS:
            self._untold[who] = position
            if self._telling is None or self._telling.done():
                self._telling = asyncio.create_task(self._tell())

    def _apply(self, position: Position, keys: list[bytes]) -> None:
        if not self.history.apply(position, keys):
            self._on_lost()
        self._moved.set()

    async def _tell(self) -> None:
        """Tells writers how far this process has heard."""
        while self._untold:
            writer, position = self._untold.popitem()
            told = b"%b %d %b" % (position.epoch, position.number, self.name.encode())
            try:
                async with Patience(_CALL_SECONDS):
                    await self._drops.tell(writer.decode(), told)
            except Exception as error:  # noqa: BLE001  # a client parsing garbage raises anything; the writer waits
                log.debug("a writer is not told that its drop was heard of: %r", error)

    async def _hold(self) -> None:
        """Renews the lease as long as somebody asks for it, and listens anew if messages do not come."""
        while True:
            await self._lease_wanted.wait()
            self._lease_wanted.clear()
            await self._channel.is_subscribed.wait()
            now, begun = self.history.position, self._lease_from
            if now is not None and begun is not None and not now.reaches(begun):
                self._listen_anew()
            else:
                await self._renew()
            await asyncio.sleep(_RENEW_SECONDS)

    async def _renew(self) -> None:
        asked = time.monotonic()
        try:
            async with Patience(_CALL_SECONDS):
                begun = await self._drops.renew(self.name)
        except Exception as error:  # noqa: BLE001  # as in `_tell`
            log.debug("nothing is answered from memory: %r", error)
            return
        if self._channel.is_subscribed.is_set():
            self._lease_from, self._lease_until = begun, asked + _HELD_SECONDS

    def _listen_anew(self) -> None:
        """A drop came before the lease that nobody has told of since: the connection is dead, or the order is lost."""
        self._channel.stop()
        self._lose()
        self._channel.start()

    async def _catch_up(self) -> None:
        """Begins to hear: what came before is not known, so that nothing from before may be right."""
        asked = time.monotonic()
        async with Patience(_CALL_SECONDS):
            begun = await self._drops.renew(self.name)
        if self.history.position is None or not self.history.position.reaches(begun):
            self.history.reset(begun)
        self._lease_from, self._lease_until = begun, asked + _HELD_SECONDS
        self._moved.set()
        self._on_back()

    def _lose(self) -> None:
        self._lease_until, self._lease_from = 0.0, None
        self.history.position = None
        self._heard_by.clear()
        self._on_lost()
        self._moved.set()
