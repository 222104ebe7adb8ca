"""Starts the servers of a data folder, shares them between processes, and stops them with the last one."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Collection, Coroutine, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from gallery.platform.embedded.endpoints import Endpoints, Service
from gallery.platform.embedded.errors import DataFolderInUseError, ServerDidNotStartError, ServerDiedError
from gallery.platform.embedded.folder import DataFolder, SocketFolder
from gallery.platform.embedded.identity import ProcessIdentity, machine
from gallery.platform.embedded.locks import FolderLocks
from gallery.platform.embedded.logs import shorten
from gallery.platform.embedded.postgres import PostgresServer
from gallery.platform.embedded.process import ServerProcess
from gallery.platform.embedded.seaweedfs import SeaweedfsServer
from gallery.platform.embedded.server import Server, bring_up, wait_until_ready
from gallery.platform.embedded.state import State
from gallery.platform.embedded.valkey import ValkeyServer

_STOP_ORDER = (Service.SEAWEEDFS, Service.VALKEY, Service.POSTGRES)
_WATCH_SECONDS = 1.0
_RESTARTS, _RESTARTS_WITHIN_SECONDS = 3, 600.0
log = logging.getLogger(__name__)


class EmbeddedServers:
    """The embedded servers that this process uses.

    Whoever comes first starts them, whoever comes later joins in, and the last one to leave stops them. What a killed
    process left running is taken over by the next. Usable as an asynchronous context manager, which stops at its end.
    """

    def __init__(self, data_dir: Path) -> None:
        self._folder = DataFolder(data_dir.absolute())
        self._locks = FolderLocks(self._folder.path)
        self._servers: dict[Service, Server] = {}
        self._processes: dict[Service, ServerProcess] = {}
        self._restarts: dict[Service, deque[float]] = {}
        self._stopped = False
        self.endpoints = Endpoints()

    @classmethod
    async def start(cls, data_dir: Path, services: Collection[Service], *, exclusive: bool) -> Self:
        """Has these services run and answer.

        `exclusive` is for the one server of a data folder: a second one is refused, while commands that are not
        exclusive work beside it.

        Raises:
            DataFolderInUseError: if another server uses the folder exclusively as well.
            EmbeddedError: if a service cannot be had; then nothing was started.
        """
        servers = cls(data_dir)
        servers._folder.make()
        try:
            async with servers._locks.changing():
                await servers._enter(services, exclusive=exclusive)
        except OSError as error:
            raise servers._folder.unusable(error) from error
        return servers

    async def stop(self) -> None:
        """Ends the use of the folder. The last user stops all servers: the store, then the cache, then PostgreSQL."""
        if self._stopped:
            return
        async with self._locks.changing():
            self._stopped = True
            try:
                if self._locks.alone():
                    await self._stop_all(self._load_state())
                else:
                    self._release_all()
            finally:
                self._locks.leave()

    async def watch(self) -> None:
        """Restarts a server that dies and keeps the logs short, until cancelled.

        Addresses stay as they are.

        Raises:
            ServerDiedError: when a server has died four times within ten minutes.
        """
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            for service, server in self._servers.items():
                shorten(server.log)
                if not self._processes[service].alive():
                    await self._revive(service)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def _enter(self, services: Collection[Service], *, exclusive: bool) -> None:
        """Makes this a user of the folder and has the services run; undone if that fails."""
        self._locks.enter(exclusive=exclusive)
        try:
            await self._have_running(services)
        except BaseException:
            self._stopped = True
            if self._locks.alone():
                await self._stop_all(self._load_state())
            else:
                self._release_all()
            self._locks.leave()
            raise

    async def _have_running(self, services: Collection[Service]) -> None:
        alone = self._locks.alone()
        state = self._load_state()
        if alone:
            # Nobody has used what is not asked for since the process that started it died.
            await self._stop_all(state, but=services)
        sockets = SocketFolder.of(self._folder, state.sockets)
        state.sockets = sockets.path
        state.save()
        self._servers = {service: _make(service, self._folder, sockets) for service in Service if service in services}
        await _all_or_first_error(*(self._have_one(server, state, alone=alone) for server in self._servers.values()))
        self.endpoints = _endpoints(self._servers)

    async def _have_one(self, server: Server, state: State, *, alone: bool) -> None:
        """Takes over the server that runs already, or starts one."""
        recorded = state.processes.get(server.service)
        if recorded is not None and recorded.alive():
            process = ServerProcess(recorded)
            try:
                await wait_until_ready(server, process)
            except ServerDidNotStartError:
                if not alone and process.alive():
                    raise
                log.warning("%s (process %d) does not answer; restarting it", server.service.product, recorded.pid)
                await process.stop(server.stop_steps)
            else:
                self._processes[server.service] = process
                return

        def record(identity: ProcessIdentity) -> None:
            state.processes[server.service] = identity
            state.save()

        self._processes[server.service] = await bring_up(server, record)

    async def _revive(self, service: Service) -> None:
        """Has a dead server run again; another user of the folder may have seen to that already."""
        dead, server = self._processes[service], self._servers[service]
        log.error(
            "%s (process %d) ended with exit code %s; its log is %s",
            service.product,
            dead.identity.pid,
            "unknown" if dead.exit_code is None else dead.exit_code,
            server.log,
        )
        restarts = self._restarts.setdefault(service, deque(maxlen=_RESTARTS))
        if len(restarts) == _RESTARTS and time.monotonic() - restarts[0] < _RESTARTS_WITHIN_SECONDS:
            message = f"{service.product} keeps ending and is not restarted any more; {server.log} may tell why."
            raise ServerDiedError(message)
        restarts.append(time.monotonic())
        async with self._locks.changing():
            if not self._stopped:
                await self._have_one(server, self._load_state(), alone=False)

    def _load_state(self) -> State:
        """The state on disk, without processes of an earlier boot; refuses to share servers with another machine."""
        state = State.load(self._folder.state)
        if state.machine != machine():
            if not self._locks.alone():
                message = (
                    f"The data folder {self._folder.path} is in use by a gallery in another container or on another "
                    "machine. Stop that one first, or give this one a folder of its own with --data-dir."
                )
                raise DataFolderInUseError(message)
            state.machine = machine()
            state.processes.clear()
        return state

    async def _stop_all(self, state: State, but: Collection[Service] = ()) -> None:
        """Stops every server that runs in the folder, whoever started it."""
        sockets = SocketFolder(state.sockets or self._folder.path)
        for service in _STOP_ORDER:
            recorded = state.processes.get(service)
            if recorded is None or service in but:
                continue
            process = self._processes.pop(service, None)
            if process is None or process.identity != recorded:
                process = ServerProcess(recorded)
            server = self._servers.get(service) or _make(service, self._folder, sockets)
            await process.stop(server.stop_steps)
            server.tidy()
            del state.processes[service]
            state.save()
        if not state.processes:
            sockets.remove(self._folder)
            state.sockets = None
            state.save()

    def _release_all(self) -> None:
        for process in self._processes.values():
            process.release()


def _make(service: Service, folder: DataFolder, sockets: SocketFolder) -> Server:
    if service is Service.POSTGRES:
        return PostgresServer(folder, sockets)
    if service is Service.VALKEY:
        return ValkeyServer(folder, sockets)
    return SeaweedfsServer(folder)


def _endpoints(servers: Mapping[Service, Server]) -> Endpoints:
    postgres, valkey, seaweedfs = (servers.get(service) for service in Service)
    return Endpoints(
        database_url=postgres.url if isinstance(postgres, PostgresServer) else None,
        cache_url=valkey.url if isinstance(valkey, ValkeyServer) else None,
        s3=seaweedfs.endpoint if isinstance(seaweedfs, SeaweedfsServer) else None,
    )


async def _all_or_first_error(*starts: Coroutine[None, None, None]) -> None:
    """Runs these at the same time; when one fails the others are undone by their cancellation."""
    try:
        async with asyncio.TaskGroup() as tasks:
            for start in starts:
                tasks.create_task(start)
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
