"""SeaweedFS: an S3-compatible store in one process, on loopback ports that only its keys open."""

from __future__ import annotations

import json
import secrets
import signal
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from http import HTTPStatus
from pathlib import Path
from typing import Self

import aiohttp
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from gallery.platform.embedded.binaries import find_weed
from gallery.platform.embedded.endpoints import S3Endpoint, Service
from gallery.platform.embedded.errors import DataFolderUnusableError
from gallery.platform.embedded.folder import DataFolder
from gallery.platform.embedded.process import Launch, StopSteps
from gallery.platform.embedded.server import EndedEarlyError, NotReadyError
from gallery.platform.embedded.state import write_private

_LOOPBACK = "127.0.0.1"
_PARTS = ("master", "volume", "filer", "s3", "admin")
_GRPC_OFFSET = 10_000
"""The worker inside `weed mini` looks for the admin part at its port plus this, whatever `-admin.port.grpc` says."""
_LOWEST_PORT, _HIGHEST_PORT = 12_000, 22_000
"""With the offset still below 32,768, where systems begin to hand out ports to clients."""
_JWT_SECTIONS = ("jwt.signing", "jwt.signing.read", "jwt.filer_signing", "jwt.filer_signing.read")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreKeys:
    """What is made once for a store and kept in `<data>/objects.json`."""

    access_key_id: str
    secret_access_key: str
    jwt_key: str
    """Closes the HTTP ports of the inner parts to everybody but SeaweedFS itself."""
    ports: Mapping[str, int]
    """The HTTP port of each part, kept from one start to the next as long as they are free."""

    @classmethod
    def load(cls, path: Path) -> Self:
        """The keys of this store, made and written if there are none."""
        try:
            return cls(**json.loads(path.read_bytes()))
        except FileNotFoundError:
            keys = cls(
                access_key_id=f"GALLERY{secrets.token_hex(6).upper()}",
                secret_access_key=secrets.token_urlsafe(30),
                jwt_key=secrets.token_urlsafe(30),
                ports=_free_ports(),
            )
        except (ValueError, TypeError) as error:
            message = f"{path}, which holds the keys to the stored images, is damaged ({error}). Restore it."
            raise DataFolderUnusableError(message) from error
        keys.save(path)
        return keys

    def save(self, path: Path) -> None:
        """Writes the file, readable by its owner alone."""
        write_private(path, json.dumps(asdict(self), indent=2) + "\n")


class SeaweedfsServer:
    """`weed mini` in `<data>/objects`."""

    service = Service.SEAWEEDFS
    stop_steps: StopSteps = ((signal.SIGTERM, 15.0),)
    ready_seconds = 60.0

    def __init__(self, folder: DataFolder) -> None:
        self.log = folder.log(self.service)
        self._folder = folder.objects
        self._keys_file = folder.objects_keys
        self._keys = StoreKeys.load(self._keys_file)

    @property
    def endpoint(self) -> S3Endpoint:
        """Where it listens, for an S3 client."""
        return S3Endpoint(
            endpoint_url=f"http://{_LOOPBACK}:{self._keys.ports['s3']}",
            access_key_id=self._keys.access_key_id,
            secret_access_key=self._keys.secret_access_key,
        )

    async def prepare(self) -> Launch:
        """Finds free ports and writes the configuration."""
        if not all(_is_free(port) for port in self._every_port()):
            self.tidy()
            self._keys = replace(self._keys, ports=_free_ports())
            self._keys.save(self._keys_file)
        # What `weed mini` remembers of its last options must not outlive a change of ours.
        (self._folder / "mini.options").unlink(missing_ok=True)
        sections = "".join(f'[{name}]\nkey = "{self._keys.jwt_key}"\n' for name in _JWT_SECTIONS)
        write_private(self._folder / "security.toml", sections)
        write_private(self._folder / "filer.toml", '[leveldb2]\nenabled = true\ndir = "./filerldb2"\n')
        keys = {
            "AWS_ACCESS_KEY_ID": self._keys.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self._keys.secret_access_key,
        }
        return Launch(argv=self._argv(), folder=self._folder, log=self.log, environment=keys)

    async def probe(self) -> None:
        """Creates the bucket, signed with our keys; that it exists already is as good an answer."""
        endpoint = self.endpoint
        url = f"{endpoint.endpoint_url}/{endpoint.bucket}"
        request = AWSRequest("PUT", url)
        credentials = Credentials(endpoint.access_key_id, endpoint.secret_access_key)
        S3SigV4Auth(credentials, "s3", endpoint.region).add_auth(request)
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.put(url, headers=dict(request.headers)) as response,
            ):
                answer = await response.text(errors="replace")
        except (aiohttp.ClientError, OSError) as error:
            raise NotReadyError(str(error)) from error
        if response.status == HTTPStatus.FORBIDDEN:
            message = f"Another program than our SeaweedFS answers at {endpoint.endpoint_url}: {answer}"
            raise EndedEarlyError(message)
        if response.status not in {HTTPStatus.OK, HTTPStatus.CONFLICT}:
            message = f"HTTP {response.status}: {answer}"
            raise NotReadyError(message)

    def tidy(self) -> None:
        """Removes the sockets that it makes in /tmp, whatever TMPDIR says, and does not all remove."""
        for part in _PARTS:
            port = self._keys.ports[part]
            for name in (f"seaweedfs-{part}-{port}.sock", f"seaweedfs-{part}-grpc-{port + _GRPC_OFFSET}.sock"):
                with suppress(OSError):
                    Path("/tmp", name).unlink()  # noqa: S108  # its choice, not ours

    def _every_port(self) -> list[int]:
        return [port + offset for port in self._keys.ports.values() for offset in (0, _GRPC_OFFSET)]

    def _argv(self) -> list[str]:
        ports = [
            option
            for part, port in self._keys.ports.items()
            for option in (f"-{part}.port={port}", f"-{part}.port.grpc={port + _GRPC_OFFSET}")
        ]
        return [
            str(find_weed()),
            "-logtostderr=true",
            "-config_dir=.",
            "mini",
            "-dir=.",
            f"-ip={_LOOPBACK}",
            f"-ip.bind={_LOOPBACK}",
            *ports,
            "-master.telemetry=false",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            "-s3.autoCreateBucket=false",
            "-webdav=false",
            "-admin.ui=false",
            "-volume.preStopSeconds=0",
        ]


def _free_ports() -> dict[str, int]:
    """A port for every part such that its gRPC port is free as well."""
    ports: list[int] = []
    while len(ports) < len(_PARTS):
        port = secrets.randbelow(_HIGHEST_PORT - _LOWEST_PORT) + _LOWEST_PORT
        # Two parts 10,000 apart would meet at the gRPC port of one of them; the range is too narrow for that.
        if port not in ports and _is_free(port) and _is_free(port + _GRPC_OFFSET):
            ports.append(port)
    return dict(zip(_PARTS, ports, strict=True))


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As SeaweedFS does: connections that linger from its last run do not occupy the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_LOOPBACK, port))
        except OSError:
            return False
    return True
