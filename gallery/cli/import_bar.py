"""How an import looks in a terminal, and what it says in the end."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from types import TracebackType
from typing import Self

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from gallery.cli.running import ExitCode

_IMPORTING = "Importing"
_WAITING = "Waiting  "


class ImportBar:
    """A bar in bytes on standard error, with a line above it for each file that is refused."""

    def __init__(self, *, files: int, total_bytes: int) -> None:
        files_done = TextColumn("{task.fields[done]} of {task.fields[files]} files")
        columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), files_done, TimeRemainingColumn()
        self._bar = Progress(*columns, console=Console(stderr=True))
        self._task = self._bar.add_task(_IMPORTING, total=total_bytes, done=0, files=files)
        self._counts: Counter[str] = Counter()
        self._reason_to_wait = ""

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.stop()

    def moved(self, size_bytes: int) -> None:
        """So many bytes are done with; fewer than none if some were lost."""
        self._bar.update(self._task, advance=size_bytes, description=_IMPORTING)

    def file_done(self, filename: str, outcome: StrEnum, reason: str | None) -> None:
        """A file is done with; a reason is why it was refused."""
        self._counts[outcome.value] += 1
        self._bar.update(self._task, done=self._counts.total())
        if reason is not None:
            self._print(f"refused  {filename}: {reason}")

    def waits(self, reason: str) -> None:
        """Nothing moves at the moment."""
        self._bar.update(self._task, description=_WAITING)
        if reason != self._reason_to_wait:
            self._reason_to_wait = reason
            self._print(f"waiting  {reason}")

    def report(self, outcomes: type[StrEnum], *, refused: StrEnum) -> int:
        """Says on standard output how many files ended how; the exit code."""
        typer.echo(", ".join(f"{self._counts[outcome.value]} {outcome.value}" for outcome in outcomes))
        return ExitCode.FAILED if self._counts[refused.value] else 0

    def _print(self, line: str) -> None:
        self._bar.console.print(line, markup=False, highlight=False)
