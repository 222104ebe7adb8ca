"""Every setting of the gallery: one frozen tree, read once from the environment (`GALLERY_…`).

Names nest with two underscores: `GALLERY_DATABASE__URL` is `settings.database.url`. Nothing else takes a
setting from the environment.
"""

from __future__ import annotations

from enum import StrEnum, unique
from typing import Self

from platformdirs import user_data_path
from pydantic import Field, HttpUrl, SecretStr, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from gallery.settings_access import AccessSettings
from gallery.settings_auth import AuthSettings, ClientSettings
from gallery.settings_connections import ConnectionSettings, OverloadSettings
from gallery.settings_graphql import GraphQLSettings
from gallery.settings_secrets import EnvironmentWithFiles
from gallery.settings_types import MAX_PROCESSES, CommaSeparated, Folder, Processes, Section, check_scheme

MEBIBYTE = 1024 * 1024
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})


@unique
class LogFormat(StrEnum):
    """How log lines look."""

    AUTO = "auto"
    CONSOLE = "console"
    JSON = "json"


@unique
class LogLevel(StrEnum):
    """From which severity on log lines are written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@unique
class AddressingStyle(StrEnum):
    """Where a bucket's name goes in a request to S3."""

    PATH = "path"
    VIRTUAL = "virtual"
    AUTO = "auto"


class ServerSettings(Section):
    """The HTTP server."""

    host: str = "127.0.0.1"
    """Address to listen on. Anything but loopback needs GALLERY_AUTH__MODE, `token` or `open`."""
    port: int = Field(default=8000, ge=0, le=65535)
    """TCP port to listen on; 0 takes a free one."""
    workers: Processes = Field(default=1, ge=1, le=MAX_PROCESSES)
    """How many processes answer requests; `auto` for one on each processor core. They tell each other through Valkey,
    so more than one needs the cache."""
    public_url: HttpUrl | None = None
    """The address under which clients reach the gallery, for the URLs in answers, such as https://photos.example.
    Unset: the address that each request was sent to. Pages of no other origin are the gallery's own, so that behind a
    proxy that ends TLS it is needed."""
    allowed_hosts: CommaSeparated = ()
    """Host names that requests may be sent to, separated by commas; `*` for any. Unset: the loopback names when
    listening on loopback (which stops DNS rebinding), any otherwise."""
    shutdown_timeout_seconds: float = Field(default=30, ge=0)
    """How long requests in flight may take to finish when the server stops, in seconds."""
    cors_origins: CommaSeparated = ()
    """Origins of web pages that may call the API from a browser, separated by commas, such as
    https://app.example. None by default."""
    compression: bool = True
    """Whether answers of the API are compressed for clients that take them so. Images never are: they are already. Set
    to false where a proxy does it."""


class DatabaseSettings(Section):
    """PostgreSQL."""

    url: SecretStr | None = None
    """Where PostgreSQL is: postgresql://user:password@host:5432/name. Unset: an embedded server is started."""
    pool_size: int = Field(default=10, ge=1, le=1000)
    """How many connections a process keeps at most; fewer where PostgreSQL has no room for those of all workers."""
    pool_timeout_seconds: float = Field(default=10, gt=0)
    """How long a request waits for a free connection before it is refused, in seconds."""
    statement_timeout_seconds: float = Field(default=30, gt=0)
    """How long a single statement may run, in seconds."""

    @model_validator(mode="after")
    def _is_postgresql(self) -> Self:
        check_scheme("GALLERY_DATABASE__URL", self.url, "postgresql", "postgres", "postgresql+asyncpg")
        return self


class StorageSettings(Section):
    """The S3-compatible object storage."""

    endpoint_url: HttpUrl | None = None
    """Where the storage is, such as https://s3.example. Unset together with the bucket: an embedded server is
    started. Unset with a bucket: Amazon S3."""
    public_endpoint_url: HttpUrl | None = None
    """The address under which clients of the gallery reach the storage, for the URLs to which they send files
    themselves, such as https://s3.example. Unset: the endpoint itself."""
    bucket: str | None = Field(default=None, min_length=3, max_length=63)
    """Name of the bucket. It must exist unless the storage is embedded."""
    region: str = "us-east-1"
    """Region of the bucket."""
    addressing_style: AddressingStyle = AddressingStyle.AUTO
    """Where the bucket's name goes: `path`, `virtual` (a host of its own), or `auto`."""
    access_key_id: SecretStr | None = None
    """Access key. Unset: the ordinary chain of credentials (environment, files, roles, EKS Pod Identity)."""
    secret_access_key: SecretStr | None = None
    """Secret key to the access key."""
    part_size_bytes: int = Field(default=8 * MEBIBYTE, ge=5 * MEBIBYTE, le=512 * MEBIBYTE)
    """Size of a part of a multipart upload, in bytes. S3 takes 10,000 parts, so the largest file is 10,000 times
    as large."""
    parts_in_flight: int = Field(default=3, ge=1, le=64)
    """How many parts of one file are sent at the same time."""
    timeout_seconds: float = Field(default=30, gt=0)
    """How long the storage may stay silent before a call fails, in seconds."""
    max_connections: int = Field(default=50, ge=1)
    """How many connections to the storage a process opens at most."""

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if self.endpoint_url is not None and self.bucket is None:
            message = "GALLERY_STORAGE__ENDPOINT_URL needs a bucket: set GALLERY_STORAGE__BUCKET"
            raise ValueError(message)
        if (self.access_key_id is None) != (self.secret_access_key is None):
            message = "set both GALLERY_STORAGE__ACCESS_KEY_ID and GALLERY_STORAGE__SECRET_ACCESS_KEY, or neither"
            raise ValueError(message)
        return self


class CacheSettings(Section):
    """Valkey, and how long it keeps what."""

    url: SecretStr | None = None
    """Where Valkey (or Redis) is: redis://:password@host:6379/0, valkey://…, or unix:///path. Unset: an embedded
    server is started."""
    enabled: bool = True
    """Whether answers are cached at all."""
    timeout_seconds: float = Field(default=0.05, gt=0, le=5)
    """How long Valkey may take before a request is served from the database instead, in seconds."""
    image_ttl_seconds: int = Field(default=2 * 3600, ge=1)
    """How long an image is kept, in seconds."""
    list_ttl_seconds: int = Field(default=30 * 60, ge=1)
    """How long a page of a list is kept, in seconds."""
    stats_ttl_seconds: int = Field(default=5 * 60, ge=1)
    """How long statistics are kept, in seconds."""
    default_ttl_seconds: int = Field(default=3600, ge=1)
    """How long anything else is kept, in seconds."""
    responses: bool = True
    """Whether whole answers to queries are kept as well."""
    responses_max_bytes: int = Field(default=64 * MEBIBYTE, ge=0)
    """How much memory whole answers may take in each process, in bytes; 0 keeps them in Valkey alone."""
    response_ttl_seconds: int = Field(default=30 * 60, ge=1)
    """How long a whole answer is kept, in seconds."""
    jitter: float = Field(default=0.1, ge=0, le=0.5)
    """By which share lifetimes vary at random, so that they do not all end together."""

    @model_validator(mode="after")
    def _is_valkey(self) -> Self:
        check_scheme("GALLERY_CACHE__URL", self.url, "redis", "rediss", "valkey", "valkeys", "unix")
        return self


class UploadSettings(Section):
    """What may be uploaded."""

    max_file_size: int = Field(default=2048 * MEBIBYTE, ge=1)
    """Largest file taken, in bytes."""
    max_files: int = Field(default=100, ge=1, le=10_000)
    """Most files in one request."""
    max_request_size: int = Field(default=16_384 * MEBIBYTE, ge=1, le=MEBIBYTE**2)
    """Largest body of one request with all its files, in bytes: by default eight files of the largest size, or a
    hundred of 160 MiB."""
    max_field_size: int = Field(default=MEBIBYTE, ge=1024)
    """Largest `operations` or `map` field of a multipart request, in bytes."""
    max_pixels: int = Field(default=268_435_456, ge=1)
    """Most pixels of an image: width times height times frames."""
    claim_timeout_seconds: float = Field(default=5, gt=0)
    """How long a file that nobody reads may hold up those behind it in the same request, in seconds."""
    progress_timeout_seconds: float = Field(default=30, gt=0, le=3600)
    """How long a client may send nothing of a request while the gallery waits for more, in seconds."""
    drain_limit_bytes: int = Field(default=16 * MEBIBYTE, ge=0)
    """How much of a body is still read after its operation is over, in bytes, so that the client sees the answer."""
    staged_ttl_seconds: int = Field(default=24 * 3600, ge=60, le=7 * 24 * 3600)
    """How long a client may take to send a file to the storage by itself, in seconds, before the upload is given up."""
    part_url_ttl_seconds: int = Field(default=3600, ge=1, le=7 * 24 * 3600)
    """How long the URL of a part of such an upload can be used, in seconds."""
    max_open_uploads: int = Field(default=1000, ge=1)
    """How many such uploads one person may have open at once. One that has expired counts until the sweep, which runs
    once an hour, has removed it."""
    max_open_bytes: int = Field(default=MEBIBYTE**2, ge=1)
    """How large the files of such uploads may be together, in bytes as announced; 1 TiB by default."""
    sweep_grace_seconds: int = Field(default=3600, ge=60)
    """What the sweep leaves alone: anything younger than this, and uploads that moved within it, in seconds."""
    sweep_repair: bool = False
    """Whether the sweep that runs once an hour also does what `gallery doctor --repair` would, or only tells it."""

    @model_validator(mode="after")
    def _request_holds_a_file(self) -> Self:
        if self.max_request_size < self.max_file_size:
            message = (
                f"GALLERY_UPLOADS__MAX_REQUEST_SIZE is {self.max_request_size:,}: it must not be less than "
                f"GALLERY_UPLOADS__MAX_FILE_SIZE, which is {self.max_file_size:,}"
            )
            raise ValueError(message)
        return self


class IdempotencySettings(Section):
    """Requests that are sent again with the same idempotency key."""

    key_ttl_seconds: int = Field(default=24 * 3600, ge=60)
    """How long a key is remembered, in seconds."""
    lease_seconds: int = Field(default=30, ge=10)
    """After how long without a sign of life the work on a request counts as cut off, in seconds, so that a repeat does
    it anew. Processes give a sign every few seconds."""
    wait_seconds: float = Field(default=60, ge=0)
    """How long a repeat waits for the request that is still worked on, in seconds, before it is refused."""
    max_keys: int = Field(default=1_000_000, ge=1)
    """About how many keys of one person are remembered at once; requests with others are refused."""


class ThumbnailSettings(Section):
    """Renditions made of every image."""

    small_px: int = Field(default=320, ge=16, le=16_383)
    """Longest edge of the small thumbnail, in pixels."""
    medium_px: int = Field(default=960, ge=16, le=16_383)
    """Longest edge of the medium thumbnail, in pixels."""
    large_px: int = Field(default=2048, ge=16, le=16_383)
    """Longest edge of the large thumbnail, in pixels."""
    quality: int = Field(default=80, ge=1, le=100)
    """WebP quality, 1 to 100."""

    @model_validator(mode="after")
    def _grow(self) -> Self:
        if not self.small_px <= self.medium_px <= self.large_px:
            message = (
                f"GALLERY_THUMBNAILS__SMALL_PX, MEDIUM_PX and LARGE_PX are {self.small_px}, {self.medium_px} and "
                f"{self.large_px}: they must not shrink in this order"
            )
            raise ValueError(message)
        return self


class WorkerSettings(Section):
    """The worker that makes renditions."""

    embedded: bool = True
    """Whether `gallery serve` works on jobs itself. Set to false where `gallery worker` runs."""
    concurrency: int = Field(default=2, ge=1, le=64)
    """How many jobs are worked on at the same time."""
    max_attempts: int = Field(default=10, ge=1, le=100)
    """How often a job is tried before it is held for a person to look at; ten attempts take about 15 minutes."""
    retry_delay_seconds: float = Field(default=2, gt=0)
    """How long the first retry waits, in seconds; each further one waits twice as long."""


class LogSettings(Section):
    """Log lines, on standard error."""

    level: LogLevel = LogLevel.INFO
    """Least severity: debug, info, warning or error."""
    format: LogFormat = LogFormat.AUTO
    """`json`, `console`, or `auto`: readable in a terminal, JSON elsewhere."""


class MetricsSettings(Section):
    """What the gallery counts, for Prometheus."""

    enabled: bool = True
    """Whether anything is counted and told under /metrics."""
    token: SecretStr | None = Field(default=None, min_length=16)
    """What scrapers send as a bearer token. Unset: the metrics are told to programs on the same machine only, and to
    nobody if there are a public URL or allowed hosts: then the machine's own requests may be those of a proxy."""


class Settings(BaseSettings):
    """All settings."""

    model_config = SettingsConfigDict(
        env_prefix="GALLERY_",
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
    )

    data_dir: Folder = Field(default_factory=lambda: user_data_path("gallery", appauthor=False))
    """Folder of the embedded servers: their data, logs and keys."""
    server: ServerSettings = ServerSettings()
    connections: ConnectionSettings = ConnectionSettings()
    overload: OverloadSettings = OverloadSettings()
    database: DatabaseSettings = DatabaseSettings()
    storage: StorageSettings = StorageSettings()
    cache: CacheSettings = CacheSettings()
    graphql: GraphQLSettings = GraphQLSettings()
    uploads: UploadSettings = UploadSettings()
    idempotency: IdempotencySettings = IdempotencySettings()
    thumbnails: ThumbnailSettings = ThumbnailSettings()
    worker: WorkerSettings = WorkerSettings()
    auth: AuthSettings = AuthSettings()
    access: AccessSettings = AccessSettings()
    log: LogSettings = LogSettings()
    metrics: MetricsSettings = MetricsSettings()
    client: ClientSettings = ClientSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # the signature of pydantic-settings
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # as above
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # as above
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is given goes before the environment; there is nothing else."""
        return init_settings, EnvironmentWithFiles(settings_cls)

    @model_validator(mode="after")
    def _processes_hear_each_other(self) -> Self:
        if self.server.workers > 1 and not self.cache.enabled:
            message = (
                "GALLERY_SERVER__WORKERS is more than 1 and GALLERY_CACHE__ENABLED is false: processes tell each other "
                "of uploads, images and persisted queries through Valkey; enable it, or run one process"
            )
            raise ValueError(message)
        return self

    @property
    def storage_is_embedded(self) -> bool:
        """Whether no object storage was named, so that one is started."""
        return self.storage.endpoint_url is None and self.storage.bucket is None
