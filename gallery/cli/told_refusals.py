"""Refusals of connections in the log and among the metrics: nothing else tells of what never becomes a request."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable
from enum import StrEnum, unique
from typing import Final

from gallery.domain.metrics import NO_METRICS, WebMetrics

log = logging.getLogger(__name__)

_TOLD_EVERY_SECONDS: Final = 1.0


@unique
class Reason(StrEnum):
    """Why a connection was refused, or ended. These are labels of a metric."""

    MALFORMED = "malformed"
    HEAD_TOO_LARGE = "head_too_large"
    SLOW_HEAD = "slow_head"
    NO_REQUEST = "no_request"
    """Nothing came. Browsers open connections in advance, so that this is no news."""
    SLOW_BODY = "slow_body"
    SLOW_READER = "slow_reader"
    TOO_MANY_CONNECTIONS = "too_many_connections"
    TOO_MANY_OF_CLIENT = "too_many_of_client"


class ToldRefusals:
    """Counts all of them, and logs them once a second at most for each reason, with how many others there were."""

    def __init__(
        self, metrics: Callable[[], WebMetrics] = lambda: NO_METRICS, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._metrics = metrics
        self._clock = clock
        self._silent_until: dict[Reason, float] = {}
        self._untold: Counter[Reason] = Counter()

    def tell(self, reason: Reason) -> None:
        """A connection was refused. From where is not told: an address may be that of a person."""
        self._metrics().connection_refused(reason.value)
        now = self._clock()
        if now < self._silent_until.get(reason, now):
            self._untold[reason] += 1
            return
        self._silent_until[reason] = now + _TOLD_EVERY_SECONDS
        others = self._untold.pop(reason, 0)
        level = logging.DEBUG if reason is Reason.NO_REQUEST else logging.WARNING
        log.log(level, "a connection was refused: %s", reason.value, extra={"others": others})
