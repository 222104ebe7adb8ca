"""The settings of connections and of overload, parts of the tree in `settings.py`."""

from __future__ import annotations

from pydantic import Field

from gallery.settings_types import Section


class ConnectionSettings(Section):
    """What `gallery serve` lets the connections of clients do. Counts are for each process."""

    head_timeout_seconds: float = Field(default=10, gt=0)
    """How long a client may take from the opening of a connection, or the first byte of a request, to the end of the
    request's headers, in seconds."""
    idle_timeout_seconds: int = Field(default=75, ge=1)
    """How long a connection stays open between two requests, in seconds. Longer than the 60 seconds after which common
    load balancers close connections that they keep open."""
    min_bytes_per_second: int = Field(default=240, ge=0)
    """How fast a client must send what the gallery waits for, and read what it is sent, in bytes per second; 0 lets it
    be as slow as it likes."""
    pace_window_seconds: float = Field(default=30, gt=0)
    """Over how long that is looked at, in seconds: so long a client may pause. A body that came fast enough until then
    may pause for `GALLERY_UPLOADS__PROGRESS_TIMEOUT_SECONDS`."""
    max_connections: int = Field(default=2000, ge=1)
    """How many connections are open at once. Where they are used up, those that wait for no answer are closed; if there
    are none, probes of health are answered and nothing else."""
    max_connections_per_client: int = Field(default=0, ge=0)
    """How many of them one address may have; 0 for any number. Leave it behind a proxy, which has one address for all
    clients."""


class OverloadSettings(Section):
    """When requests are refused rather than kept waiting. Counts are for each process."""

    max_operations: int = Field(default=64, ge=1)
    """How many GraphQL operations are worked on at once. Subscriptions and uploads do not count."""
    max_waiting: int = Field(default=512, ge=0)
    """How many operations wait for their turn, and how many statements for a connection to the database, before others
    are refused. One viewer has at most half of these places."""
    queue_timeout_seconds: float = Field(default=1, gt=0)
    """How long an operation waits for its turn, and each of its statements for a connection to the database, before it
    is refused, in seconds. Uploads and jobs wait for as long as `GALLERY_DATABASE__POOL_TIMEOUT_SECONDS` says."""
