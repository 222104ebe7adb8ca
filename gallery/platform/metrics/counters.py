"""What is counted while the gallery works: requests, operations, files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram

from gallery.domain.metrics import OperationOutcome, TurnedAway
from gallery.domain.uploads import Transport

_SECONDS: Final = (0.005, 0.025, 0.1, 0.25, 1, 2.5, 10, 60, 600)
"""From a query that the cache answers to an upload of gigabytes."""
_POINTS: Final = (0, 1, 10, 50, 100, 500, 1_000, 5_000, 20_000)
"""From a query of scalars to the most that one may cost."""


class PrometheusMetrics:
    """The domain's `WebMetrics` and `UploadMetrics`, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._requests = Histogram(
            "gallery_http_request_duration_seconds",
            "How long HTTP requests took, by the pattern of their address and the class of the answer's status.",
            ("method", "route", "status"),
            buckets=_SECONDS,
            registry=registry,
        )
        self._operations = Histogram(
            "gallery_graphql_operation_duration_seconds",
            "How long GraphQL operations took, and how they ended.",
            ("type", "outcome"),
            buckets=_SECONDS,
            registry=registry,
        )
        self._prices = Histogram(
            "gallery_graphql_operation_price_points",
            "How many points GraphQL operations that were executed were priced at.",
            ("type",),
            buckets=_POINTS,
            registry=registry,
        )
        self._turned_away = Counter(
            "gallery_graphql_operations_turned_away",
            "GraphQL operations that were refused or cancelled because of what they cost, by the reason.",
            ("reason",),
            registry=registry,
        )
        self._files = Counter(
            "gallery_upload_files",
            "Files that were taken (CREATED, EXISTING), or refused with the code of an error.",
            ("transport", "outcome"),
            registry=registry,
        )
        self._file_bytes = Counter(
            "gallery_upload_file_bytes",
            "Bytes of the files that were taken.",
            ("transport",),
            registry=registry,
        )
        self._refused_connections = Counter(
            "gallery_http_refused_connections",
            "Connections that were refused before they had a request, or ended because their clients were too slow.",
            ("reason",),
            registry=registry,
        )
        self._requests_of = cache(self._requests.labels)  # finding one by its labels costs as much as counting
        self._operations_of = cache(self._operations.labels)
        self._prices_of = cache(self._prices.labels)
        self._finished_bytes = 0
        self._receiving: set[Callable[[], int]] = set()

    def request(self, method: str, route: str, status: str, seconds: float) -> None:
        """As the port says."""
        self._requests_of(method, route, status).observe(seconds)

    def operation(self, kind: str, outcome: OperationOutcome, seconds: float) -> None:
        """As the port says."""
        self._operations_of(kind, outcome.value).observe(seconds)

    def priced(self, kind: str, points: int) -> None:
        """As the port says."""
        self._prices_of(kind).observe(points)

    def turned_away(self, reason: TurnedAway) -> None:
        """As the port says."""
        self._turned_away.labels(reason.value).inc()

    def file(self, transport: Transport, outcome: str, *, size_bytes: int = 0) -> None:
        """As the port says."""
        name = transport.value.lower()
        self._files.labels(name, outcome).inc()
        self._file_bytes.labels(name).inc(size_bytes)

    def connection_refused(self, reason: str) -> None:
        """As the port says."""
        self._refused_connections.labels(reason).inc()

    @contextmanager
    def receiving(self, received_bytes: Callable[[], int]) -> Iterator[None]:
        """As the port says. Whoever receives counts already, and is asked when the page is made."""
        self._receiving.add(received_bytes)
        try:
            yield
        finally:
            self._receiving.discard(received_bytes)
            self._finished_bytes += received_bytes()

    @property
    def received_bytes(self) -> int:
        """How many bytes requests with files have had so far."""
        return self._finished_bytes + sum(count() for count in self._receiving)
