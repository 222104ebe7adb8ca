"""Which services can be embedded, and where the rest of the gallery finds them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Service(StrEnum):
    """A server that the gallery can start by itself."""

    POSTGRES = "postgres"
    VALKEY = "valkey"
    SEAWEEDFS = "seaweedfs"

    @property
    def product(self) -> str:
        """The name as its makers write it."""
        return {"postgres": "PostgreSQL", "valkey": "Valkey", "seaweedfs": "SeaweedFS"}[self.value]

    @property
    def setting(self) -> str:
        """The environment variable that names a server of one's own and so makes the embedded one superfluous."""
        return {
            "postgres": "GALLERY_DATABASE__URL",
            "valkey": "GALLERY_CACHE__URL",
            "seaweedfs": "GALLERY_STORAGE__ENDPOINT_URL",
        }[self.value]


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Endpoint:
    """An S3-compatible store and the keys to it."""

    endpoint_url: str
    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    region: str = "us-east-1"
    bucket: str = "gallery"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """Where the embedded servers listen; None for a service that was not asked for."""

    database_url: str | None = None
    """`postgresql+asyncpg://gallery@/gallery?host=<folder of the socket>`, for SQLAlchemy."""
    cache_url: str | None = None
    """`unix:///….sock`, for redis-py."""
    s3: S3Endpoint | None = None
