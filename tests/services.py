"""Where tests get PostgreSQL, Valkey and S3.

Each of the three comes from the first of these that is there:

1. a server of yours, named by GALLERY_TEST_DATABASE_URL, GALLERY_TEST_CACHE_URL (it is emptied, so only one process of
   tests can use it: `make test ARGS="-n 0"`), or GALLERY_TEST_S3_ENDPOINT_URL with GALLERY_TEST_S3_ACCESS_KEY_ID and
   GALLERY_TEST_S3_SECRET_ACCESS_KEY;
2. a container, if GALLERY_TEST_SERVICES=containers, of the image in POSTGRES_IMAGE, VALKEY_IMAGE or S3_IMAGE;
3. the embedded server of the gallery itself, in a folder that is removed at the end.

Where several processes share the tests, each has servers of its own.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import ExecWaitStrategy, HttpWaitStrategy

from gallery.platform.embedded import EmbeddedServers, Endpoints, Service
from gallery.settings import AddressingStyle, StorageSettings

POSTGRES_IMAGE = os.environ.get("POSTGRES_IMAGE", "postgres:18")
VALKEY_IMAGE = os.environ.get("VALKEY_IMAGE", "valkey/valkey:9")
S3_IMAGE = os.environ.get("S3_IMAGE", "chrislusf/seaweedfs:4.48")

T = TypeVar("T")

_POSTGRES_PORT, _VALKEY_PORT, _S3_PORT = 5432, 6379, 8333


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Access:
    endpoint_url: str
    access_key_id: str
    secret_access_key: str
    region: str = "us-east-1"

    def settings(self, bucket: str, **others: object) -> StorageSettings:
        """How a gallery is told of a bucket."""
        told = {
            "endpoint_url": self.endpoint_url,
            "bucket": bucket,
            "region": self.region,
            "addressing_style": AddressingStyle.PATH,
            "access_key_id": self.access_key_id,
            "secret_access_key": self.secret_access_key,
        }
        return StorageSettings.model_validate({**told, **others})


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    database_url: str
    cache_url: str
    s3: S3Access


@asynccontextmanager
async def running_database(folder: Path) -> AsyncIterator[str]:
    """The URL of a PostgreSQL server, by a role that may create databases."""
    if url := os.environ.get("GALLERY_TEST_DATABASE_URL"):
        yield url
    elif _containers_wanted():
        password = uuid4().hex
        container = (
            DockerContainer(POSTGRES_IMAGE)
            .with_env("POSTGRES_USER", "gallery")
            .with_env("POSTGRES_PASSWORD", password)
            .with_exposed_ports(_POSTGRES_PORT)
            .waiting_for(ExecWaitStrategy(["pg_isready", "-h", "127.0.0.1", "-U", "gallery"]))
        )
        async with _running(container):
            yield f"postgresql://gallery:{password}@{_address(container, _POSTGRES_PORT)}/gallery"
    else:
        async with _embedded(folder, Service.POSTGRES) as endpoints:
            yield _known(endpoints.database_url)


@asynccontextmanager
async def running_cache(folder: Path) -> AsyncIterator[str]:
    """The URL of a Valkey server."""
    if url := os.environ.get("GALLERY_TEST_CACHE_URL"):
        assert "PYTEST_XDIST_WORKER" not in os.environ, "GALLERY_TEST_CACHE_URL is for one process of tests: -n 0"
        yield url
    elif _containers_wanted():
        container = (
            DockerContainer(VALKEY_IMAGE)
            .with_exposed_ports(_VALKEY_PORT)
            .waiting_for(ExecWaitStrategy(["valkey-cli", "ping"]))
        )
        async with _running(container):
            yield f"redis://{_address(container, _VALKEY_PORT)}/0"
    else:
        async with _embedded(folder, Service.VALKEY) as endpoints:
            yield _known(endpoints.cache_url)


@asynccontextmanager
async def running_s3(folder: Path) -> AsyncIterator[S3Access]:
    """Access to an S3-compatible store, by keys that may create buckets."""
    if endpoint_url := os.environ.get("GALLERY_TEST_S3_ENDPOINT_URL"):
        yield S3Access(
            endpoint_url=endpoint_url,
            access_key_id=os.environ["GALLERY_TEST_S3_ACCESS_KEY_ID"],
            secret_access_key=os.environ["GALLERY_TEST_S3_SECRET_ACCESS_KEY"],
        )
    elif _containers_wanted():
        access_key_id, secret_access_key = "gallery-tests", uuid4().hex
        container = (
            DockerContainer(S3_IMAGE)
            .with_command(["mini", "-dir=/data", "-master.telemetry=false", "-s3.autoCreateBucket=false"])
            .with_env("AWS_ACCESS_KEY_ID", access_key_id)
            .with_env("AWS_SECRET_ACCESS_KEY", secret_access_key)
            .with_exposed_ports(_S3_PORT)
            .waiting_for(HttpWaitStrategy(_S3_PORT).for_status_code(403))
        )
        async with _running(container):
            yield S3Access(
                endpoint_url=f"http://{_address(container, _S3_PORT)}",
                access_key_id=access_key_id,
                secret_access_key=secret_access_key,
            )
    else:
        async with _embedded(folder, Service.SEAWEEDFS) as endpoints:
            s3 = _known(endpoints.s3)
            yield S3Access(
                endpoint_url=s3.endpoint_url,
                access_key_id=s3.access_key_id,
                secret_access_key=s3.secret_access_key,
                region=s3.region,
            )


def _containers_wanted() -> bool:
    wanted = os.environ.get("GALLERY_TEST_SERVICES", "embedded")
    if wanted not in {"containers", "embedded"}:
        message = f"GALLERY_TEST_SERVICES is {wanted!r}; it takes `containers` or `embedded`."
        raise ValueError(message)
    return wanted == "containers"


@asynccontextmanager
async def _embedded(folder: Path, service: Service) -> AsyncIterator[Endpoints]:
    async with await EmbeddedServers.start(folder / service.value, {service}, exclusive=True) as servers:
        yield servers.endpoints


@asynccontextmanager
async def _running(container: DockerContainer) -> AsyncIterator[None]:
    try:
        await asyncio.to_thread(container.start)
        yield
    finally:
        await asyncio.to_thread(container.stop)


def _address(container: DockerContainer, port: int) -> str:
    return f"{container.get_container_host_ip()}:{container.get_exposed_port(port)}"


def _known(value: T | None) -> T:
    assert value is not None
    return value
