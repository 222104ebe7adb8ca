"""`gallery doctor`: what is wrong, and what to do about it."""

from __future__ import annotations

import platform
import shutil
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

import gallery
from gallery.cli.diagnosis import Finding, check_services, examine
from gallery.cli.lines import ill, more, well
from gallery.cli.running import DataDir, ExitCode, run, settings_of
from gallery.cli.storage_check import StorageCheck, check_storage
from gallery.container import HEARTBEAT_SECONDS, Container, open_container
from gallery.embedding import embedded_services, running_services
from gallery.logs import configure_logging
from gallery.platform.jobs.held import held, requeue_held
from gallery.settings import LogLevel, LogSettings, Settings

SHORTEST_GRACE_SECONDS = round(3 * HEARTBEAT_SECONDS)
"""An upload that is under way may miss two of its signs of life without being taken for abandoned."""

_LITTLE_SPACE_BYTES = 1024**3

Probe = Annotated[bool, typer.Option("--probe", help="Only ask what the gallery cannot do without: a health check.")]
Requeue = Annotated[bool, typer.Option("--requeue", help="Give jobs that were given up another chance.")]
Repair = Annotated[
    bool,
    typer.Option("--repair", help="Put right what does not match in database and storage, and requeue jobs as well."),
]
Verify = Annotated[bool, typer.Option("--verify", help="Read every file and compare its checksum. Takes long.")]
Grace = Annotated[
    int | None,
    typer.Option(
        min=SHORTEST_GRACE_SECONDS,
        metavar="SECONDS",
        help="Leave alone what is younger than this.",
        show_default="GALLERY_UPLOADS__SWEEP_GRACE_SECONDS",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Orders:
    """What to do beside looking."""

    requeue: bool
    storage: StorageCheck


def doctor(  # the options of the command
    repair: Repair = False,  # noqa: FBT002  # a flag
    verify: Verify = False,  # noqa: FBT002  # as above
    requeue: Requeue = False,  # noqa: FBT002  # as above
    probe: Probe = False,  # noqa: FBT002  # as above
    grace: Grace = None,
    data_dir: DataDir = None,
) -> None:
    """Look at the settings, at every service, and at what is stored. Exits with 1 if something needs attention."""
    settings = settings_of({"data_dir": data_dir})
    configure_logging(LogSettings(level=LogLevel.ERROR, format=settings.log.format))
    if probe:
        run(lambda: _probe(settings))
    well(f"gallery {gallery.__version__}, Python {sys.version.split()[0]} on {platform.platform()}")
    grace = settings.uploads.sweep_grace_seconds if grace is None else grace
    storage = StorageCheck(grace=timedelta(seconds=grace), verify=verify, repair=repair)
    run(lambda: _examine(settings, _Orders(requeue=requeue or repair, storage=storage)))


async def _probe(settings: Settings) -> None:
    async with running_services(settings, exclusive=False) as (complete, _), open_container(complete) as container:
        await check_services(container)


async def _examine(settings: Settings, orders: _Orders) -> int:
    embedded = embedded_services(settings)
    if embedded and not settings.data_dir.exists():
        well(f"There is no gallery in {settings.data_dir} yet; `gallery serve` makes one")
        return 0
    if embedded:
        names = ", ".join(sorted(service.product for service in embedded))
        well(f"{names}: embedded, data in {settings.data_dir}")
    async with (
        running_services(settings, exclusive=False, migrated=False) as (complete, _),
        open_container(complete) as container,
    ):
        findings = await examine(container)
        for finding in findings:
            _tell(finding)
        results = [finding.problem is None for finding in findings]
        if embedded:
            results.append(_look_at_space(settings.data_dir))
        database, storage, *_ = results
        if database:
            results.append(await _look_at_jobs(container, requeue=orders.requeue))
        if database and storage:
            results.append(await check_storage(container.use_cases.sweep, orders.storage))
    return 0 if all(results) else ExitCode.FAILED


def _look_at_space(folder: Path) -> bool:
    free = shutil.disk_usage(folder).free
    text = f"{free / 1024**3:.1f} GiB free in {folder}"
    return well(text) if free > _LITTLE_SPACE_BYTES else ill(f"{text}: make room, or uploads will be refused")


async def _look_at_jobs(container: Container, *, requeue: bool) -> bool:
    if requeue:
        return well(f"{await requeue_held(container.engine)} jobs that were given up are queued again")
    waiting = await held(container.engine)
    for job in waiting:
        ill(f"Job {job.id} ({job.name} {job.payload}) was given up at {job.held_at:%F %T}: {job.reason}")
    if waiting:
        more("`gallery doctor --requeue` gives such jobs another chance.")
        return False
    return well("No job was given up")


def _tell(finding: Finding) -> None:
    if finding.problem is None:
        well(f"{finding.service} at {finding.where} answers")
    else:
        ill(finding.problem)
