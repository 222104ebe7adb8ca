"""A server's process: started in a session of its own, watched and stopped by its identity."""

from __future__ import annotations

import asyncio
import math
import os
import signal
import subprocess
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from gallery.platform.embedded.identity import ProcessIdentity, identify
from gallery.platform.embedded.logs import open_log
from gallery.platform.embedded.system_user import SystemUser

_POLL_SECONDS = 0.02
_INHERITED = ("PATH", "HOME", "TMPDIR", "TZ", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT")

StopSteps = Sequence[tuple[signal.Signals, float]]
"""Signals to try in turn, each with the seconds that the process is given to heed it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How to start a program; it gets no settings and no secrets of ours, only what stands here."""

    argv: Sequence[str]
    folder: Path
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    user: SystemUser | None = None
    """Whom to run as, if not as ourselves (only root can)."""


class ServerProcess:
    """A running server, either our own child or one that an earlier process left behind."""

    def __init__(self, identity: ProcessIdentity, child: subprocess.Popen[bytes] | None = None) -> None:
        self.identity = identity
        self._child = child

    @classmethod
    def spawn(cls, launch: Launch) -> Self:
        """Starts the program in a new session, so that Ctrl-C in our terminal does not reach it."""
        log = open_log(launch.log)
        try:
            child = subprocess.Popen(  # noqa: S603  # programs from our wheels or PATH, no shell
                list(launch.argv),
                cwd=launch.folder,
                env=clean_environment(launch.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                umask=0o077,
                user=launch.user.uid if launch.user else None,
                group=launch.user.gid if launch.user else None,
                extra_groups=[] if launch.user else None,
            )
        finally:
            os.close(log)
        # A child that ended at once is a zombie without identity until it is polled.
        identity = identify(child.pid) or ProcessIdentity(pid=child.pid, started="", command="")
        return cls(identity, child)

    def alive(self) -> bool:
        """Whether it still runs; reaps our child if not."""
        if self._child is not None:
            return self._child.poll() is None
        return self.identity.alive()

    @property
    def exit_code(self) -> int | None:
        """What it ended with (minus the signal's number), if it was our child; else None."""
        return self._child.returncode if self._child is not None else None

    def look_again(self) -> ProcessIdentity:
        """Identifies it anew: a start script on PATH becomes the server itself without changing its id."""
        self.identity = identify(self.identity.pid) or self.identity
        return self.identity

    def release(self) -> None:
        """Leaves it running for the others that use it."""
        with warnings.catch_warnings():
            # Popen says that its child still runs; it also remembers to reap it.
            warnings.simplefilter("ignore", ResourceWarning)
            self._child = None

    async def ended(self) -> None:
        """Waits until it ends by itself."""
        await self._ended_within(math.inf)

    async def stop(self, steps: StopSteps) -> None:
        """Asks it to end, ever less politely; it is gone when this returns."""
        for signal_number, patience_seconds in steps:
            if not self.alive() or not self.identity.send(signal_number):
                break
            if await self._ended_within(patience_seconds):
                break
        else:
            self.identity.send(signal.SIGKILL)
            await self._ended_within(patience_seconds=10)
        if self._child is not None:
            self._child.poll()

    async def _ended_within(self, patience_seconds: float) -> bool:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience_seconds
        while self.alive():
            if loop.time() >= deadline:
                return False
            await asyncio.sleep(_POLL_SECONDS)
        return True


def clean_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Our environment without anything that configures a server by surprise (PG…, AWS_…, WEED_…, GALLERY_…)."""
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {**inherited, "LC_ALL": "C", **extra}
