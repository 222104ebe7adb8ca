"""`gallery import`: a folder of photographs becomes images of the gallery."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from gallery.cli.diagnosis import check_services
from gallery.cli.import_bar import ImportBar
from gallery.cli.remote_import import RemoteImport, gallery_url
from gallery.cli.running import DataDir, ExitCode, end, run, settings_of
from gallery.container import Container, open_container
from gallery.domain.access import LOCAL_ADMINISTRATOR
from gallery.domain.pages import AlbumQuery
from gallery.embedding import embedded_services, running_services
from gallery.logs import configure_logging
from gallery.platform.local_files import LocalFile, files_below
from gallery.services.albums import NewAlbum
from gallery.services.imports import ImportOptions, ImportOutcome, ImportResult, ImportService
from gallery.settings import Settings

Folder = Annotated[Path, typer.Argument(help="The folder; those in it are read too.", exists=True, file_okay=False)]
Tags = Annotated[list[str] | None, typer.Option("--tag", help="A tag for every image; may be given several times.")]
Album = Annotated[str | None, typer.Option(help="Title of the album to put the images into; made if there is none.")]
Parallel = Annotated[int, typer.Option(min=1, max=32, help="How many files are sent at the same time.")]
To = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="A running gallery to send the files to, such as https://photos.example. By default they go to the "
        "services that the settings name.",
    ),
]
PatienceSeconds = Annotated[
    float,
    typer.Option(
        "--patience", min=0, metavar="SECONDS", help="With --to: how long a gallery that does not answer is waited for."
    ),
]


def import_folder(  # noqa: PLR0913, PLR0917  # the options of the command
    folder: Folder,
    to: To = None,
    tag: Tags = None,
    album: Album = None,
    parallel: Parallel = 4,
    patience: PatienceSeconds = 120,
    data_dir: DataDir = None,
) -> None:
    """Upload a folder. What is in the gallery already is skipped; what is refused is listed, and the exit code is 1.

    If it is interrupted, start it again: it goes on where it stopped.
    """
    settings = settings_of({"data_dir": data_dir})
    configure_logging(settings.log)
    files = list(files_below(folder))
    if to is None:
        options = ImportOptions(tag_names=tag or (), parallel=parallel)
        run(lambda: _import(settings, files, options, album))
        return
    url = gallery_url(to)
    if url is None:
        end(ExitCode.WRONG_USAGE, f"{to} is no address of a gallery; --to takes one such as https://photos.example")
    remote = RemoteImport(
        url=url,
        folder=folder,
        tags=tuple(tag or ()),
        parallel=parallel,
        patience_seconds=patience,
        token=None if settings.client.token is None else settings.client.token.get_secret_value(),
    )
    run(lambda: remote.run(files, album))


async def _import(settings: Settings, files: list[LocalFile], options: ImportOptions, album: str | None) -> int:
    if embedded_services(settings):
        typer.echo(f"Into the gallery in {settings.data_dir}", err=True)
    async with running_services(settings, exclusive=False) as (complete, _), open_container(complete) as container:
        await check_services(container)
        if album is not None:
            options = await _with_album(container, options, album)
        return await _run(container, files, options)


async def _with_album(container: Container, options: ImportOptions, title: str) -> ImportOptions:
    found = await container.use_cases.album_reader.list_page(LOCAL_ADMINISTRATOR, AlbumQuery(text=title))
    same = [album for album in found.items if album.title == title]
    album = same[0] if same else await container.use_cases.albums.create(LOCAL_ADMINISTRATOR, NewAlbum(title=title))
    return replace(options, album_id=album.id)


async def _run(container: Container, files: list[LocalFile], options: ImportOptions) -> int:
    service = ImportService(container.use_cases.image_reader, container.use_cases.uploads)
    with ImportBar(files=len(files), total_bytes=sum(file.size_bytes for file in files)) as bar:

        def advance(result: ImportResult) -> None:
            bar.moved(result.file.size_bytes)
            bar.file_done(result.file.filename or "", result.outcome, result.reason)

        await service.run(LOCAL_ADMINISTRATOR, files, options, advance)
    return bar.report(ImportOutcome, refused=ImportOutcome.REFUSED)
