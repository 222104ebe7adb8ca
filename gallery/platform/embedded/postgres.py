"""PostgreSQL: a cluster in the data folder, reached through a socket that lies in it, never over TCP."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import asyncpg

from gallery.platform.embedded.binaries import PostgresBinaries, find_postgres
from gallery.platform.embedded.endpoints import Service
from gallery.platform.embedded.errors import DataFolderUnusableError, ServerDidNotStartError
from gallery.platform.embedded.folder import DataFolder, SocketFolder
from gallery.platform.embedded.identity import identify
from gallery.platform.embedded.logs import size_bytes, tail
from gallery.platform.embedded.process import Launch, ServerProcess, StopSteps
from gallery.platform.embedded.server import NotReadyError
from gallery.platform.embedded.system_user import SystemUser, postgres_user, runnable_by

_NAME = "gallery"
"""Of the database and of the role that owns it."""
_FIRST_WITH_BUILTIN_LOCALES = 17
_SETTINGS = {
    "listen_addresses": "",
    "port": "5432",
    "unix_socket_directories": ".",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "max_wal_size": "512MB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "cluster_name": _NAME,
}


class PostgresServer:
    """`postgres` in `<data>/postgres`."""

    service = Service.POSTGRES
    # Fast shutdown ends sessions and writes a checkpoint; immediate shutdown leaves recovery to the next start.
    stop_steps: StopSteps = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 10.0))
    ready_seconds = 120.0

    def __init__(self, folder: DataFolder, sockets: SocketFolder) -> None:
        self.log = folder.log(self.service)
        self._data_dir = folder.path
        self._cluster = folder.postgres
        self._socket_folder = sockets.postgres

    @property
    def url(self) -> str:
        """Where it listens, for SQLAlchemy with asyncpg."""
        return f"postgresql+asyncpg://{_NAME}@/{_NAME}?host={quote(str(self._socket_folder))}"

    async def prepare(self) -> Launch:
        """Makes the cluster if there is none, and puts stale files out of the way."""
        user = postgres_user(self._data_dir, self._cluster)
        binaries = runnable_by(find_postgres(), user)
        if not (self._cluster / "PG_VERSION").exists():
            await self._initdb(binaries, user)
        self._check_version(binaries)
        self._drop_stale_pid_file()
        settings = [word for name, value in _SETTINGS.items() for word in ("-c", f"{name}={value}")]
        return self._launch([str(binaries.postgres), "-D", _own_folder(self._cluster, user), *settings], user)

    async def probe(self) -> None:
        """Asks our database, which is created if the cluster is new."""
        try:
            try:
                await self._execute(_NAME, "SELECT 1")
            except asyncpg.InvalidCatalogNameError:
                with suppress(asyncpg.DuplicateDatabaseError):
                    await self._execute("postgres", f"CREATE DATABASE {_NAME}")
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            raise NotReadyError(str(error)) from error

    def tidy(self) -> None:
        """Nothing lies outside the cluster."""

    async def _execute(self, database: str, statement: str) -> None:
        connection = await asyncpg.connect(host=str(self._socket_folder), port=5432, user=_NAME, database=database)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    async def _initdb(self, binaries: PostgresBinaries, user: SystemUser | None) -> None:
        """Makes the cluster beside its place and moves it there when complete: an interrupted one never counts."""
        if self._cluster.exists() and any(self._cluster.iterdir()):
            message = f"{self._cluster} holds files, but no PostgreSQL cluster. Move them away or use another folder."
            raise DataFolderUnusableError(message)
        new = self._cluster.with_name("postgres.new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        if user is not None:
            os.chown(new, user.uid, user.gid)
        argv = [str(binaries.initdb), "-D", _own_folder(new, user), *_initdb_options(binaries.major)]
        log_begin = size_bytes(self.log)
        process = ServerProcess.spawn(Launch(argv=argv, folder=new, log=self.log, user=user))
        try:
            await process.ended()
        finally:
            await process.stop([(signal.SIGTERM, 5.0)])
        if process.exit_code != 0:
            last_words = tail(self.log, since_byte=log_begin)
            message = f"PostgreSQL's initdb failed in {new}. The end of its log, {self.log}:\n{last_words}"
            raise ServerDidNotStartError(message)
        new.replace(self._cluster)

    def _launch(self, argv: Sequence[str], user: SystemUser | None) -> Launch:
        return Launch(argv=argv, folder=self._cluster, log=self.log, user=user)

    def _check_version(self, binaries: PostgresBinaries) -> None:
        made_by = (self._cluster / "PG_VERSION").read_text().strip()
        if made_by != str(binaries.major):
            message = (
                f"The database in {self._cluster} was made by PostgreSQL {made_by}, but only {binaries.major} is "
                f"installed ({binaries.postgres}). Install {made_by}, or carry the data over with pg_upgrade."
            )
            raise DataFolderUnusableError(message)

    def _drop_stale_pid_file(self) -> None:
        """Removes a dead server's `postmaster.pid` if its id now belongs to another program.

        PostgreSQL itself removes the file of a process that is gone, but trusts in any process of its own user.
        """
        pid_file = self._cluster / "postmaster.pid"
        try:
            pid = int(pid_file.read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return
        process = identify(pid)
        if process is not None and process.command != "postgres":
            pid_file.unlink()


def _own_folder(folder: Path, user: SystemUser | None) -> str:
    """How a process that starts in `folder` names it.

    One that runs as another user may be unable to walk there, since the folders above are ours (0700). Linux lets it
    reach its working folder all the same, through a link that is resolved without walking.
    """
    if user is not None and sys.platform == "linux":
        return "/proc/self/cwd"
    return str(folder)


def _initdb_options(major: int) -> list[str]:
    """A UTF-8 cluster with checksums whose role needs no password; who can enter its folder may use it."""
    locale = ["--locale=C.UTF-8"]
    if major >= _FIRST_WITH_BUILTIN_LOCALES:
        # Sorting and case rules come with PostgreSQL and so do not change with the system's libc.
        locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    options = ["--username", _NAME, "--encoding=UTF8", "--data-checksums", "--auth=trust", "--no-instructions"]
    return [*options, *locale]
