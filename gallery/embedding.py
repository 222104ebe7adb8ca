"""Starts the servers that a gallery lacks: the only place that knows which of its services are embedded."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import HttpUrl, SecretStr

from gallery.container import database_url
from gallery.platform.database.migrate import upgrade
from gallery.platform.embedded import EmbeddedServers, Endpoints, Service
from gallery.settings import AddressingStyle, Settings


@asynccontextmanager
async def running_services(
    settings: Settings, *, exclusive: bool, migrated: bool = True
) -> AsyncIterator[tuple[Settings, EmbeddedServers | None]]:
    """The settings with an address for every service: those without one are started here, and stopped at the end.

    `exclusive` is for the one server of a data folder; see `EmbeddedServers.start`. An embedded database is `migrated`
    as well; one that somebody else runs never is.

    Raises:
        EmbeddedError: if a service cannot be started, with what to do about it.
    """
    missing = embedded_services(settings)
    if not missing:
        yield settings, None
        return
    async with await EmbeddedServers.start(settings.data_dir, missing, exclusive=exclusive) as servers:
        complete = _with_endpoints(settings, servers.endpoints)
        if migrated and Service.POSTGRES in missing:
            await upgrade(database_url(complete))
        yield complete, servers


def embedded_services(settings: Settings) -> frozenset[Service]:
    """The services that have no address and so are embedded."""
    embedded = {
        Service.POSTGRES: settings.database.url is None,
        Service.VALKEY: settings.cache.url is None and settings.cache.enabled,
        Service.SEAWEEDFS: settings.storage_is_embedded,
    }
    return frozenset(service for service, wanted in embedded.items() if wanted)


def _with_endpoints(settings: Settings, endpoints: Endpoints) -> Settings:
    """The settings with the addresses of embedded servers in the places that were empty."""
    changes: dict[str, object] = {}
    if endpoints.database_url is not None:
        changes["database"] = settings.database.model_copy(update={"url": SecretStr(endpoints.database_url)})
    if endpoints.cache_url is not None:
        changes["cache"] = settings.cache.model_copy(update={"url": SecretStr(endpoints.cache_url)})
    if (s3 := endpoints.s3) is not None:
        changes["storage"] = settings.storage.model_copy(
            update={
                "endpoint_url": HttpUrl(s3.endpoint_url),
                "bucket": s3.bucket,
                "region": s3.region,
                "addressing_style": AddressingStyle.PATH,
                "access_key_id": SecretStr(s3.access_key_id),
                "secret_access_key": SecretStr(s3.secret_access_key),
            }
        )
    return settings.model_copy(update=changes)
