"""What has been sent of an answer, for the log line and the metrics."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Answered:
    """`status` is None until the answer begins."""

    status: int | None = None
    size_bytes: int = 0
    is_complete: bool = False
