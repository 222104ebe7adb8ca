"""The servers' log files: opened for appending, kept small, quoted in errors."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

AT_START_BYTES = 1024 * 1024
WHILE_RUNNING_BYTES = 16 * 1024 * 1024
_TAIL_BYTES = 4096
_TAIL_LINES = 15


def open_log(path: Path) -> int:
    """A descriptor that appends to the log, readable by its owner alone; a log grown large goes to `.1` first."""
    if size_bytes(path) > AT_START_BYTES:
        path.replace(_previous(path))
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def shorten(path: Path) -> None:
    """Copies an overgrown log to `.1` and empties it; its writer appends, so it goes on at the new end."""
    if size_bytes(path) > WHILE_RUNNING_BYTES:
        shutil.copy2(path, _previous(path))
        os.truncate(path, 0)


def size_bytes(path: Path) -> int:
    """The size of the log, 0 if there is none yet."""
    return path.stat().st_size if path.exists() else 0


def tail(path: Path, *, since_byte: int = 0) -> str:
    """The last lines written after `since_byte`, for an error message."""
    if not path.exists():
        return ""
    with path.open("rb") as file:
        file.seek(max(since_byte, size_bytes(path) - _TAIL_BYTES))
        lines = file.read().decode(errors="replace").splitlines()
    return "\n".join(lines[-_TAIL_LINES:])


def _previous(path: Path) -> Path:
    return path.with_name(f"{path.name}.1")
