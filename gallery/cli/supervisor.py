"""Keeps several serving processes running, and ends them in order.

docs/adr/0019-several-processes.md says what happens when.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final

import typer

from gallery.cli.channel import Topic
from gallery.cli.child import LOOK_SECONDS, Child
from gallery.cli.running import ExitCode
from gallery.platform.metrics import Ledger
from gallery.settings import Settings

_PAUSES_SECONDS: Final = (0.0, 0.5, 1.0, 2.0, 4.0)
"""Before a process is started in the place of one that failed, by how many before it have failed at once."""
_YOUNG_SECONDS: Final = 10.0
"""A process that has lived longer than this has not failed at once."""
_READY_SECONDS: Final = 120.0
"""How long a process that replaces another may take before it is given up."""
_COUNT_SECONDS: Final = 1.0
"""How long a page of metrics waits for a process that is busy, before it takes what that one told last."""

_MARGIN_SECONDS: Final = 30.0
"""How much longer than its requests a process may take to end, before it is to hang up; and then, before it is killed:
uploads are recorded and jobs worked on to their end."""

log = logging.getLogger(__name__)

Launch = Callable[[Settings, int, Sequence[socket.socket]], Awaitable[Child]]
"""Starts a process of this number. The first of the sockets is its own."""


class Supervisor:
    """Starts the processes, replaces those that end by themselves, and replaces all of them when asked to."""

    def __init__(
        self,
        settings: Settings,
        listeners: Sequence[socket.socket],
        *,
        launch: Launch = Child.launch,
        margin_seconds: float = _MARGIN_SECONDS,
    ) -> None:
        """A process may take the margin longer to end than the requests that it answers."""
        self._settings = settings
        self._launch_process = launch
        self._margin_seconds = margin_seconds
        self._listeners = list(listeners)
        self._numbers = range(1, settings.server.workers + 1)
        self._children: dict[int, Child] = {}
        """By their numbers those that serve, or are about to."""
        self._alive: set[Child] = set()
        """Those as well that finish what is under way."""
        self._failures = dict.fromkeys(self._numbers, 0)
        """By number, how many in a row failed at once."""
        self._ledger = Ledger()
        self._restarts = 0
        self._stopping = asyncio.Event()
        self._to_replace = asyncio.Event()
        self._all_ready = asyncio.Event()
        self._launching = 0
        """How many processes are being started, and take sockets with them."""
        self._is_cache_distrusted = False
        """Whether the next process that is ready is to drop the cache, since none was when it should have."""
        self._hung_up = False
        self._failed = False

    async def run(self, on_ready: Callable[[], None]) -> int:
        """Runs until told to stop, and until all processes have ended; the exit code. Says when all are ready."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            for number in self._numbers:
                self._begin(number)
            tasks.create_task(self._replace_when_asked(on_ready))
            tasks.create_task(self._look_regularly())
            await self._stopping.wait()
        return ExitCode.FAILED if self._failed else 0

    def stop(self) -> None:
        """Has all processes finish and end. Asked again they do not finish; the third time they are killed."""
        if not self._stopping.is_set():
            for event in (self._stopping, self._all_ready, self._to_replace):
                event.set()
            self._close_listeners()
            for child in self._alive:
                self._tasks.create_task(self._end(child))
        else:
            for child in self._alive:
                child.kill() if self._hung_up else child.hang_up()
            self._hung_up = True

    def replace_all(self) -> None:
        """Has every process replaced by a new one, one after the other, each new one ready before the old one ends."""
        self._to_replace.set()

    def _begin(self, number: int, pause_seconds: float = 0) -> None:
        self._tasks.create_task(self._keep(number, pause_seconds))

    async def _keep(self, number: int, pause_seconds: float) -> None:
        """One process of this number, until it ends."""
        if await self._is_stopping_within(pause_seconds):
            return
        try:
            child = self._children[number] = await self._launch(number)
        except OSError as error:
            self._begin_again(number, f"could not be started ({error})")
        else:
            await self._live(child)

    async def _is_stopping_within(self, seconds: float) -> bool:
        """Waits so long, unless told to stop; whether it was."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        return self._stopping.is_set()

    async def _launch(self, number: int) -> Child:
        own = (number - 1) % len(self._listeners)
        listeners = [self._listeners[own], *self._listeners[:own], *self._listeners[own + 1 :]]
        self._launching += 1
        try:
            child = await self._launch_process(_share_of(self._settings, number), number, listeners)
        finally:
            self._launching -= 1
            if self._stopping.is_set():
                self._close_listeners()
        self._alive.add(child)
        if self._stopping.is_set():
            self._tasks.create_task(self._end(child))
        return child

    def _close_listeners(self) -> None:
        """Unless a process is being started: what it takes with it must be open, and the same, until it has it."""
        if not self._launching:
            for listener in self._listeners:
                listener.close()

    async def _end(self, child: Child) -> None:
        await child.end(self._settings.server.shutdown_timeout_seconds, self._margin_seconds)

    async def _live(self, child: Child) -> None:
        def counted(told: str) -> None:
            self._ledger.tell(child.pid, told.encode())

        def count_all() -> None:
            self._tasks.create_task(self._tell_all(child))

        code = await child.live(on_ready=lambda: self._note_ready(child), counted=counted, count_all=count_all)
        self._alive.discard(child)
        self._ledger.end(child.pid)
        if code or not child.is_to_end:
            self._distrust_cache()
        if not child.is_to_end and not self._stopping.is_set():
            self._replace_dead(child, code)

    def _note_ready(self, child: Child) -> None:
        if self._is_cache_distrusted:
            self._is_cache_distrusted = False
            child.say(Topic.DISTRUST_CACHE)
        if len(self._children) == len(self._numbers) and all(child.ready.is_set() for child in self._children.values()):
            self._all_ready.set()

    def _distrust_cache(self) -> None:
        """Has everybody who can drop the cache: each of them may be about to end."""
        ready = [child for child in self._alive if child.ready.is_set()]
        for child in ready:
            child.say(Topic.DISTRUST_CACHE)
        self._is_cache_distrusted = all(child.is_to_end for child in ready)

    def _replace_dead(self, child: Child, code: int) -> None:
        if child.age_seconds >= _YOUNG_SECONDS:
            self._failures[child.number] = 0
        self._begin_again(child.number, f"ended with exit code {code}")

    def _begin_again(self, number: int, what_happened: str) -> None:
        """Starts another process in the place of one that failed, unless that has been in vain too often in a row."""
        failures = self._failures[number]
        if failures == len(_PAUSES_SECONDS):
            typer.echo(
                f"gallery: Process {number} of those that serve fails again and again (it {what_happened}) and is not "
                "started any more. The lines above may tell why.",
                err=True,
            )
            self._failed = True
            self.stop()
            return
        log.error("serving process %d %s; starting another", number, what_happened)
        self._failures[number] += 1
        self._restarts += 1
        self._begin(number, _PAUSES_SECONDS[failures])

    async def _replace_when_asked(self, on_ready: Callable[[], None]) -> None:
        await self._all_ready.wait()
        if not self._stopping.is_set():
            on_ready()
        while True:
            await self._to_replace.wait()
            if self._stopping.is_set():
                return
            self._to_replace.clear()
            log.info("replacing all serving processes")
            for number in self._numbers:
                is_replaced = await self._replace(number)
                if self._stopping.is_set():
                    return
                if not is_replaced:
                    log.error("serving process %d was not replaced; those that are left go on as they are", number)
                    break
            else:
                log.info("all serving processes are replaced")

    async def _look_regularly(self) -> None:
        while not await self._is_stopping_within(LOOK_SECONDS):
            for child in self._alive:
                child.look()

    async def _replace(self, number: int) -> bool:
        """Puts a new process in the place of another, which ends once the new one answers; whether that went well."""
        old = self._children[number]
        if old.gone.is_set():
            return True  # a new one is on its way
        old.is_to_end = True
        try:
            new = await self._launch(number)
        except OSError:
            log.exception("no process could be started")
            self._keep_old(old)
            return False
        living = self._tasks.create_task(self._live(new))
        new.is_to_end = True  # until it has taken the place nobody is to replace it
        ready = asyncio.create_task(new.ready.wait())
        await asyncio.wait([living, ready], timeout=_READY_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if not new.ready.is_set() or new.gone.is_set():
            new.kill()
            self._keep_old(old)
            return False
        new.is_to_end = False
        self._children[number] = new
        await self._end(old)
        return True

    def _keep_old(self, old: Child) -> None:
        """Leaves a process in its place after all; if it has ended meanwhile another takes that."""
        old.is_to_end = False
        if old.gone.is_set():
            self._begin(old.number)

    async def _tell_all(self, asking: Child) -> None:
        """Tells a process what all have counted by now; of one that is busy what it told last."""
        others = [child for child in self._alive if child is not asking and child.ready.is_set()]
        if others:
            counting = [asyncio.create_task(child.count()) for child in others]
            _, busy = await asyncio.wait(counting, timeout=_COUNT_SECONDS)
            for task in busy:
                task.cancel()
        told = self._ledger.all(restarts=self._restarts)
        asking.say(Topic.COUNTED_ALL, tuple(one.decode() for one in told))


def _share_of(settings: Settings, number: int) -> Settings:
    """The settings of one process. The first alone works on jobs, so that there are as many as the settings say."""
    works = settings.worker.embedded and number == 1
    return settings.model_copy(update={"worker": settings.worker.model_copy(update={"embedded": works})})
