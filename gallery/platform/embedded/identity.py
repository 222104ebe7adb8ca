"""Tells whether a process is still the one that was seen before: ids are reused, so an id alone proves nothing."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessIdentity:
    """A process as `identify` saw it; equal only if id, start and program are the same."""

    pid: int
    started: str
    """When it started, as the kernel tells it (ticks since boot on Linux, `ps -o lstart` elsewhere)."""
    command: str
    """Its program's name, cut by the kernel to 15 characters on Linux."""

    def alive(self) -> bool:
        """Whether this very process still runs; a zombie does not."""
        return identify(self.pid) == self

    def send(self, signal_number: signal.Signals) -> bool:
        """Signals this very process, and never another one that got its id; False if it is gone."""
        if not hasattr(os, "pidfd_open"):
            return self._send_by_pid(signal_number)
        try:
            descriptor = os.pidfd_open(self.pid)
        except OSError:
            return self._send_by_pid(signal_number)
        try:
            # The descriptor pins the process: if it is ours now, it is ours when the signal arrives.
            if not self.alive():
                return False
            signal.pidfd_send_signal(descriptor, signal_number)
        except ProcessLookupError:
            return False
        finally:
            os.close(descriptor)
        return True

    def _send_by_pid(self, signal_number: signal.Signals) -> bool:
        if not self.alive():
            return False
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal_number)
            return True
        return False

    def to_json(self) -> dict[str, int | str]:
        """The fields, for the state file."""
        return asdict(self)


def identify(pid: int) -> ProcessIdentity | None:
    """The process that has this id now, or None if there is none or only a zombie."""
    if sys.platform == "linux":
        return _identify_by_proc(pid)
    return _identify_by_ps(pid)


@functools.cache
def machine() -> str:
    """Names the space in which our process ids mean something: this boot of this kernel, this pid namespace."""
    if sys.platform == "linux":
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{(_PROC / 'self/ns/pid').readlink()}"
    return os.uname().nodename


def _identify_by_proc(pid: int) -> ProcessIdentity | None:
    try:
        stat = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    # proc_pid_stat(5): "pid (comm) state ppid …"; comm may itself hold spaces and brackets; field 22 is the start.
    comm, _, rest = stat.partition("(")[2].rpartition(") ")
    fields = rest.split()
    if fields[0] in {"Z", "X"}:
        return None
    return ProcessIdentity(pid=pid, started=fields[19], command=comm)


def _identify_by_ps(pid: int) -> ProcessIdentity | None:
    columns = ["ps", "-o", "stat=", "-o", "lstart=", "-o", "comm=", "-p", str(pid)]
    answer = subprocess.run(columns, capture_output=True, text=True, check=False)  # noqa: S603  # fixed words and an int
    # "S    Mon Nov 24 03:00:00 2026 /usr/bin/weed": a state, five words of time, a program.
    words = answer.stdout.split(maxsplit=6)
    if len(words) < 7 or words[0].startswith("Z"):  # noqa: PLR2004  # as the line above says
        return None
    return ProcessIdentity(pid=pid, started=" ".join(words[1:6]), command=Path(words[6].strip()).name)
