"""`gallery import`: a folder of photographs becomes images of the gallery."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from gallery.cli.diagnosis import check_services
from gallery.cli.running import DataDir, ExitCode, run, settings_of
from gallery.container import Container, embedded_services, open_container, running_services
from gallery.domain.access import LOCAL_ADMINISTRATOR
from gallery.domain.pages import AlbumQuery
from gallery.logs import configure_logging
from gallery.platform.local_files import LocalFile, files_below
from gallery.services.albums import NewAlbum
from gallery.services.imports import ImportOptions, ImportOutcome, ImportResult, ImportService
from gallery.settings import Settings

Folder = Annotated[Path, typer.Argument(help="The folder; those in it are read too.", exists=True, file_okay=False)]
Tags = Annotated[list[str] | None, typer.Option("--tag", help="A tag for every image; may be given several times.")]
Album = Annotated[str | None, typer.Option(help="Title of the album to put the images into; made if there is none.")]
Parallel = Annotated[int, typer.Option(min=1, max=32, help="How many files are sent at the same time.")]


def import_folder(
    folder: Folder, tag: Tags = None, album: Album = None, parallel: Parallel = 4, data_dir: DataDir = None
) -> None:
    """Upload a folder. What is in the gallery already is skipped; what is refused is listed, and the exit code is 1."""
    settings = settings_of({"data_dir": data_dir})
    configure_logging(settings.log)
    options = ImportOptions(tag_names=tag or (), parallel=parallel)
    run(lambda: _import(settings, list(files_below(folder)), options, album))


async def _import(settings: Settings, files: list[LocalFile], options: ImportOptions, album: str | None) -> int:
    if embedded_services(settings):
        typer.echo(f"Into the gallery in {settings.data_dir}", err=True)
    async with running_services(settings, exclusive=False) as (complete, _), open_container(complete) as container:
        await check_services(container)
        if album is not None:
            options = await _with_album(container, options, album)
        results = await _run(container, files, options)
    return _report(results)


async def _with_album(container: Container, options: ImportOptions, title: str) -> ImportOptions:
    found = await container.use_cases.album_reader.list_page(LOCAL_ADMINISTRATOR, AlbumQuery(text=title))
    same = [album for album in found.items if album.title == title]
    album = same[0] if same else await container.use_cases.albums.create(LOCAL_ADMINISTRATOR, NewAlbum(title=title))
    return replace(options, album_id=album.id)


async def _run(container: Container, files: list[LocalFile], options: ImportOptions) -> list[ImportResult]:
    service = ImportService(container.use_cases.image_reader, container.use_cases.uploads)
    files_done = TextColumn("{task.fields[done]} of {task.fields[files]} files")
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), files_done, TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True)) as bar:
        total = sum(file.size_bytes for file in files)
        task = bar.add_task("Importing", total=total, done=0, files=len(files))

        def advance(result: ImportResult) -> None:
            bar.update(task, advance=result.file.size_bytes, done=bar.tasks[task].fields["done"] + 1)
            if result.outcome is ImportOutcome.REFUSED:
                bar.console.print(f"refused  {result.file.filename}: {result.reason}", markup=False, highlight=False)

        return await service.run(LOCAL_ADMINISTRATOR, files, options, advance)


def _report(results: list[ImportResult]) -> int:
    counts = Counter(result.outcome for result in results)
    typer.echo(", ".join(f"{counts[outcome]} {outcome.value}" for outcome in ImportOutcome))
    return ExitCode.FAILED if counts[ImportOutcome.REFUSED] else 0
