"""`gallery doctor`: what is wrong, and what to do about it."""

from __future__ import annotations

import platform
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

import gallery
from gallery.cli.diagnosis import Finding, check_services, examine
from gallery.cli.running import DataDir, ExitCode, run, settings_of
from gallery.container import Container, embedded_services, open_container, running_services
from gallery.logs import configure_logging
from gallery.platform.jobs.held import held, requeue_held
from gallery.settings import LogLevel, LogSettings, Settings

_LITTLE_SPACE_BYTES = 1024**3

Probe = Annotated[bool, typer.Option("--probe", help="Only ask what the gallery cannot do without: a health check.")]
Requeue = Annotated[bool, typer.Option("--requeue", help="Give jobs that were given up another chance.")]


def doctor(requeue: Requeue = False, probe: Probe = False, data_dir: DataDir = None) -> None:  # noqa: FBT002  # flags
    """Look at the settings and at every service. Exits with 1 if something needs attention."""
    settings = settings_of({"data_dir": data_dir})
    configure_logging(LogSettings(level=LogLevel.ERROR, format=settings.log.format))
    if probe:
        run(lambda: _probe(settings))
    _well(f"gallery {gallery.__version__}, Python {sys.version.split()[0]} on {platform.platform()}")
    run(lambda: _examine(settings, requeue=requeue))


async def _probe(settings: Settings) -> None:
    async with running_services(settings, exclusive=False) as (complete, _), open_container(complete) as container:
        await check_services(container)


async def _examine(settings: Settings, *, requeue: bool) -> int:
    embedded = embedded_services(settings)
    if embedded and not settings.data_dir.exists():
        _well(f"There is no gallery in {settings.data_dir} yet; `gallery serve` makes one")
        return 0
    if embedded:
        names = ", ".join(sorted(service.product for service in embedded))
        _well(f"{names}: embedded, data in {settings.data_dir}")
    async with (
        running_services(settings, exclusive=False, migrated=False) as (complete, _),
        open_container(complete) as container,
    ):
        findings = await examine(container)
        for finding in findings:
            _tell(finding)
        well = [finding.problem is None for finding in findings]
        if embedded:
            well.append(_look_at_space(settings.data_dir))
        if findings[0].problem is None:
            well.append(await _look_at_jobs(container, requeue=requeue))
    return 0 if all(well) else ExitCode.FAILED


def _look_at_space(folder: Path) -> bool:
    free = shutil.disk_usage(folder).free
    text = f"{free / 1024**3:.1f} GiB free in {folder}"
    return _well(text) if free > _LITTLE_SPACE_BYTES else _ill(f"{text}: make room, or uploads will be refused")


async def _look_at_jobs(container: Container, *, requeue: bool) -> bool:
    if requeue:
        return _well(f"{await requeue_held(container.engine)} jobs that were given up are queued again")
    waiting = await held(container.engine)
    for job in waiting:
        _ill(f"Job {job.id} ({job.name} {job.payload}) was given up at {job.held_at:%F %T}: {job.reason}")
    if waiting:
        typer.echo("  `gallery doctor --requeue` gives such jobs another chance.")
        return False
    return _well("No job was given up")


def _tell(finding: Finding) -> None:
    if finding.problem is None:
        _well(f"{finding.service} at {finding.where} answers")
    else:
        _ill(finding.problem)


def _well(text: str) -> bool:
    typer.echo(f"ok  {text}")
    return True


def _ill(text: str) -> bool:
    typer.echo(f"!!  {text}")
    return False
