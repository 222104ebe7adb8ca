"""PostgreSQL, Valkey and SeaweedFS as child processes, for whoever has none of them running.

Their programs come from wheels (or from PATH), their files live in one data folder, and they listen on Unix sockets
and on loopback alone. `docs/adr/0003-embedded-servers.md` says why it is built this way.
"""

from gallery.platform.embedded.endpoints import Endpoints, S3Endpoint, Service
from gallery.platform.embedded.errors import (
    BinaryNotFoundError,
    DataFolderInUseError,
    DataFolderUnusableError,
    EmbeddedError,
    ServerDidNotStartError,
    ServerDiedError,
)
from gallery.platform.embedded.servers import EmbeddedServers

__all__ = [
    "BinaryNotFoundError",
    "DataFolderInUseError",
    "DataFolderUnusableError",
    "EmbeddedError",
    "EmbeddedServers",
    "Endpoints",
    "S3Endpoint",
    "ServerDidNotStartError",
    "ServerDiedError",
    "Service",
]
