"""Whom PostgreSQL runs as when we are root, which it refuses to be, and how that user gets at its programs."""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from gallery.platform.embedded.binaries import PostgresBinaries
from gallery.platform.embedded.endpoints import Service
from gallery.platform.embedded.errors import BinaryNotFoundError, DataFolderUnusableError

SHARED_PROGRAMS = Path("/var/cache/gallery")
"""Where root keeps copies of programs that lie in folders which others cannot enter; only root can write here."""

_CANDIDATES = ("postgres", "_postgres", "nobody")


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemUser:
    """A user of the operating system."""

    uid: int
    gid: int


def postgres_user(data_dir: Path, cluster: Path) -> SystemUser | None:
    """Who runs PostgreSQL: None for ourselves unless we are root.

    Root takes the owner of the cluster if there is one already, else the owner of the data folder if that is an
    ordinary user, else the system's `postgres`, else `nobody`. It creates no user.
    """
    if os.geteuid() != 0:
        return None
    for folder in (cluster, data_dir):
        if folder.exists() and (owner := folder.stat()).st_uid != 0:
            return SystemUser(uid=owner.st_uid, gid=owner.st_gid)
    for name in _CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return SystemUser(uid=entry.pw_uid, gid=entry.pw_gid)
    message = (
        f"PostgreSQL does not run as root, and this system has no user {' or '.join(_CANDIDATES)}. "
        f"Start the gallery as an ordinary user or set {Service.POSTGRES.setting} to a server of yours."
    )
    raise DataFolderUnusableError(message)


def runnable_by(
    binaries: PostgresBinaries, user: SystemUser | None, *, shared: Path = SHARED_PROGRAMS
) -> PostgresBinaries:
    """The same programs where `user` may run them: in place, or else in a copy that is made once in `shared`."""
    if user is None or _runs(binaries, user):
        return binaries
    copy = PostgresBinaries(folder=_shared_copy(binaries.folder, shared), major=binaries.major)
    if not _runs(copy, user):
        message = (
            f"PostgreSQL does not run as root, and the user with the id {user.uid} cannot run {copy.postgres}. "
            f"Start the gallery as an ordinary user or set {Service.POSTGRES.setting} to a server of yours."
        )
        raise BinaryNotFoundError(message)
    return copy


def _runs(binaries: PostgresBinaries, user: SystemUser) -> bool:
    for program in (binaries.postgres, binaries.initdb):
        try:
            subprocess.run(  # noqa: S603  # found among our own packages or on PATH
                [program, "--version"],
                cwd="/",
                user=user.uid,
                group=user.gid,
                extra_groups=[],
                capture_output=True,
                check=True,
            )
        except (OSError, subprocess.CalledProcessError):
            return False
    return True


def _shared_copy(folder: Path, shared: Path) -> Path:
    """Copies an installation (30 MB) to where everybody may read it, once for every version of its files.

    The wheel's programs find their libraries beside the package and their data relative to themselves, so both
    folders are copied as they stand to each other.
    """
    install = folder.parent
    package = install.parent
    program = (folder / "postgres").stat()
    seen = f"{folder}:{program.st_size}:{program.st_mtime_ns}"
    target = shared / f"postgres-{hashlib.sha256(seen.encode()).hexdigest()[:16]}"
    copied = target / package.name / install.name / folder.name
    if target.is_dir():
        return copied
    _make_shared_folder(shared)
    scratch = Path(tempfile.mkdtemp(prefix="copying-", dir=shared))
    try:
        _copy_readable(install, scratch / package.name / install.name)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            _copy_readable(libraries, scratch / libraries.name)
        scratch.chmod(0o755)
        (scratch / package.name).chmod(0o755)
        if not target.is_dir():
            scratch.rename(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return copied


def _make_shared_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o755)
    except OSError as error:
        message = f"PostgreSQL's programs cannot be copied to {folder}, where its user could run them: {error}."
        raise DataFolderUnusableError(message) from error
    found = folder.stat()
    if found.st_uid != 0 or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        message = f"{folder} can be written by others than root, so no programs are run from there. Remove it."
        raise DataFolderUnusableError(message)


def _copy_readable(source: Path, target: Path) -> None:
    """Copies a tree so that everybody can read it; headers are left out, links become files."""
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("include", "__pycache__"))
    for path in (target, *target.rglob("*")):
        executable = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
        path.chmod(0o755 if executable else 0o644)
