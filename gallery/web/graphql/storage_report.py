"""How the storage and the database compare, in the schema."""

from __future__ import annotations

from datetime import datetime

import strawberry

from gallery.services import storage_report
from gallery.services.storage_report import FindingKind
from gallery.web.graphql.context import Info
from gallery.web.graphql.scalars import ByteSize


@strawberry.type(description="How often something is wrong.")
class FindingCount:
    """A kind of findings."""

    kind: FindingKind = strawberry.field(description="What is wrong.")
    count: int = strawberry.field(description="How often.")


@strawberry.type(description="One thing that is wrong.")
class StorageFinding:
    """An example of a kind."""

    kind: FindingKind = strawberry.field(description="What is wrong.")
    what: str = strawberry.field(description="The path of the object in the storage.")
    since: datetime = strawberry.field(description="When the object was stored, or the upload moved last.")


@strawberry.type(description="How what the storage holds compares with what the database says.")
class StorageReport:
    """Nothing is repaired by asking."""

    checked_at: datetime = strawberry.field(description="When this was found out.")
    object_count: int = strawberry.field(description="How many objects the storage holds.")
    total_size: ByteSize = strawberry.field(description="Their size together, in bytes.")
    findings: list[FindingCount] = strawberry.field(description="What is wrong, by kind; empty if all is well.")
    examples: list[StorageFinding] = strawberry.field(description="The first findings of each kind.")
    held_job_count: int = strawberry.field(
        description="How many jobs were given up; `gallery doctor --repair` queues them again."
    )

    @classmethod
    def of(cls, report: storage_report.StorageReport) -> StorageReport:
        """The report as the schema shows it."""
        counts = {kind: report.counts.get(kind, 0) for kind in FindingKind}
        return cls(
            checked_at=report.checked_at,
            object_count=report.objects,
            total_size=ByteSize(report.objects_bytes),
            findings=[FindingCount(kind=kind, count=count) for kind, count in counts.items() if count],
            examples=[
                StorageFinding(kind=finding.kind, what=finding.what, since=finding.since) for finding in report.examples
            ],
            held_job_count=report.held_jobs,
        )


@strawberry.type
class StorageQueries:
    """The root field that looks at the storage."""

    @strawberry.field(
        description="Compares all objects of the storage with the database, which takes a while in a large gallery. "
        "What is younger than an hour, or whatever the gallery is set to, is left alone. Needs the right to administer."
    )
    async def storage_report(self, info: Info) -> StorageReport:
        """As `gallery doctor` tells it."""
        use_cases = info.context.use_cases
        return StorageReport.of(await use_cases.sweep.report(info.context.viewer, use_cases.sweep_grace))
