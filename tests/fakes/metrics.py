"""Metrics in memory."""

from __future__ import annotations

from gallery.domain.uploads import Transport


class MemoryUploadMetrics:
    """What became of files, in the order of their ends: transport, outcome, and size if they were taken."""

    def __init__(self) -> None:
        self.files: list[tuple[Transport, str, int]] = []

    def file(self, transport: Transport, outcome: str, *, size_bytes: int = 0) -> None:
        self.files.append((transport, outcome, size_bytes))
