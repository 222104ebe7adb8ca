"""A clock that stands still until a test moves it."""

from __future__ import annotations

from datetime import datetime, timedelta


class StandingClock:
    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def monotonic(self) -> float:
        """The same in seconds from some moment on."""
        return self.now.timestamp()

    def advance(self, *, minutes: float) -> datetime:
        self.now += timedelta(minutes=minutes)
        return self.now
