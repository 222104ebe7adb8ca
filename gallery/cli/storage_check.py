"""What `gallery doctor` says of rows and objects that do not match, and what it puts right when told to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from gallery.cli.lines import ill, more, well
from gallery.domain.access import LOCAL_ADMINISTRATOR
from gallery.services.storage_report import FindingKind, StorageReport
from gallery.services.sweep import SweepService

_BEYOND_REPAIR = frozenset({FindingKind.ORIGINAL_LOST, FindingKind.ORIGINAL_DAMAGED})
_EXAMPLES_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageCheck:
    """How to look: what is younger than `grace` is left alone; `verify` reads every byte."""

    grace: timedelta
    verify: bool
    repair: bool


async def check_storage(sweep: SweepService, check: StorageCheck) -> bool:
    """Says what was found, by kind; False if anything of it is left."""
    act = sweep.repair if check.repair else sweep.report
    report = await act(LOCAL_ADMINISTRATOR, check.grace, verify=check.verify)
    well(_compared(report, check))
    results = [_tell(report, kind, count) for kind, count in sorted(report.counts.items())]
    if report.held_back is not None:
        results.append(ill(report.held_back))
    elif not report.counts:
        well("Rows and objects match")
    elif not check.repair:
        more("`gallery doctor --repair` does what stands beside each kind.")
    return all(results)


def _compared(report: StorageReport, check: StorageCheck) -> str:
    how = "checksum" if check.verify else "size"
    return (
        f"{report.objects:,} objects of {report.objects_bytes / 1024**2:,.1f} MiB compared by {how}; "
        f"what is younger than {check.grace.total_seconds():,.0f} seconds left alone"
    )


def _tell(report: StorageReport, kind: FindingKind, count: int) -> bool:
    """Says how many there are of a kind and shows some; True if they were repaired."""
    name = kind.value.replace("_", " ").lower()
    repaired = report.is_repaired and kind not in _BEYOND_REPAIR
    tell = well if repaired else ill
    tell(f"{name}: {count:,}{', repaired' if repaired else ''}. {kind.repair}")
    examples = [finding for finding in report.examples if finding.kind is kind]
    for finding in examples[:_EXAMPLES_SHOWN]:
        more(f"{finding.what}, {finding.since:%F %T}")
    if count > _EXAMPLES_SHOWN:
        more("…")
    return repaired
