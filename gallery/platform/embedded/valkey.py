"""Valkey as a pure cache: a Unix socket, bounded memory, nothing on disk."""

from __future__ import annotations

import signal
from urllib.parse import quote

from redis.asyncio import Redis
from redis.exceptions import RedisError

from gallery.platform.embedded.binaries import find_valkey
from gallery.platform.embedded.endpoints import Service
from gallery.platform.embedded.folder import DataFolder, SocketFolder
from gallery.platform.embedded.process import Launch, StopSteps
from gallery.platform.embedded.server import NotReadyError

_SOCKET = "valkey.sock"
_SETTINGS = {
    "port": "0",
    "unixsocket": _SOCKET,
    "unixsocketperm": "700",
    "maxmemory": "256mb",
    "maxmemory-policy": "allkeys-lru",
    "save": "",
    "appendonly": "no",
    "daemonize": "no",
}


class ValkeyServer:
    """`valkey-server` (or `redis-server`) in `<data>/valkey`."""

    service = Service.VALKEY
    stop_steps: StopSteps = ((signal.SIGTERM, 5.0),)
    ready_seconds = 15.0

    def __init__(self, folder: DataFolder, sockets: SocketFolder) -> None:
        self.log = folder.log(self.service)
        self._folder = folder.valkey
        self._socket = sockets.valkey / _SOCKET

    @property
    def url(self) -> str:
        """Where it listens, for redis-py."""
        return f"unix://{quote(str(self._socket))}"

    async def prepare(self) -> Launch:
        """Nothing to make ready; a socket left behind is replaced by the server itself."""
        settings = [word for name, value in _SETTINGS.items() for word in (f"--{name}", value)]
        return Launch(argv=[str(find_valkey()), *settings], folder=self._folder, log=self.log)

    async def probe(self) -> None:
        """Pings it."""
        try:
            async with Redis.from_url(self.url) as client:
                await client.ping()
        except (RedisError, OSError) as error:
            raise NotReadyError(str(error)) from error

    def tidy(self) -> None:
        """Nothing lies outside its folder."""
