"""`gallery doctor`: what is wrong, and what to do about it."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Iterator
from typing import Annotated

import typer

import gallery
from gallery.cli.diagnosis import Finding, examine
from gallery.cli.running import DataDir, ExitCode, run, settings_of
from gallery.container import Container, embedded_services, open_container, running_services
from gallery.logs import configure_logging
from gallery.platform.jobs.held import held, requeue_held
from gallery.settings import LogLevel, LogSettings, Settings

_LITTLE_SPACE_BYTES = 1024**3

Requeue = Annotated[bool, typer.Option("--requeue", help="Give jobs that were given up another chance.")]


def doctor(requeue: Requeue = False, data_dir: DataDir = None) -> None:  # noqa: FBT001, FBT002  # a flag
    """Look at the settings and at every service. Exits with 1 if something needs attention."""
    settings = settings_of({"data_dir": data_dir})
    configure_logging(LogSettings(level=LogLevel.ERROR, format=settings.log.format))
    _tell(True, f"gallery {gallery.__version__}, Python {sys.version.split()[0]} on {platform.platform()}")
    run(lambda: _examine(settings, requeue=requeue))


async def _examine(settings: Settings, *, requeue: bool) -> int:
    embedded = embedded_services(settings)
    if embedded:
        names = ", ".join(sorted(service.product for service in embedded))
        _tell(True, f"{names}: embedded, data in {settings.data_dir}")
    async with running_services(settings, exclusive=False) as (complete, _), open_container(complete) as container:
        findings = await examine(container)
        for finding in findings:
            _tell(finding.problem is None, finding.problem or f"{finding.service} at {finding.where} answers")
        well = [_is_well(findings), *(_tell(ok, text) for ok, text in _space(settings, local=bool(embedded)))]
        if findings[0].problem is None:
            well.append(await _look_at_jobs(container, requeue=requeue))
    return 0 if all(well) else ExitCode.FAILED


def _is_well(findings: list[Finding]) -> bool:
    return all(finding.problem is None for finding in findings)


def _space(settings: Settings, *, local: bool) -> Iterator[tuple[bool, str]]:
    """Room for the embedded servers."""
    if local:
        free = shutil.disk_usage(settings.data_dir).free
        advice = "" if free > _LITTLE_SPACE_BYTES else ": make room, or uploads will be refused"
        yield free > _LITTLE_SPACE_BYTES, f"{free / 1024**3:.1f} GiB free in {settings.data_dir}{advice}"


async def _look_at_jobs(container: Container, *, requeue: bool) -> bool:
    if requeue:
        return _tell(True, f"{await requeue_held(container.engine)} jobs that were given up are queued again")
    waiting = await held(container.engine)
    for job in waiting:
        _tell(False, f"Job {job.id} ({job.name} {job.payload}) was given up at {job.held_at:%F %T}: {job.reason}")
    if waiting:
        typer.echo("  `gallery doctor --requeue` gives such jobs another chance.")
        return False
    return _tell(True, "No job was given up")


def _tell(ok: bool, text: str) -> bool:  # noqa: FBT001  # what the mark before the text says
    typer.echo(f"{'ok ' if ok else '!! '} {text}")
    return ok
