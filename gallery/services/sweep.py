"""The sweep: what rows, objects, multipart uploads and held jobs say of one another, and putting it right.

Nothing is touched that is younger than the grace period, or belongs to an upload that moves.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta

from gallery.domain.access import Right, Viewer, require
from gallery.domain.errors import GalleryError
from gallery.domain.ports import Clock
from gallery.domain.upload_ports import HeldJobs
from gallery.services.abandoned_uploads import AbandonedUploads
from gallery.services.clock import utc_now
from gallery.services.storage_comparison import StorageComparison
from gallery.services.storage_report import Depth, FindingKind, Findings, LastReports, ReportSummary, StorageReport

PLAUSIBLE_LEFTOVERS = 100
"""So many objects without a row are believed in any gallery; more of them only if more objects have a row."""

log = logging.getLogger(__name__)


class SweepService:
    """Compares and repairs."""

    def __init__(
        self,
        *,
        comparison: StorageComparison,
        abandoned: AbandonedUploads,
        held_jobs: HeldJobs,
        last_reports: LastReports,
        clock: Clock = utc_now,
    ) -> None:
        self._comparison = comparison
        self._abandoned = abandoned
        self._held_jobs = held_jobs
        self._last_reports = last_reports
        self._clock = clock
        self._reporting = asyncio.Lock()

    async def report(self, viewer: Viewer, grace: timedelta, *, verify: bool = False) -> StorageReport:
        """What is wrong; changes nothing. With `verify` every byte of the gallery is read, which takes long.

        Those who ask at once are served one after the other: each report lists the whole bucket, and remembers it in
        some megabytes.

        Raises:
            UnavailableError: if the storage or the database does not answer.
        """
        require(viewer, Right.ADMINISTER)
        async with self._reporting:
            findings = Findings()
            started = self._clock()
            before = started - grace
            await self._abandoned.find(before, findings)
            await self._comparison.compare(before, findings, verify=verify, repair=False)
            await self._keep(findings, started, Depth.CHECKSUMS if verify else Depth.SIZES)
            return await self._reported(findings)

    async def repair(self, viewer: Viewer, grace: timedelta, *, verify: bool = False) -> StorageReport:
        """What was wrong, after each finding was repaired as its kind says, and held jobs were queued again.

        Looks before it acts: where most of the objects have no row, or most rows no object, database and bucket hardly
        belong together, and only uploads that rows name are ended; the report says that the rest was held back.

        Raises:
            UnavailableError: if the storage or the database does not answer; what was done by then stays.
        """
        require(viewer, Right.ADMINISTER)
        before = self._clock() - grace
        looked = Findings()
        await self._comparison.compare(before, looked, verify=False, repair=False)
        if (held_back := _why_to_hold_back(looked)) is not None:
            await self._abandoned.end(before, looked, with_unnamed=False)
            return await self._reported(looked, held_back=held_back)
        findings = Findings()
        await self._abandoned.end(before, findings, with_unnamed=True)
        await self._comparison.compare(before, findings, verify=verify, repair=True)
        report = await self._reported(findings, is_repaired=True)
        await self._held_jobs.requeue()
        return report

    async def tidy(self, grace: timedelta, *, repair: bool = False) -> None:
        """Ends abandoned uploads, and says in the log what else is wrong: what the gallery does by itself.

        Told to repair, it puts that right too, as `repair` does by sizes. Nobody watches it then, so it never removes
        more objects than have a row. Looks before it acts, as `repair`: in the bucket of another gallery it throws no
        parts away. What is kept is what it has found.

        Raises:
            UnavailableError: if the storage or the database does not answer.
        """
        started = self._clock()
        before = started - grace
        findings = Findings()
        await self._comparison.compare(before, findings, verify=False, repair=False)
        await self._abandoned.end(before, findings, with_unnamed=_why_to_hold_back(findings) is None)
        held_back = _why_to_hold_back(findings, plausible_leftovers=0)
        repairs = repair and held_back is None
        if repairs:
            await self._comparison.compare(before, Findings(), verify=False, repair=True)
            await self._held_jobs.requeue()
        await self._keep(findings, started, Depth.SIZES)
        if findings.counts:
            counts = ", ".join(f"{count} {kind.value}" for kind, count in findings.counts.items())
            done = ", and put right what can be" if repairs else ""
            log.warning("the sweep has found %s%s; `gallery doctor` tells more", counts, done)
        if repair and held_back is not None:
            log.warning("the sweep repairs nothing: %s", held_back)

    async def _keep(self, findings: Findings, started: datetime, depth: Depth) -> None:
        """Keeps what was found for those who watch; what a repair has put right is not told to them as wrong."""
        now = self._clock()
        summary = ReportSummary(
            depth=depth,
            checked_at=now,
            duration_seconds=(now - started).total_seconds(),
            objects=findings.objects,
            objects_bytes=findings.objects_bytes,
            counts=dict(findings.counts),
        )
        try:
            await self._last_reports.keep(summary)
        except GalleryError:
            log.warning("a report of the storage could not be kept", exc_info=True)

    async def _reported(
        self, findings: Findings, *, is_repaired: bool = False, held_back: str | None = None
    ) -> StorageReport:
        return StorageReport(
            checked_at=self._clock(),
            objects=findings.objects,
            objects_bytes=findings.objects_bytes,
            counts=dict(findings.counts),
            examples=tuple(findings.examples),
            held_jobs=await self._held_jobs.count(),
            is_repaired=is_repaired,
            held_back=held_back,
        )


def _why_to_hold_back(findings: Findings, *, plausible_leftovers: int = PLAUSIBLE_LEFTOVERS) -> str | None:
    unnamed = findings.counts[FindingKind.OBJECT_WITHOUT_ROW]
    named = findings.objects - unnamed
    if unnamed > max(named, plausible_leftovers):
        return (
            f"{unnamed:,} objects have no row and only {named:,} have one. Is this the database of this bucket, and is "
            "it up to date? Nothing was removed or marked."
        )
    lost = findings.counts[FindingKind.ORIGINAL_LOST]
    if lost > named:
        return (
            f"{lost:,} images have no file and only {named:,} objects are there. Is this the bucket of this database? "
            "Nothing was removed or marked."
        )
    return None
