"""What the three servers have in common, and how one of them is brought up."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from gallery.platform.embedded.endpoints import Service
from gallery.platform.embedded.errors import ServerDidNotStartError
from gallery.platform.embedded.identity import ProcessIdentity
from gallery.platform.embedded.logs import size_bytes, tail
from gallery.platform.embedded.process import Launch, ServerProcess, StopSteps

_ATTEMPTS = 3
_POLL_SECONDS = 0.03
_PROBE_SECONDS = 5.0
log = logging.getLogger(__name__)


class NotReadyError(Exception):
    """The server does not answer as it should yet."""


class EndedEarlyError(ServerDidNotStartError):
    """The server ended, or another program sits at its address: another attempt may help."""


class Server(Protocol):
    """One kind of server."""

    service: Service
    log: Path
    stop_steps: StopSteps
    ready_seconds: float
    """How long it may take to become ready, recovery after a crash included."""

    async def prepare(self) -> Launch:
        """Makes its files ready.

        Raises:
            EmbeddedError: if they cannot be.
        """
        ...

    async def probe(self) -> None:
        """Passes if it answers.

        Raises:
            NotReadyError: if not.
            EndedEarlyError: if the answer is another program's.
        """
        ...

    def tidy(self) -> None:
        """Removes what it leaves outside the data folder."""
        ...


async def bring_up(server: Server, spawned: Callable[[ProcessIdentity], None]) -> ServerProcess:
    """Starts a server and waits until it is ready.

    `spawned` hears of every process at once, so that a record of it can outlive us.

    Raises:
        EmbeddedError: if it does not become ready; then nothing of it runs.
    """
    attempt = 1
    while True:
        launch = await server.prepare()
        log_begin = size_bytes(server.log)
        process = ServerProcess.spawn(launch)
        spawned(process.identity)
        try:
            await wait_until_ready(server, process, log_begin=log_begin)
        except BaseException as error:
            await process.stop(server.stop_steps)
            if not isinstance(error, EndedEarlyError) or attempt == _ATTEMPTS:
                raise
            log.warning("Attempt %d of %d: %s", attempt, _ATTEMPTS, error)
            attempt += 1
        else:
            spawned(process.look_again())
            return process


async def wait_until_ready(server: Server, process: ServerProcess, *, log_begin: int = 0) -> None:
    """Probes the server until it answers.

    Raises:
        ServerDidNotStartError: with the end of its log, if it ends or does not answer in time.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + server.ready_seconds
    while True:
        try:
            async with asyncio.timeout(_PROBE_SECONDS):
                await server.probe()
        except (NotReadyError, TimeoutError) as error:
            reason = error
        else:
            return
        # Only now: a process that answers is well, whatever became of the one we started.
        if not process.alive():
            raise EndedEarlyError(_story(server, f"ended with exit code {process.exit_code}", log_begin))
        if loop.time() > deadline:
            story = f"did not become ready within {server.ready_seconds:.0f} seconds ({reason})"
            raise ServerDidNotStartError(_story(server, story, log_begin)) from reason
        await asyncio.sleep(_POLL_SECONDS)


def _story(server: Server, what_happened: str, log_begin: int) -> str:
    last_words = tail(server.log, since_byte=log_begin) or "(nothing)"
    return f"{server.service.product} {what_happened}. The end of its log, {server.log}:\n{last_words}"
