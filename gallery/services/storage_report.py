"""What the sweep finds where rows and objects do not match, and what it does about each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum, unique
from typing import Protocol


@unique
class FindingKind(StrEnum):
    """What is wrong."""

    OBJECT_WITHOUT_ROW = "OBJECT_WITHOUT_ROW"
    ORIGINAL_LOST = "ORIGINAL_LOST"
    ORIGINAL_DAMAGED = "ORIGINAL_DAMAGED"
    RENDITION_LOST = "RENDITION_LOST"
    RENDITION_DAMAGED = "RENDITION_DAMAGED"
    MULTIPART_UPLOAD_WITHOUT_INTENT = "MULTIPART_UPLOAD_WITHOUT_INTENT"
    STUCK_UPLOAD = "STUCK_UPLOAD"
    EXPIRED_UPLOAD = "EXPIRED_UPLOAD"

    @property
    def repair(self) -> str:
        """What a repair does about it."""
        return _REPAIRS[self]


_REPAIRS: Mapping[FindingKind, str] = {
    FindingKind.OBJECT_WITHOUT_ROW: "The object is removed.",
    FindingKind.ORIGINAL_LOST: "The image is marked as failed, with the reason. Only a backup can bring the file back.",
    FindingKind.ORIGINAL_DAMAGED: "The image is marked as failed, with the reason. Only a backup has the right bytes.",
    FindingKind.RENDITION_LOST: "It is made again from the original.",
    FindingKind.RENDITION_DAMAGED: "It is made again from the original.",
    FindingKind.MULTIPART_UPLOAD_WITHOUT_INTENT: "Its parts are thrown away.",
    FindingKind.STUCK_UPLOAD: "The upload is given up and its bytes are removed.",
    FindingKind.EXPIRED_UPLOAD: "The upload is given up and its bytes are removed; an image that it became stays.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong. `what` is the path of the object, `since` when it was stored or last moved."""

    kind: FindingKind
    what: str
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageReport:
    """How rows and objects compare.

    `examples` are the first findings of each kind. `held_jobs` counts the jobs that were given up. `is_repaired` says
    that what was found was repaired; `held_back` why it was not although that was asked for.
    """

    checked_at: datetime
    objects: int
    objects_bytes: int
    counts: Mapping[FindingKind, int]
    examples: tuple[Finding, ...]
    held_jobs: int
    is_repaired: bool = False
    held_back: str | None = None


@unique
class Depth(StrEnum):
    """What of every file a report has compared."""

    SIZES = "sizes"
    CHECKSUMS = "checksums"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSummary:
    """What is kept of a report for those who watch over the gallery."""

    depth: Depth
    checked_at: datetime
    duration_seconds: float
    objects: int
    objects_bytes: int
    counts: Mapping[FindingKind, int]


class LastReports(Protocol):
    """The last report of each depth, wherever in the gallery it was made."""

    async def keep(self, summary: ReportSummary) -> None:
        """Keeps a report in place of an older one of its depth.

        Raises:
            UnavailableError: if the database does not answer.
        """
        ...

    async def all(self) -> tuple[ReportSummary, ...]:
        """At most one of each depth, in the order of `Depth`.

        Raises:
            UnavailableError: if the database does not answer.
        """
        ...


class Findings:
    """Counts findings, and keeps a few of each kind."""

    def __init__(self, *, examples_of_kind: int = 20) -> None:
        self._examples_of_kind = examples_of_kind
        self.counts: Counter[FindingKind] = Counter()
        self.examples: list[Finding] = []
        self.objects = 0
        self.objects_bytes = 0

    def add(self, kind: FindingKind, what: str, since: datetime) -> None:
        """Adds one."""
        if self.counts[kind] < self._examples_of_kind:
            self.examples.append(Finding(kind=kind, what=what, since=since))
        self.counts[kind] += 1
