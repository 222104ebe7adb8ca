"""Whether the gallery lives, can do its work, and how its dependencies are."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

import gallery
from gallery.domain.access import Right
from gallery.domain.errors import ForbiddenError, GalleryError, UnavailableError
from gallery.web.authentication import Authentication, UnauthenticatedError
from gallery.web.paths import HEALTH_PATH, LIVE_PATH, READY_PATH

log = logging.getLogger(__name__)

Check = Callable[[], Awaitable[None]]
"""Passes if a dependency can be used, raises if not."""

OPTIONAL_CHECKS: Final = frozenset({"cache"})
"""What the gallery works without, if more slowly."""

CHECK_TIMEOUT_SECONDS: Final = 2.0
RESULTS_LIFETIME_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """How one dependency is. `problem` is a sentence for people, None if there is none."""

    name: str
    latency_ms: float
    problem: str | None = None

    @property
    def is_required(self) -> bool:
        """Whether the gallery cannot work without it."""
        return self.name not in OPTIONAL_CHECKS


class Health:
    """Runs the checks, all at once, and remembers the results for a second: a flood of probes harms nobody."""

    def __init__(
        self,
        checks: Mapping[str, Check],
        *,
        stopping: asyncio.Event,
        authentication: Authentication,
        timeout_seconds: float = CHECK_TIMEOUT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._checks = checks
        self._stopping = stopping
        self._authentication = authentication
        self._timeout_seconds = timeout_seconds
        self._clock = clock
        self._results: tuple[CheckResult, ...] = ()
        self._expires_at = -1.0
        self._checking = asyncio.Lock()
        self._failing: set[str] = set()

    def routes(self) -> list[Route]:
        """`/livez`, `/readyz` and `/healthz`."""
        return [Route(LIVE_PATH, _live), Route(READY_PATH, self._ready), Route(HEALTH_PATH, self._report)]

    async def results(self) -> tuple[CheckResult, ...]:
        """How the dependencies are, at most a second ago."""
        async with self._checking:
            if self._clock() >= self._expires_at:
                self._results = tuple(await asyncio.gather(*map(self._check, self._checks)))
                self._expires_at = self._clock() + RESULTS_LIFETIME_SECONDS
            return self._results

    async def _check(self, name: str) -> CheckResult:
        started = time.perf_counter()
        problem: str | None = None
        failure: Exception | None = None
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await self._checks[name]()
        except Exception as error:  # noqa: BLE001  # whatever is wrong with a dependency is the result
            failure = error
            problem = _explain(error, self._timeout_seconds)
        self._log_change(name, failure)
        return CheckResult(name=name, latency_ms=(time.perf_counter() - started) * 1000, problem=problem)

    def _log_change(self, name: str, failure: Exception | None) -> None:
        """Tells of an outage when it begins and when it ends, not at every probe."""
        if failure is not None and name not in self._failing:
            self._failing.add(name)
            log.warning("the %s is failing its health check", name, exc_info=failure)
        elif failure is None and name in self._failing:
            self._failing.discard(name)
            log.info("the %s passes its health check again", name)

    async def _ready(self, _request: Request) -> JSONResponse:
        if self._stopping.is_set():
            return _answer({"status": "stopping"}, HTTPStatus.SERVICE_UNAVAILABLE)
        if failed := _failed(await self.results()):
            return _answer({"status": "unready", "failed": failed}, HTTPStatus.SERVICE_UNAVAILABLE)
        return _answer({"status": "ready"})

    async def _report(self, request: Request) -> JSONResponse:
        """Strangers learn whether the gallery can do its work, administrators why not."""
        results = await self.results()
        content: dict[str, object] = {"status": _status(results)}
        if await self._is_administrator(request):
            content["version"] = gallery.__version__
            content["dependencies"] = {result.name: _describe(result) for result in results}
        return _answer(content, HTTPStatus.SERVICE_UNAVAILABLE if _failed(results) else HTTPStatus.OK)

    async def _is_administrator(self, request: Request) -> bool:
        """Whether one asks, as far as that can be told: the database, which knows, may be what is down."""
        try:
            await self._authentication.somebody(self._authentication.shown_by(request), Right.ADMINISTER)
        except (UnauthenticatedError, ForbiddenError, UnavailableError):
            return False
        return True


async def _live(_request: Request) -> JSONResponse:
    return _answer({"status": "ok"})


def _failed(results: tuple[CheckResult, ...]) -> list[str]:
    return [result.name for result in results if result.problem is not None and result.is_required]


def _status(results: tuple[CheckResult, ...]) -> str:
    if _failed(results):
        return "unavailable"
    return "ok" if all(result.problem is None for result in results) else "degraded"


def _describe(result: CheckResult) -> dict[str, object]:
    described: dict[str, object] = {
        "state": "up" if result.problem is None else "down",
        "required": result.is_required,
        "latencyMs": round(result.latency_ms, 1),
    }
    return described if result.problem is None else {**described, "problem": result.problem}


def _explain(error: Exception, timeout_seconds: float) -> str:
    """What a client may know: sentences of the gallery, never those of a driver, which name hosts and users."""
    if isinstance(error, GalleryError):
        return error.message
    if isinstance(error, TimeoutError):
        return f"It did not answer within {timeout_seconds:g} seconds."
    return "Its check failed; the log says why."


def _answer(content: Mapping[str, object], status: HTTPStatus = HTTPStatus.OK) -> JSONResponse:
    return JSONResponse(content, status_code=status, headers={"Cache-Control": "no-store"})
