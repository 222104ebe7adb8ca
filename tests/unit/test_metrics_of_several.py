"""What several processes have counted, on one page: added up, and never less than before."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

import pytest
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import CollectorRegistry

from gallery.domain.errors import UnavailableError
from gallery.domain.uploads import Transport
from gallery.platform.database.engine import PoolUse
from gallery.platform.metrics import DatabaseFigures, DatabaseState, Ledger, ProcessState, PrometheusMetrics
from gallery.platform.metrics.page import PrometheusPage
from gallery.platform.metrics.several import Merged
from tests.scraped import Sample, sample, scraped

CREATED = sample("gallery_upload_files_total", transport="streamed", outcome="CREATED")
REQUESTS = sample("gallery_http_request_duration_seconds_count", method="GET", route="/livez", status="2xx")
AT_ONCE = sample("gallery_http_request_duration_seconds_bucket", method="GET", route="/livez", status="2xx", le="0.005")
POOL = sample("gallery_database_pool_size")
PROCESSES, RESTARTS = sample("gallery_server_processes"), sample("gallery_server_process_restarts_total")


class Process:
    """One of several, whose supervisor is a ledger."""

    def __init__(self, number: int, ledger: Ledger) -> None:
        self.number = number
        self.metrics = PrometheusMetrics()
        self._ledger = ledger
        self._count: Callable[[], bytes] = bytes
        self.supervised = True
        state = ProcessState(
            cache=None,
            responses=None,
            pool_use=lambda: PoolUse(size=10, in_use=3, idle=2),
            parts_in_flight=lambda: 4,
            received_bytes=lambda: self.metrics.received_bytes,
        )
        self.page = PrometheusPage(self.metrics, state, DatabaseState(_no_figures), self)

    def join(self, count: Callable[[], bytes]) -> None:
        self._count = count

    async def counted(self) -> Sequence[bytes]:
        if not self.supervised:
            service = "supervisor"
            raise UnavailableError(service)
        self.tell()
        return self._ledger.all(restarts=0)

    def tell(self) -> None:
        self._ledger.tell(self.number, self._count())

    def answer(self, *seconds: float) -> None:
        for duration in seconds:
            self.metrics.request("GET", "/livez", "2xx", duration)

    async def told(self) -> Mapping[Sample, float]:
        return scraped(await self.page.render())


async def _no_figures() -> DatabaseFigures:
    return DatabaseFigures(jobs={}, reports=())


def page_of(ledger: Ledger, *, restarts: int = 0) -> Mapping[Sample, float]:
    registry = CollectorRegistry()
    registry.register(Merged(ledger.all(restarts=restarts)))
    return scraped(generate_latest(registry))


async def test_any_process_gives_the_page_of_all() -> None:
    ledger = Ledger()
    one, other = Process(1, ledger), Process(2, ledger)
    one.answer(0.001, 0.2)
    one.metrics.file(Transport.STREAMED, "CREATED", size_bytes=5)
    other.answer(0.001)
    other.tell()

    told = await one.told()

    assert (told[REQUESTS], told[AT_ONCE], told[CREATED]) == (3, 2, 1)
    assert (told[POOL], told[sample("gallery_upload_parts_in_flight")]) == (20, 8)
    assert (told[PROCESSES], told[RESTARTS]) == (2, 0)
    assert told[sample("gallery_metrics_database_up")] == 1


async def test_what_means_nothing_together_is_told_of_each() -> None:
    ledger = Ledger()
    one, other = Process(1, ledger), Process(2, ledger)
    other.tell()

    told = await one.told()

    names = {name for name, _ in told if name.startswith(("process_", "python_"))}
    assert "process_resident_memory_bytes" in names
    for name in names:
        labels = [dict(series[1]) for series in told if series[0] == name]
        assert {label["process"] for label in labels} == {"1", "2"}


def test_of_one_that_replaces_another_the_newer_is_told() -> None:
    ledger = Ledger()
    for name, seconds in ((10, 5.0), (11, 7.0)):
        ledger.tell(name, f'[["process_start_time","","gauge",[["process_start_time",{{}},{seconds}]]]]'.encode())

    assert page_of(ledger)[sample("process_start_time")] == 7


def told_of_cache(up: float) -> bytes:
    return f'[["gallery_cache_up","Whether.","gauge",[["gallery_cache_up",{{}},{up}]]]]'.encode()


@pytest.mark.parametrize(("values", "expected"), [((1, 1), 1), ((1, 0), 0), ((0, 0), 0)], ids=["all", "one", "none"])
def test_the_cache_is_up_if_it_is_for_all(values: tuple[int, int], expected: int) -> None:
    ledger = Ledger()
    for number, value in enumerate(values):
        ledger.tell(number, told_of_cache(value))

    assert page_of(ledger)[sample("gallery_cache_up")] == expected


def test_counts_outlive_a_process_and_its_state_does_not() -> None:
    ledger = Ledger()
    one, other, another = Process(1, ledger), Process(2, ledger), Process(3, ledger)
    one.answer(0.001)
    other.answer(0.001, 0.002)
    one.tell()
    other.tell()
    ledger.end(2)
    another.answer(0.3)
    another.tell()

    told = page_of(ledger, restarts=1)
    ledger.end(3)
    ledger.end(1)
    nobody = page_of(ledger, restarts=1)

    assert (told[REQUESTS], told[AT_ONCE], told[POOL]) == (4, 3, 20)
    assert (told[PROCESSES], told[RESTARTS]) == (2, 1)
    assert sample("process_open_fds", process="2") not in told
    assert (nobody[REQUESTS], nobody[PROCESSES]) == (4, 0)
    assert POOL not in nobody


def test_one_that_ends_before_it_has_told_anything_changes_nothing() -> None:
    ledger = Ledger()
    ledger.end(1)

    assert page_of(ledger) == {PROCESSES: 0, RESTARTS: 0}


async def test_without_the_others_there_is_no_page() -> None:
    process = Process(1, Ledger())
    process.supervised = False

    with pytest.raises(UnavailableError):
        await asyncio.wait_for(process.page.render(), 5)
