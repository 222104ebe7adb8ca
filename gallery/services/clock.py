"""The time, as services take it unless a test gives them another."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_now() -> datetime:
    """The time now in UTC."""
    return datetime.now(UTC)
