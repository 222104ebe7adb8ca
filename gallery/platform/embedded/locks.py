"""Who uses a data folder, told by file locks: the kernel drops them when a process dies, however it dies.

Three files, since a lock cannot be strengthened without letting go of it for a moment:

- `embedded.lock` is held while servers are being started or stopped;
- `embedded.users.lock` is shared by everybody who uses the servers, so the last one to leave can tell;
- `embedded.exclusive.lock` is held by the one process that asked to be the only one of its kind.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gallery.platform.embedded.errors import DataFolderInUseError

_POLL_SECONDS = 0.05
_PATIENCE_SECONDS = 180.0


class FolderLocks:
    """The locks of one user of a data folder; not shared between users, not even within a process."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._user: int | None = None
        self._exclusive: int | None = None

    @asynccontextmanager
    async def changing(self) -> AsyncIterator[None]:
        """Makes this user the only one who starts or stops servers; waits for others to be done with it."""
        path = self._data_dir / "embedded.lock"
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _PATIENCE_SECONDS
        while (descriptor := _try_lock(path, fcntl.LOCK_EX)) is None:
            if loop.time() > deadline:
                message = (
                    f"{_holder(path)} has been starting or stopping the servers in {self._data_dir} "
                    f"for more than {_PATIENCE_SECONDS:.0f} seconds. End it and try again."
                )
                raise DataFolderInUseError(message)
            await asyncio.sleep(_POLL_SECONDS)
        try:
            yield
        finally:
            _unlock(descriptor)

    def enter(self, *, exclusive: bool) -> None:
        """Makes this a user of the folder.

        Raises:
            DataFolderInUseError: if another one is exclusive as well.
        """
        if exclusive:
            path = self._data_dir / "embedded.exclusive.lock"
            self._exclusive = _try_lock(path, fcntl.LOCK_EX)
            if self._exclusive is None:
                message = (
                    f"The data folder {self._data_dir} is in use by another gallery server ({_holder(path)}). "
                    "Stop that one first, or give this one a folder of its own with --data-dir."
                )
                raise DataFolderInUseError(message)
        self._user = _try_lock(self._data_dir / "embedded.users.lock", fcntl.LOCK_SH)

    def alone(self) -> bool:
        """Whether nobody else uses the folder; ask only while `changing`, so that nobody can come in between."""
        path = self._data_dir / "embedded.users.lock"
        mine, self._user = self._user, None
        if mine is not None:
            _unlock(mine)
        probe = _try_lock(path, fcntl.LOCK_EX)
        if probe is not None:
            _unlock(probe)
        if mine is not None:
            self._user = _try_lock(path, fcntl.LOCK_SH)
        return probe is not None

    def leave(self) -> None:
        """Ends the use of the folder."""
        for descriptor in (self._user, self._exclusive):
            if descriptor is not None:
                _unlock(descriptor)
        self._user = self._exclusive = None


def _try_lock(path: Path, kind: int) -> int | None:
    """A descriptor that holds the lock until it is closed, or None if somebody else's lock forbids that."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    if kind == fcntl.LOCK_EX:
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def _unlock(descriptor: int) -> None:
    # Closing alone would not do while a forked worker has a copy of the descriptor.
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


def _holder(path: Path) -> str:
    """Names the process that wrote its id into the lock file."""
    return f"process {path.read_text().strip() or 'unknown'}"
