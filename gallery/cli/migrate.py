"""`gallery migrate`: brings the database to what this version needs."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

import typer
from pydantic import HttpUrl

from gallery.cli.running import DataDir, run, settings_of
from gallery.container import database_url
from gallery.embedding import running_services
from gallery.logs import configure_logging
from gallery.platform.database.migrate import head_revision, upgrade
from gallery.platform.storage.s3 import connect_storages
from gallery.settings import ServerSettings, Settings

CreateBucket = Annotated[
    bool,
    typer.Option(
        "--create-bucket",
        help="Also create the bucket, if it does not exist, and let the gallery's web pages send files to it.",
    ),
]


def migrate(create_bucket: CreateBucket = False, data_dir: DataDir = None) -> None:  # noqa: FBT002  # a flag
    """Bring the database up to date. Safe to run at any time, and beside a running gallery."""
    settings = settings_of({"data_dir": data_dir})
    configure_logging(settings.log)
    run(lambda: _migrate(settings, with_bucket=create_bucket))


async def _migrate(settings: Settings, *, with_bucket: bool) -> None:
    async with running_services(settings, exclusive=False) as (complete, _):
        await upgrade(database_url(complete))
        typer.echo(f"The database is up to date (revision {head_revision()}).")
        if with_bucket:
            await _prepare_bucket(complete)


async def _prepare_bucket(settings: Settings) -> None:
    origins = upload_origins(settings.server)
    async with connect_storages(settings.storage) as storages:
        await storages.objects.create_bucket()
        typer.echo(f"The bucket {settings.storage.bucket} is there.")
        if await storages.origins.allow(origins):
            typer.echo(f"Web pages of these origins may send files to it: {', '.join(origins)}.")
        else:
            typer.echo(
                f"The storage took no CORS rule. Let pages of {', '.join(origins)} send PUT and read ETag in its own "
                "settings."
            )


def upload_origins(server: ServerSettings) -> tuple[str, ...]:
    """The origins of web pages that send files to the storage: the gallery's own, and those that may call its API."""
    if server.public_url is not None:
        own = [_origin(server.public_url)]
    else:
        own = [f"http://{host}:{server.port}" for host in ("127.0.0.1", "localhost")]
    return tuple(dict.fromkeys([*own, *server.cors_origins]))


def _origin(url: HttpUrl) -> str:
    """An address without its path and without the port that its scheme means anyway, as browsers send it."""
    parts = urlsplit(str(url))
    return f"{parts.scheme}://{parts.netloc}"
