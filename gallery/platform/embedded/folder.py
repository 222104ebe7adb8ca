"""The layout of a data folder, and short addresses for the sockets in it."""

from __future__ import annotations

import os
import re
import shutil
import stat
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from gallery.platform.embedded.endpoints import Service
from gallery.platform.embedded.errors import DataFolderUnusableError

SOCKET_PATH_BYTES = 107 if sys.platform == "linux" else 103
"""The longest address of a Unix socket: sun_path less its final zero byte, unix(7)."""

_LONGEST_SOCKET = "postgres/.s.PGSQL.5432"
_PLAIN = re.compile(r"[\w /.+~-]+")
"""Paths that mean themselves in a connection string; drivers read commas and colons as lists and ports."""


@dataclass(frozen=True, slots=True)
class DataFolder:
    """Where everything of one gallery lies; all of it is readable by its owner alone."""

    path: Path

    def make(self) -> None:
        """Creates what is missing.

        Raises:
            DataFolderUnusableError: if that is not allowed.
        """
        try:
            for folder in (self.path, self.logs, self.valkey, self.objects):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not os.access(self.path, os.W_OK | os.X_OK):
                raise PermissionError(13, "Permission denied", str(self.path))
        except OSError as error:
            raise self.unusable(error) from error

    def unusable(self, error: OSError) -> DataFolderUnusableError:
        """The same failure in words for the person who chose the folder."""
        return DataFolderUnusableError(
            f"The data folder {self.path} cannot be used by the user with the id {os.geteuid()}: {error}. "
            "Choose another one with --data-dir, or start the gallery as the folder's owner."
        )

    @property
    def state(self) -> Path:
        """The state file."""
        return self.path / "embedded.json"

    @property
    def logs(self) -> Path:
        """The servers' logs."""
        return self.path / "logs"

    @property
    def postgres(self) -> Path:
        """PostgreSQL's cluster and socket."""
        return self.path / "postgres"

    @property
    def valkey(self) -> Path:
        """Valkey's socket."""
        return self.path / "valkey"

    @property
    def objects(self) -> Path:
        """SeaweedFS' volumes."""
        return self.path / "objects"

    @property
    def objects_keys(self) -> Path:
        """The keys to the objects."""
        return self.path / "objects.json"

    def log(self, service: Service) -> Path:
        """The log of one server."""
        return self.logs / f"{service}.log"


@dataclass(frozen=True, slots=True)
class SocketFolder:
    """The way to the sockets: the data folder itself or a private folder of links into it."""

    path: Path

    @property
    def postgres(self) -> Path:
        """Leads to the folder of PostgreSQL's socket."""
        return self.path / "postgres"

    @property
    def valkey(self) -> Path:
        """Leads to the folder of Valkey's socket."""
        return self.path / "valkey"

    @classmethod
    def of(cls, folder: DataFolder, known: Path | None) -> Self:
        """The data folder if that fits into a socket address, else links; `known` ones if they are still ours."""
        longest = len(os.fsencode(folder.path / _LONGEST_SOCKET))
        if longest <= SOCKET_PATH_BYTES and _PLAIN.fullmatch(str(folder.path)):
            return cls(folder.path)
        if known is not None and (found := cls(known)).leads_to(folder):
            return found
        links = cls(Path(tempfile.mkdtemp(prefix="gallery-", dir=_short_folder())))
        links.postgres.symlink_to(folder.postgres)
        links.valkey.symlink_to(folder.valkey)
        return links

    def leads_to(self, folder: DataFolder) -> bool:
        """Whether these are links to that data folder, in a folder that only we can change."""
        try:
            found = self.path.lstat()
            targets = (self.postgres.readlink(), self.valkey.readlink())
        except OSError:
            return False
        private = stat.S_ISDIR(found.st_mode) and stat.S_IMODE(found.st_mode) == stat.S_IRWXU
        return private and found.st_uid == os.geteuid() and targets == (folder.postgres, folder.valkey)

    def remove(self, folder: DataFolder) -> None:
        """Removes the links, never the data folder."""
        if self.path != folder.path and self.leads_to(folder):
            shutil.rmtree(self.path, ignore_errors=True)


def _short_folder() -> Path:
    """A folder for short-lived things with a short, plain name: the user's runtime folder or a temporary one."""
    for candidate in (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir()):
        if candidate is None or not os.access(candidate, os.W_OK | os.X_OK):
            continue
        longest = len(os.fsencode(f"{candidate}/gallery-xxxxxxxx/{_LONGEST_SOCKET}"))
        if longest <= SOCKET_PATH_BYTES and _PLAIN.fullmatch(candidate):
            return Path(candidate)
    return Path("/tmp")  # noqa: S108  # a random 0700 folder is made in it
